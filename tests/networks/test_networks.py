import itertools

import keras
import numpy as np
import pytest
from image_shapes import SHAPES
from keras import layers, ops
from thoroughness import quick_first

from keras_devae import VAE
from keras_devae.errors import UsageError
from keras_devae.networks import (
    NETWORKS,
    convolutional_decoder,
    convolutional_encoder,
    discriminator,
    linear_decoder,
    linear_encoder,
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
    assert outline(encoder)[:5] == [("Convolution", width) for width in widths]
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
    expected = [("Dense", 256)] + [("TransposedConvolution", width) for width in widths]
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


def test_convolutional_widths():
    shape, units = (64, 64, 3), (6, 8, 10, 12, 14)
    encoder = convolutional_encoder(shape, 4, units=units)
    found = [x.filters for x in encoder.layers if isinstance(x, layers.Conv2D)]
    assert found == [6, 8, 10, 12, 14]
    decoder = convolutional_decoder(8, shape, units=units)
    assert [x.units for x in decoder.layers if isinstance(x, layers.Dense)] == [14]
    found = [x.filters for x in decoder.layers if isinstance(x, layers.Conv2DTranspose)]
    assert found == [12, 10, 8, 6, 3]
    published = (32, 32, 64, 64, 256)
    for build, first in ((convolutional_encoder, (shape, 4)), (convolutional_decoder, (8, shape))):
        shapes = [[w.shape for w in build(*first, units=u).weights] for u in (None, published)]
        assert shapes[0] == shapes[1]
    with pytest.raises(UsageError, match=r"`network_units` are 5 numbers.*Received: \[8, 8\]"):
        convolutional_encoder(shape, 4, units=(8, 8))


FEW = ((17, 23, 16), (100, 60, 2))


def kinds():
    """Every shape with every network and decoder; all but a few take long."""
    for shape in SHAPES:
        for options in ({}, {"network": "residual"}, {"network": "mlp", "decoder": "broadcast"}):
            quick = (shape in FEW and not options) or shape == (17, 23, 16)
            marks = () if quick else pytest.mark.thorough
            yield pytest.param(shape, options, marks=marks, id=f"{shape}-{[*options.values()]}")


@pytest.mark.parametrize(("shape", "options"), list(kinds()))
def test_any_size_trains_and_is_saved(shape, options, tmp_path):
    images = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    units = {"network_units": (8,)} if "decoder" in options else {}
    model = VAE.for_images(shape, 3, likelihood="gaussian", seed=0, **options, **units)
    if not options:
        assert model.encoder.layers[-3].output.shape[-1] == 256  # Flattened: one place is left.
    model.compile("adam")
    before = [w for w in model.get_weights() if w.ndim > 1]
    losses = model.fit(images, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    after = [w for w in model.get_weights() if w.ndim > 1]
    assert not any(map(np.array_equal, before, after))
    assert model.reconstruct(images).shape == images.shape
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.reconstruct(images), model.reconstruct(images), atol=1e-5)


def test_every_pixel_is_read_and_drawn():
    encoder, decoder = convolutional_encoder((17, 38, 1), 2), convolutional_decoder(2, (17, 38, 1))
    for network in (encoder, decoder):
        # Positive weights let nothing vanish in a ReLU.
        network.set_weights([np.full(w.shape, 0.01, "float32") for w in network.get_weights()])
    pixels = np.eye(17 * 38, dtype="float32").reshape(-1, 17, 38, 1)
    means = ops.convert_to_numpy(encoder(pixels)["z_mean"])
    nothing = ops.convert_to_numpy(encoder(np.zeros_like(pixels[:1]))["z_mean"])
    assert (means > nothing).all()
    drawn = ops.convert_to_numpy(decoder(np.array([[0, 0], [9, 9]], "float32")))
    assert (drawn[1] > drawn[0]).all()


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
    grouped = make_encoder((32, 32, 1), 2, groups=2)
    outputs = *encoder.output.values(), *grouped.output.values(), decoder.output
    assert {output.dtype for output in outputs} == {"float32"}
    heads = [encoder.get_layer(head) for head in ("z_mean", "z_log_var")]
    assert {head.compute_dtype for head in heads} == {"float32"}
    hidden = [layer for layer in encoder.layers if layer.weights and layer not in heads]
    assert {layer.compute_dtype for layer in hidden} == {policy.removeprefix("mixed_")}


@pytest.mark.parametrize("shape", [(15, 48, 1), (64, 513, 1), (8, 8, 3)])
def test_unsupported_image_sizes(shape):
    for build in (
        lambda: convolutional_encoder(shape, 2),
        lambda: convolutional_decoder(2, shape),
    ):
        with pytest.raises(UsageError, match=f"16 to 512 pixels.*{shape[0]}x{shape[1]}"):
            build()


def test_no_latents():
    with pytest.raises(UsageError, match="`latent_dim` must be a whole number of at least 1"):
        mlp_encoder((8, 8, 1), 0)


@pytest.mark.parametrize(("latent_dim", "sizes"), [(10, [3, 3, 2, 2]), (5, [2, 1, 1, 1])])
def test_published_grouped_encoder(latent_dim, sizes):
    encoder = convolutional_encoder((64, 64, 1), latent_dim, groups=4)
    # Four encoders of a quarter of the published channels, then two heads for each.
    widths = (8, 8, 16, 16, 64)
    for width, count in ((8, 8), (16, 8), (64, 4)):
        assert outline(encoder).count(("Convolution", width)) == count
    channels = itertools.pairwise((1, *widths))
    one = sum(16 * a * b + b for a, b in channels)
    assert encoder.count_params() == 4 * one + 2 * (64 * latent_dim + latent_dim)
    heads = [encoder.get_layer(f"z_mean_{i}").units for i in range(4)]
    assert heads == sizes == [encoder.get_layer(f"z_log_var_{i}").units for i in range(4)]
    assert {name: output.shape for name, output in encoder.output.items()} == {
        "z_mean": (None, latent_dim),
        "z_log_var": (None, latent_dim),
    }


@pytest.mark.parametrize("name", quick_first(NETWORKS, ["convolutional", "mlp"]))
def test_groups_share_nothing_but_the_images(name):
    options = {"units": (12, 8)} if name == "mlp" else {}
    encoder = NETWORKS[name][0]((32, 32, 1), 5, groups=3, seed=0, **options)
    images = np.random.default_rng(0).random((2, 32, 32, 1), dtype=np.float32)

    def codes():
        return np.concatenate([ops.convert_to_numpy(v) for v in encoder(images).values()], axis=1)

    # Of means and of log-variances: the dimensions 0 and 1, 2 and 3, 4.
    groups = [[0, 1, 5, 6], [2, 3, 7, 8], [4, 9]]
    reached = [set() for _ in groups]
    for layer in (layer for layer in encoder.layers if layer.weights):
        before, weights = codes(), layer.get_weights()
        layer.set_weights([weight + 0.1 for weight in weights])
        moved = set(np.flatnonzero((codes() != before).any(axis=0)))
        layer.set_weights(weights)
        (group,) = (i for i, columns in enumerate(groups) if moved & set(columns))
        assert moved <= set(groups[group])
        reached[group] |= moved
    assert reached == [set(columns) for columns in groups]


@pytest.mark.parametrize("name", NETWORKS)
def test_head_of_the_category(name):
    make = NETWORKS[name][0]
    for groups in (1, 2):
        encoder = make((32, 32, 1), 3, num_categories=4, groups=groups)
        assert {key: output.shape for key, output in encoder.output.items()} == {
            "z_mean": (None, 3),
            "z_log_var": (None, 3),
            "category_logits": (None, 4),
        }
        assert {output.dtype for output in encoder.output.values()} == {"float32"}
    assert "category_logits" not in make((32, 32, 1), 3).output


def test_groups_out_of_range():
    with pytest.raises(UsageError, match="`groups` must be a whole number of at least 1"):
        mlp_encoder((8, 8, 1), 2, groups=0)
    # More groups than dimensions: one for each, and no empty ones.
    assert outline(mlp_encoder((8, 8, 1), 2, units=(12,), groups=5)) == [
        *[("Dense", 6)] * 2,
        *[("Dense", 1)] * 4,
    ]


def test_published_discriminator():
    network = discriminator(10)
    assert outline(network) == [("Dense", 1000)] * 6 + [("Dense", 2)]
    activations = [layer for layer in network.layers if isinstance(layer, layers.LeakyReLU)]
    assert [layer.negative_slope for layer in activations] == [0.2] * 6
    assert network.count_params() == 11 * 1000 + 5 * 1001 * 1000 + 1001 * 2
    assert network.output.dtype == "float32"


def test_discriminator_computes_by_hand():
    network = discriminator(3, units=(4, 5), seed=0)
    x = z = np.random.default_rng(0).normal(size=(6, 3)).astype("float32")
    *hidden, last = [layer.get_weights() for layer in network.layers if layer.weights]
    for kernel, bias in hidden:
        x = x @ kernel + bias
        x = np.where(x > 0, x, 0.2 * x)
    logits = ops.convert_to_numpy(network(z))
    np.testing.assert_allclose(logits, x @ last[0] + last[1], rtol=1e-4, atol=1e-6)
    for seed, same in ((0, True), (1, False)):
        other = ops.convert_to_numpy(discriminator(3, units=(4, 5), seed=seed)(z))
        assert np.array_equal(other, logits) == same


def test_linear_pair():
    encoder, decoder = linear_encoder((2, 3, 1), 2), linear_decoder(2, (2, 3, 1))
    rng = np.random.default_rng(0)
    mean_map, log_var_map, pixels_map = rng.normal(size=(3, 6, 2)).astype("float32")
    images = rng.normal(size=(4, 2, 3, 1)).astype("float32")
    # Zero until they are set.
    for output in (*encoder(images).values(), decoder(np.ones((1, 2), "float32"))):
        assert not ops.convert_to_numpy(output).any()
    encoder.get_layer("z_mean").set_weights([mean_map, np.ones(2)])
    encoder.get_layer("z_log_var").set_weights([log_var_map, np.full(2, -1.0)])
    decoder.set_weights([pixels_map.T, np.arange(6.0)])
    outputs = {k: ops.convert_to_numpy(v) for k, v in encoder(images).items()}
    flat = images.reshape(4, 6)
    np.testing.assert_allclose(outputs["z_mean"], flat @ mean_map + 1, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs["z_log_var"], flat @ log_var_map - 1, rtol=1e-4, atol=1e-5)
    decoded = ops.convert_to_numpy(decoder(outputs["z_mean"]))
    assert decoded.shape == (4, 2, 3, 1)
    np.testing.assert_allclose(
        decoded.reshape(4, 6), outputs["z_mean"] @ pixels_map.T + np.arange(6), rtol=1e-4, atol=1e-5
    )
    with pytest.raises(UsageError, match="`latent_dim` must be a whole number of at least 1"):
        linear_encoder((2, 3, 1), 0)
