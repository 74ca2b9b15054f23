"""Encoders and decoders that users bring."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_devae import VAE, DeVAE
from keras_devae.errors import UsageError
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.networks import mlp_decoder

pytestmark = pytest.mark.backends


def encoder_of(outputs, image_shape=(4, 4, 1)):
    inputs = keras.Input(image_shape)
    return keras.Model(inputs, outputs(layers.Flatten()(inputs)))


def good_encoder(method="vae"):
    """For two latent dimensions, of whatever else the model needs, too."""
    widths = MODELS[method].encoder_options(2)

    def outputs(x):
        # PCA and ICA set the weights of the heads, which they find by name.
        heads = {
            name: layers.Dense(widths["latent_dim"], name=name)(x)
            for name in ("z_mean", "z_log_var")
        }
        if "num_categories" in widths:
            heads["category_logits"] = layers.Dense(widths["num_categories"])(x)
        if "flow_parameters" in widths:
            heads["flow_parameters"] = layers.Dense(widths["flow_parameters"])(x)
        return heads

    return encoder_of(outputs)


def decoder_of(width, image_shape=(4, 4, 1)):
    z = keras.Input((width,))
    size = int(np.prod(image_shape))
    return keras.Model(z, layers.Reshape(image_shape)(layers.Dense(size, name="pixels")(z)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, images):
        x = self.dense(layers.Flatten()(images))
        return {"z_mean": x, "z_log_var": x}


def called_subclass():
    model = Subclassed()
    model(np.zeros((1, 4, 4, 1), "float32"))
    return model


WRONG_ENCODERS = {
    "list": lambda: encoder_of(lambda x: [layers.Dense(2)(x), layers.Dense(2)(x)]),
    "tensor": lambda: keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten()]),
    "other names": lambda: encoder_of(lambda x: {"mean": layers.Dense(2)(x)}),
    "different widths": lambda: encoder_of(
        lambda x: {"z_mean": layers.Dense(2)(x), "z_log_var": layers.Dense(3)(x)}
    ),
    "not flattened": lambda: encoder_of(
        lambda x: dict.fromkeys(("z_mean", "z_log_var"), layers.Reshape((8, 2))(x))
    ),
    "subclass": Subclassed,
    "subclass called": called_subclass,
    "function": lambda: lambda images: images,
    "None": lambda: None,
    "vectors": lambda: encoder_of(
        lambda x: {"z_mean": layers.Dense(2)(x), "z_log_var": layers.Dense(2)(x)}, (16,)
    ),
}


@pytest.mark.parametrize("method", MODELS)
@pytest.mark.parametrize("kind", WRONG_ENCODERS)
def test_encoder_of_a_wrong_structure(method, kind):
    if kind == "different widths" and MODEL_CATALOGUE[method].posterior == "none":
        pytest.skip("there are no log-variances")
    with pytest.raises(UsageError, match="The encoder must be a functional"):
        MODELS[method](WRONG_ENCODERS[kind](), decoder_of(2))


WIDTHS = {
    **dict.fromkeys(MODELS, 2),
    **dict.fromkeys(("devae", "devae_linear", "devae_parallel"), 4),
    **dict.fromkeys(("cascade_vae", "joint_vae"), 5),
    "info_gan": 7,
    "ladder_vae": 1,
}


@pytest.mark.parametrize("method", [m for m in MODELS if MODEL_CATALOGUE[m].decodes])
def test_decoder_of_a_wrong_width(method):
    sentence = f"of {WIDTHS[method]} numbers for 2 latent .*None, 3"
    with pytest.raises(UsageError, match=sentence):
        MODELS[method](good_encoder(method), decoder_of(3))


def test_encoder_without_further_outputs():
    with pytest.raises(UsageError, match=r"must also return `category_logits` \(batch, 3\)"):
        MODELS["joint_vae"](good_encoder("vae"), decoder_of(5))
    with pytest.raises(UsageError, match=r"must also return `flow_parameters` \(batch, 10\)"):
        MODELS["flow_vae"](good_encoder("vae"), decoder_of(2))


def test_encoder_of_no_multiple_of_the_layers():
    with pytest.raises(UsageError, match=r"of a multiple of 3 numbers.*Received: 2"):
        MODELS["devae_parallel"](good_encoder("vae"), decoder_of(4))


@pytest.mark.parametrize("shape", [(4, 4, 3), (8, 8, 1)])
def test_decoder_of_a_wrong_image_shape(shape):
    with pytest.raises(UsageError, match="The decoder must return the encoder's images"):
        DeVAE(good_encoder(), decoder_of(4, shape))


@pytest.mark.parametrize(
    "decoder",
    [
        lambda: None,
        lambda: lambda z: z,
        lambda: keras.Sequential([layers.Dense(16)]),
        lambda: keras.Model((a := keras.Input((2,)), b := keras.Input((2,))), a + b),
    ],
)
def test_decoder_that_is_no_functional_model(decoder):
    with pytest.raises(UsageError, match="The decoder must"):
        DeVAE(good_encoder(), decoder())


@pytest.mark.parametrize(
    "method",
    ["cascade_vae", "deft", "devae", "devae_parallel", "factor_vae", "joint_vae", "pca", "vae"],
)
def test_own_networks_train_and_reload(method, blobs, tmp_path):
    images = blobs(8, (4, 4, 1))
    options = {"discriminator_units": (8,)} if method == "factor_vae" else {}
    model = MODELS[method](good_encoder(method), decoder_of(WIDTHS[method]), seed=0, **options)
    model.compile("sgd")
    assert model.latent_dim == 2 and model.image_shape == (4, 4, 1)
    model.fit(images, verbose=0)
    model.save(tmp_path / "own.keras")
    loaded = keras.models.load_model(tmp_path / "own.keras")
    np.testing.assert_allclose(loaded.encode(images), model.encode(images), atol=1e-6)


def test_sequential_decoder(blobs):
    decoder = keras.Sequential([keras.Input((4,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    model = DeVAE(good_encoder(), decoder, seed=0)
    assert model.reconstruct(blobs(3, (4, 4, 1))).shape == (3, 4, 4, 1)


def test_regularisers_of_the_networks_count_in():
    images = np.random.default_rng(0).random((8, 8, 8, 1), dtype=np.float32)

    def loss(strength):
        inputs = keras.Input((8, 8, 1))
        features = keras.layers.Flatten()(inputs)
        heads = {
            name: keras.layers.Dense(
                2, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(strength)
            )(features)
            for name in ("z_mean", "z_log_var")
        }
        decoder = mlp_decoder(2, (8, 8, 1), units=(4,), seed=0)
        model = VAE(keras.Model(inputs, heads), decoder, seed=0)
        model.compile("sgd")
        return model.evaluate(images, verbose=0, return_dict=True)["loss"]

    # Two kernels of 64 x 2 ones.
    np.testing.assert_allclose(loss(0.5) - loss(0.0), 0.5 * 2 * 128, rtol=1e-4)
