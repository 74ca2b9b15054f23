import itertools

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_devae.errors import UsageError
from keras_devae.networks import (
    NETWORKS,
    convolutional_decoder,
    convolutional_encoder,
    mlp_decoder,
    mlp_encoder,
)

pytestmark = pytest.mark.backends


def outline(network):
    """(kind, width) of every layer with weights."""
    return [
        (type(layer).__name__, getattr(layer, "filters", getattr(layer, "units", None)))
        for layer in network.layers
        if layer.weights
    ]


def test_published_encoder():
    encoder = convolutional_encoder((64, 64, 3), 10)
    widths = (32, 32, 64, 64, 256)
    assert outline(encoder)[:5] == [("Conv2D", width) for width in widths]
    assert outline(encoder)[5:] == [("Dense", 10)] * 2
    convolutions = [layer for layer in encoder.layers if isinstance(layer, layers.Conv2D)]
    assert {layer.kernel_size for layer in convolutions} == {(4, 4)}
    assert [layer.strides for layer in convolutions] == [(2, 2)] * 4 + [(1, 1)]
    assert {layer.activation.__name__ for layer in convolutions} == {"relu"}
    # 4x4 kernels and biases, then 256 features of one place into two heads of 10.
    channels = (3, *widths)
    pairs = itertools.pairwise(channels)
    expected = sum(16 * a * b + b for a, b in pairs) + 2 * (256 * 10 + 10)
    assert encoder.count_params() == expected


def test_published_decoder():
    decoder = convolutional_decoder(20, (64, 64, 3))
    widths = (64, 64, 32, 32, 3)
    expected = [("Dense", 256)] + [("Conv2DTranspose", width) for width in widths]
    assert outline(decoder) == expected
    channels = (256, *widths)
    pairs = itertools.pairwise(channels)
    assert decoder.count_params() == 20 * 256 + 256 + sum(16 * a * b + b for a, b in pairs)
    # Logits: the last convolution is linear.
    convolutions = [layer for layer in decoder.layers if isinstance(layer, layers.Conv2DTranspose)]
    assert [layer.activation.__name__ for layer in convolutions] == ["relu"] * 4 + ["linear"]


@pytest.mark.parametrize("size", [32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_convolutional_shapes(size, channels):
    shape = (size, size, channels)
    encoder, decoder = convolutional_encoder(shape, 4), convolutional_decoder(8, shape)
    assert encoder.input_shape == decoder.output_shape == (None, *shape)
    assert {name: output.shape for name, output in encoder.output.items()} == {
        "z_mean": (None, 4),
        "z_log_var": (None, 4),
    }
    assert decoder.input_shape == (None, 8)


def test_convolutional_pair_computes():
    posterior = convolutional_encoder((32, 32, 1), 3)(np.ones((2, 32, 32, 1), "float32"))
    assert {name: tuple(value.shape) for name, value in posterior.items()} == {
        "z_mean": (2, 3),
        "z_log_var": (2, 3),
    }
    logits = convolutional_decoder(3, (32, 32, 1))(posterior["z_mean"])
    assert tuple(logits.shape) == (2, 32, 32, 1)
    assert np.isfinite(ops.convert_to_numpy(logits)).all()


def test_mlp_pair():
    encoder = mlp_encoder((5, 7, 2), 3, units=(11, 6))
    decoder = mlp_decoder(3, (5, 7, 2), units=(6, 11))
    assert outline(encoder) == [("Dense", 11), ("Dense", 6), ("Dense", 3), ("Dense", 3)]
    assert outline(decoder) == [("Dense", 6), ("Dense", 11), ("Dense", 70)]
    assert decoder.output_shape == (None, 5, 7, 2)
    assert outline(mlp_encoder((5, 7, 2), 3))[:2] == [("Dense", 1200)] * 2


@pytest.mark.parametrize("name", NETWORKS)
def test_initial_weights_follow_the_seed(name):
    make_encoder, make_decoder = NETWORKS[name]

    def weights(seed):
        networks = (
            make_encoder((32, 32, 1), 2, seed=seed),
            make_decoder(2, (32, 32, 1), seed=seed),
        )
        return [w for network in networks for w in network.get_weights() if w.ndim > 1]

    first, again, other = weights(1), weights(1), weights(2)
    assert all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first, other))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_heads_and_logits_are_float32_under_mixed_precision(name, policy, float32_policy):
    keras.config.set_dtype_policy(policy)
    make_encoder, make_decoder = NETWORKS[name]
    encoder, decoder = make_encoder((32, 32, 1), 2), make_decoder(2, (32, 32, 1))
    assert {output.dtype for output in (*encoder.output.values(), decoder.output)} == {"float32"}
    heads = [encoder.get_layer(head) for head in ("z_mean", "z_log_var")]
    assert {head.compute_dtype for head in heads} == {"float32"}
    hidden = [layer for layer in encoder.layers if layer.weights and layer not in heads]
    assert {layer.compute_dtype for layer in hidden} == {policy.removeprefix("mixed_")}


@pytest.mark.parametrize("shape", [(48, 48, 1), (64, 32, 1), (16, 16, 3)])
def test_unsupported_image_sizes(shape):
    for build in (
        lambda: convolutional_encoder(shape, 2),
        lambda: convolutional_decoder(2, shape),
    ):
        with pytest.raises(UsageError, match=f"32, 64 or 128 pixels.*{shape[0]}x{shape[1]}"):
            build()


def test_no_latents():
    with pytest.raises(UsageError, match="`latent_dim` must be a whole number of at least 1"):
        mlp_encoder((8, 8, 1), 0)
