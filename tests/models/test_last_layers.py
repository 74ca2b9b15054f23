"""Networks whose last layer cannot be right for what is made of their outputs."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.losses import GaussianLikelihood
from keras_devae.networks import convolutional_decoder, convolutional_encoder, mlp_encoder

pytestmark = pytest.mark.backends

SHAPE = (4, 4, 3)


@keras.saving.register_keras_serializable(package="tests")
class Squashing(layers.Layer):
    """Weights and a sigmoid in one."""

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], 48), "zeros")

    def call(self, inputs):
        return ops.sigmoid(ops.matmul(inputs, self.kernel))


def after_dense(*more, activation=None):
    z = x = keras.Input((2,))
    for layer in (layers.Dense(48, activation=activation), layers.Reshape(SHAPE), *more):
        x = layer(x)
    return keras.Model(z, x)


def nested():
    inner = keras.Sequential(
        [keras.Input((2,)), layers.Dense(48, "sigmoid"), layers.Reshape(SHAPE)]
    )
    return keras.Sequential([keras.Input((2,)), layers.Dense(2), inner])


def operation():
    z = keras.Input((2,))
    return keras.Model(z, ops.sigmoid(layers.Reshape(SHAPE)(layers.Dense(48)(z))))


def branches():
    z = keras.Input((2,))
    grey = layers.Reshape((4, 4, 1))(layers.Dense(16, "sigmoid")(z))
    return keras.Model(z, layers.Concatenate()([grey, grey, grey]))


def frozen():
    decoder = after_dense(activation="sigmoid")
    decoder.trainable = False
    return decoder


def convolution():
    z = keras.Input((2,))
    x = layers.Reshape((2, 2, 4))(layers.Dense(16)(z))
    return keras.Model(z, layers.Conv2DTranspose(3, 2, 2, activation="sigmoid")(x))


SQUASHED = {
    **{
        name: lambda name=name: after_dense(activation=name)
        for name in (
            "sigmoid",
            "tanh",
            "relu",
            "softplus",
            "hard_sigmoid",
            "softmax",
            "relu6",
            "elu",
        )
    },
    "function": lambda: after_dense(activation=keras.activations.sigmoid),
    "activation": lambda: after_dense(layers.Activation("sigmoid")),
    "ReLU": lambda: after_dense(layers.ReLU()),
    "Softmax": lambda: after_dense(layers.Softmax()),
    "cast to float32": lambda: after_dense(
        layers.Activation("sigmoid"), layers.Activation("linear", dtype="float32")
    ),
    "rescaled": lambda: after_dense(layers.Activation("sigmoid"), layers.Rescaling(2, -1)),
    "rescaled to 255": lambda: after_dense(layers.Activation("sigmoid"), layers.Rescaling(255)),
    "custom": lambda: keras.Sequential([keras.Input((2,)), Squashing(), layers.Reshape(SHAPE)]),
    "time distributed": lambda: keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(48),
            layers.Reshape(SHAPE),
            layers.TimeDistributed(layers.Dense(3, activation="sigmoid")),
        ]
    ),
    "nested": nested,
    "operation": operation,
    "branches": branches,
    "frozen": frozen,
    "convolution": convolution,
}


def encoder(**activations):
    image = keras.Input(SHAPE)
    x = layers.Flatten()(image)
    heads = {n: layers.Dense(2, activations.get(n))(x) for n in ("z_mean", "z_log_var")}
    return keras.Model(image, heads)


@pytest.mark.parametrize("kind", SQUASHED)
def test_a_decoder_that_squashes(kind):
    decoder = SQUASHED[kind]()
    before = [ops.convert_to_numpy(w).copy() for w in decoder.weights]
    for likelihood in ("bernoulli", "gaussian", GaussianLikelihood(0.1)):
        with pytest.raises(UsageError, match=r"The decoder ends in an activation.*linear"):
            kd.VAE(encoder(), decoder, likelihood=likelihood)
    for weight, value in zip(decoder.weights, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(weight), value)


@pytest.mark.parametrize("kind", SQUASHED)
def test_it_may_where_the_likelihood_does_not(kind):
    likelihood = GaussianLikelihood(output="linear")
    assert kd.VAE(encoder(), SQUASHED[kind](), likelihood=likelihood).latent_dim == 2


LINEAR = {
    "dense": after_dense,
    "zeros": lambda: keras.Sequential(
        [keras.Input((2,)), layers.Dense(48, kernel_initializer="zeros"), layers.Reshape(SHAPE)]
    ),
    "hidden sigmoid": lambda: keras.Sequential(
        [keras.Input((2,)), layers.Dense(8, "sigmoid"), layers.Dense(48), layers.Reshape(SHAPE)]
    ),
    "normalised": lambda: after_dense(layers.BatchNormalization()),
    "rescaled": lambda: after_dense(layers.Rescaling(2, -1)),
    "wide tanh": lambda: after_dense(layers.Activation("tanh"), layers.Rescaling(10)),
    "dropout": lambda: after_dense(layers.Dropout(0.5)),
    "named linear": lambda: after_dense(activation="linear"),
    "nested": lambda: keras.Sequential([keras.Input((2,)), after_dense()]),
}


@pytest.mark.parametrize("kind", LINEAR)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_decoder_that_reaches_every_pixel(float32_policy, kind, policy):
    keras.config.set_dtype_policy(policy)
    assert kd.VAE(encoder(), LINEAR[kind]()).latent_dim == 2


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "softplus", "softmax", "relu6"])
@pytest.mark.parametrize("head", ["z_mean", "z_log_var"])
def test_an_encoder_on_one_side_of_the_prior(head, activation):
    with pytest.raises(UsageError, match=f"encoder's `{head}`.*on one side of zero.*linear"):
        kd.VAE(encoder(**{head: activation}), after_dense())


@pytest.mark.parametrize(
    "activations",
    [
        {"z_mean": "tanh"},
        {"z_log_var": "tanh"},
        {"z_log_var": lambda x: -ops.softplus(x)},
        {"z_mean": "linear", "z_log_var": "linear"},
    ],
)
def test_heads_that_are_a_choice(activations):
    assert kd.VAE(encoder(**activations), after_dense()).latent_dim == 2


def test_an_encoder_that_squashes_does_not_decide_by_its_weights():
    """A linear head whose bias starts far up is right all the same."""
    image = keras.Input(SHAPE)
    x = layers.Flatten()(image)
    far = {"kernel_initializer": "zeros", "bias_initializer": "ones"}
    heads = {n: layers.Dropout(0.1)(layers.Dense(2, **far)(x)) for n in ("z_mean", "z_log_var")}
    assert kd.VAE(keras.Model(image, heads), after_dense()).latent_dim == 2


def test_the_check_uses_no_seed_up():
    networks = [keras.utils.set_random_seed(0) or encoder() for _ in range(2)]
    drawn = []
    for network in networks:
        keras.utils.set_random_seed(1)
        kd.VAE(network, LINEAR["dropout"](), seed=0)
        drawn.append(np.asarray(layers.Dense(3).kernel_initializer.seed))
    assert drawn[0] == drawn[1]


def test_the_package_s_own_networks(monkeypatch):
    """They are known to be right without a pass through them."""
    from keras_devae.models import network_checks

    monkeypatch.setattr(network_checks, "_outputs_of_random_weights", None)
    shape = (32, 32, 1)
    kd.DeVAE(convolutional_encoder(shape, 2), convolutional_decoder(4, shape))
    kd.DEFT(mlp_encoder(shape, 2, (4,), groups=2), convolutional_decoder(2, shape), betas=(2, 1))
