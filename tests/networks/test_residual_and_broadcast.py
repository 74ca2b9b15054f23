import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_devae.errors import UsageError
from keras_devae.models import MODELS
from keras_devae.networks import broadcast_decoder, residual_decoder, residual_encoder
from keras_devae.networks.residual import repeated_pixels

pytestmark = pytest.mark.backends
TRAINED = [name for name in MODELS if name not in ("pca", "ica")]


def convolutions(network):
    kinds = (layers.Conv2D, layers.Conv2DTranspose)
    return [layer for layer in network.layers if isinstance(layer, kinds)]


@pytest.mark.parametrize(
    ("side", "stem", "widths"),
    [(64, 0, (32, 64, 128, 256, 256)), (512, 3, (32, 64, 128, 256, 256)), (16, 0, (32, 64, 128))],
)
def test_a_block_per_level_and_a_stem_above_64_pixels(side, stem, widths):
    encoder, decoder = residual_encoder((side, side, 3), 4), residual_decoder(4, (side, side, 3))
    projections = sum(a != b for a, b in itertools.pairwise(widths))
    for network in (encoder, decoder):
        assert [layer.filters for layer in convolutions(network)].count(32) >= stem + 2
        added = [layer for layer in network.layers if isinstance(layer, layers.Add)]
        assert len(added) == len(widths)
    # A projection wherever a level halves the image, even if it keeps the width.
    ones = [layer for layer in convolutions(encoder) if layer.kernel_size == (1, 1)]
    assert len(ones) == len(widths) - 1 >= projections
    assert len(convolutions(encoder)) == stem + 1 + 2 * len(widths) + len(ones)
    norms = [x for x in encoder.layers if isinstance(x, layers.GroupNormalization)]
    assert [norm.groups for norm in norms] == [8] * (2 * len(widths) + 1)


@pytest.mark.parametrize("factors", [(2, 2), (2, 1), (1, 3)])
def test_pixels_are_repeated_as_keras_does(factors):
    given = keras.Input((3, 4, 2))
    repeated = keras.Model(given, repeated_pixels(given, *factors))
    images = np.random.default_rng(0).random((2, 3, 4, 2), dtype=np.float32)
    got, expected = (
        ops.convert_to_numpy(f(images)) for f in (repeated, layers.UpSampling2D(factors))
    )
    np.testing.assert_array_equal(got, expected)


def test_the_code_of_an_image_depends_on_that_image_alone():
    encoder = residual_encoder((17, 20, 3), 4, seed=0)
    images = np.random.default_rng(0).random((5, 17, 20, 3), dtype=np.float32)
    together, alone = (
        ops.convert_to_numpy(encoder(batch, training=True)["z_mean"])[:1]
        for batch in (images, images[:1])
    )
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_a_block_by_hand():
    encoder = residual_encoder((16, 16, 1), 2, seed=0)
    first = next(layer for layer in encoder.layers if isinstance(layer, layers.Add))
    parts = keras.Model(encoder.input, [first.input[0], first.output])
    images = np.random.default_rng(0).random((2, 16, 16, 1), dtype=np.float32)
    x, got = map(ops.convert_to_numpy, parts(images))
    norms = [n for n in encoder.layers if isinstance(n, layers.GroupNormalization)][:2]
    kernels = convolutions(encoder)[1:3]
    y = x
    for norm, convolution in zip(norms, kernels, strict=True):
        gamma, beta = norm.get_weights()
        grouped = y.reshape(2, 256, 8, 4)
        centred = grouped - grouped.mean(axis=(1, 3), keepdims=True)
        scaled = centred / np.sqrt(grouped.var(axis=(1, 3), keepdims=True) + norm.epsilon)
        activated = np.maximum(scaled.reshape(x.shape) * gamma + beta, 0)
        kernel, bias = convolution.get_weights()
        padded = np.pad(activated, [(0, 0), (1, 1), (1, 1), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        y = np.einsum("bhwcij,ijco->bhwo", windows, kernel) + bias
    np.testing.assert_allclose(got, x + y, rtol=1e-3, atol=1e-4)


def test_broadcast_decoder_has_the_full_size_throughout():
    decoder = broadcast_decoder(10, (64, 48, 3))
    assert {layer.strides for layer in convolutions(decoder)} == {(1, 1)}
    assert [layer.filters for layer in convolutions(decoder)] == [64, 64, 3]
    assert {layer.output.shape[1:3] for layer in convolutions(decoder)} == {(64, 48)}
    channels = itertools.pairwise((12, 64, 64, 3))
    assert decoder.count_params() == sum(16 * a * b + b for a, b in channels)
    assert decoder.output.dtype == "float32"


def test_unsupported_image_sizes():
    for build in (
        lambda: residual_encoder((15, 48, 1), 2),
        lambda: residual_decoder(2, (64, 513, 1)),
    ):
        with pytest.raises(UsageError, match="16 to 512 pixels"):
            build()
    assert broadcast_decoder(2, (5, 7, 1)).output_shape == (None, 5, 7, 1)


@pytest.mark.parametrize("decoder", [None, "broadcast"])
@pytest.mark.thorough
@pytest.mark.parametrize("method", TRAINED)
def test_every_model_takes_them(to_fit, method, decoder):
    if decoder is not None and not MODELS[method].declaration.decodes:
        pytest.skip("there is no decoder")
    model = MODELS[method].for_images(
        (17, 20, 1), latent_dim=4, network="residual", decoder=decoder, seed=0
    )
    model.compile("adam")
    images = np.random.default_rng(0).random((4, 17, 20, 1), dtype=np.float32)
    assert np.isfinite(model.fit(to_fit(method, images), verbose=0).history["loss"]).all()
    if model.decoder is not None:
        assert model.reconstruct(images).shape == images.shape


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_broadcast_decoder_returns_float32_under_mixed_precision(policy, float32_policy):
    keras.config.set_dtype_policy(policy)
    decoder = broadcast_decoder(2, (8, 8, 1))
    assert decoder.output.dtype == "float32"
    assert {c.compute_dtype for c in convolutions(decoder)} == {policy.removeprefix("mixed_")}


@pytest.mark.parametrize("method", ["pca", "ica"])
def test_linear_models_have_their_own(method):
    with pytest.raises(UsageError, match="is linear and has a decoder of its own"):
        MODELS[method].for_images((8, 8, 1), decoder="broadcast")
    with pytest.raises(UsageError, match="is linear"):
        MODELS[method].for_images((8, 8, 1), network="residual")


def test_unknown_decoder():
    with pytest.raises(UsageError, match="broadcast"):
        MODELS["vae"].for_images((16, 16, 1), decoder="broad")
