"""Functions of users that build the networks."""

import keras
import pytest
from keras import layers

from keras_devae import VAE
from keras_devae.errors import UsageError
from keras_devae.models import MODELS
from keras_devae.networks import mlp_decoder, mlp_encoder

pytestmark = pytest.mark.backends
SHAPE = (6, 5, 2)


def pair(
    image_shape,
    latent_dim,
    decoder_input_dim,
    num_categories,
    groups,
    seed,
    layer_dims=None,
    flow_parameters=None,
):
    """Takes all the arguments that there are."""
    options = {"units": (4,), "seed": seed}
    of_heads = {
        "num_categories": num_categories,
        "groups": groups,
        "layer_dims": layer_dims,
        "flow_parameters": flow_parameters,
    }
    encoder = mlp_encoder(image_shape, latent_dim, **of_heads, **options)
    return encoder, mlp_decoder(decoder_input_dim, image_shape, **options)


@pytest.mark.parametrize("method", [name for name in MODELS if name not in ("pca", "ica")])
def test_a_function_serves_every_model(method):
    model = MODELS[method].for_images(SHAPE, latent_dim=4, network=pair, seed=1)
    again = MODELS[method].for_images(
        SHAPE, latent_dim=4, network="mlp", network_units=(4,), seed=1
    )
    assert model.latent_dim == 4
    # InfoGAN normalises the hidden layers of a generator built by name.
    parts = [each.encoder if method == "info_gan" else each for each in (model, again)]
    shapes = [[w.shape for w in each.get_weights()] for each in parts]
    assert shapes[0] == shapes[1]


def test_only_named_arguments_are_passed():
    passed = {}

    def some(image_shape, latent_dim, extra=5, *, seed):
        passed.update(locals())
        return pair(image_shape, latent_dim, latent_dim, 0, 1, seed)

    def all_of_them(**arguments):
        passed.update(arguments)
        return pair(**arguments)

    VAE.for_images(SHAPE, 3, network=some, seed=7)
    assert {n: passed[n] for n in ("image_shape", "latent_dim", "extra", "seed")} == {
        "image_shape": SHAPE,
        "latent_dim": 3,
        "extra": 5,
        "seed": 7,
    }
    passed.clear()
    VAE.for_images(SHAPE, 3, network=all_of_them)
    assert passed == {
        "image_shape": SHAPE,
        "latent_dim": 3,
        "decoder_input_dim": 3,
        "seed": None,
        "num_categories": 0,
        "groups": 1,
    }


def test_an_encoder_alone_goes_with_the_broadcast_decoder():
    def encoder(image_shape, latent_dim):
        return mlp_encoder(image_shape, latent_dim, units=(4,))

    model = VAE.for_images(SHAPE, 3, network=encoder, decoder="broadcast")
    assert model.decoder.output_shape == (None, *SHAPE)
    with pytest.raises(UsageError, match="must return two Keras models"):
        VAE.for_images(SHAPE, 3, network=encoder)


@keras.saving.register_keras_serializable(package="test")
class Forgetful(layers.Layer):
    """Its configuration lacks the factor."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return self.factor * x

    def get_config(self):
        return {"name": self.name}


@keras.saving.register_keras_serializable(package="test")
class Unbuildable(Forgetful):
    """Its configuration lacks an argument without default."""

    def __init__(self, factor, **kwargs):
        super().__init__(factor, **kwargs)


def with_layer(layer):
    def build(image_shape, latent_dim, decoder_input_dim):
        _, decoder = pair(image_shape, latent_dim, decoder_input_dim, 0, 1, 0)
        images = keras.Input(image_shape)
        x = layer(layers.Flatten()(images))
        heads = {name: layers.Dense(latent_dim)(x) for name in ("z_mean", "z_log_var")}
        return keras.Model(images, heads), decoder

    return build


def failing(image_shape):
    raise ZeroDivisionError("by hand")


def other(**changes):
    return lambda **arguments: pair(**{**arguments, **changes})


class Unregistered(layers.Layer):
    def call(self, x):
        return 2 * x


WRONG = {
    "fails": (failing, "The network failing failed: ZeroDivisionError: by hand."),
    "needs": (lambda image_shape, depth: None, "needs the argument 'depth'"),
    "by place": (lambda image_shape, /: None, "needs the argument 'image_shape'"),
    "nothing": (lambda image_shape: None, "must return two Keras models"),
    "three": (lambda **given: (*pair(**given), 1), "must return two Keras models"),
    "arrays": (lambda **given: (1, 2), "must return two Keras models"),
    "latents": (other(latent_dim=5), "whose `z_mean` has `latent_dim` numbers, 3. Received: 5"),
    "images": (other(image_shape=(6, 6, 2)), r"of images of `image_shape`, \(6, 5, 2\)"),
    "width": (other(decoder_input_dim=4), "The decoder must be .* of 3 numbers"),
    "lambda": (with_layer(layers.Lambda(lambda x: x + 1)), "encoder of .* cannot be saved and"),
    "argument": (with_layer(Unbuildable(3.0)), "cannot be saved and loaded .*`get_config`"),
    "class": (with_layer(Unregistered()), "Could not locate class 'Unregistered'.*Register each"),
    "forgotten": (with_layer(Forgetful(3.0)), "with the same weights, it computes something else"),
    "one model": (lambda **given: pair(**given)[0], "two Keras models"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras's own, about the layer.
def test_wrong_functions_are_refused_in_one_sentence(case):
    function, message = WRONG[case]
    with pytest.raises(UsageError, match=message):
        VAE.for_images(SHAPE, 3, network=function)


def test_layers_that_keep_their_arguments_pass():
    model = VAE.for_images(SHAPE, 3, network=with_layer(Forgetful()))
    assert model.latent_dim == 3
