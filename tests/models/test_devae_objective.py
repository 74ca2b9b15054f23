"""The objectives of VAE, BetaVAE and DeVAE against NumPy and against the released code."""

import keras
import numpy as np
import pytest
from keras import ops
from thoroughness import quick_first

from keras_devae import VAE, BetaVAE, DeVAE, DeVAEParallel
from keras_devae.errors import UsageError
from keras_devae.models import MODELS
from keras_devae.networks import mlp_decoder, mlp_encoder

pytestmark = pytest.mark.backends


def numpy_kl(mean, log_var):
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(-1)


def numpy_bernoulli(pixels, logits):
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    return -(pixels * np.log(p) + (1 - pixels) * np.log(1 - p)).sum((-3, -2, -1))


def value(scalar):
    return float(ops.convert_to_numpy(scalar))


def layer_losses(model, images):
    """(reconstruction, KL) of every layer at the posterior mean, by NumPy but for the networks."""
    pixels = images / 255.0
    posterior = model.encoder.predict(pixels.astype("float32"), verbose=0)
    mean, log_var = posterior["z_mean"].astype("float64"), posterior["z_log_var"].astype("float64")
    vectors = ops.convert_to_numpy(model.layer_embedding.vectors)
    scales = [ops.convert_to_numpy(w) for w in model.stack.trainable_variables]
    losses = []
    for layer in range(model.num_layers):
        s1, s2 = (w[:layer].sum(0, dtype="float64") for w in scales)
        mean_i, log_var_i = np.exp(s1) * mean, log_var + 2 * s2
        codes = np.concatenate([mean_i, np.tile(vectors[layer], (len(mean), 1))], axis=1)
        logits = model.decoder.predict(codes.astype("float32"), verbose=0)
        losses.append((numpy_bernoulli(pixels, logits).mean(), numpy_kl(mean_i, log_var_i).mean()))
    return np.array(losses)


@pytest.fixture
def spread(tiny):
    """Builds a DeVAE whose layers differ, and whose samples are the means."""

    def make(**options):
        model = tiny(betas=(1, 10, 40), **options)
        rng = np.random.default_rng(0)
        for weight in model.stack.trainable_variables:
            weight.assign(rng.normal(scale=0.5, size=weight.shape))
        model.sampling.call = lambda mean, log_var: mean
        return model

    return make


@pytest.mark.parametrize("case", [0, 1])
def test_summed_objective_of_the_released_code(oracle, case, monkeypatch):
    case = oracle("devae")["loss"][case]
    means, log_vars = np.float32(case["mus"]), np.float32(case["logvars"])
    # The released code has the channels first; here they come last.
    pixels = np.moveaxis(np.float32(case["x"]), 1, -1)
    logits = np.moveaxis(np.float32(case["logits"]), 2, -1)
    model = DeVAE(
        mlp_encoder(pixels.shape[1:], means.shape[-1], units=()),
        mlp_decoder(2 * means.shape[-1], pixels.shape[1:], units=()),
        betas=case["betas"],
        objective="summed",
        layer_weight_base=case["scale"],
    )
    # The case fixes what comes out of the encoder and of the decoder for every layer.
    layers = [ops.convert_to_tensor(values) for values in (means, log_vars)]
    monkeypatch.setattr(model.stack, "call", lambda mean, log_var, index: layers)
    monkeypatch.setattr(model, "_decode_layers", lambda inputs, training: logits)
    outputs = {"z_mean": layers[0][0], "z_log_var": layers[1][0]}
    terms = model.loss_terms(ops.convert_to_tensor(pixels), outputs, training=True)
    assert value(terms.total) == pytest.approx(case["loss"], rel=1e-5)
    np.testing.assert_allclose(
        ops.convert_to_numpy(terms.reconstruction), case["reconstruction"], rtol=1e-5
    )
    np.testing.assert_allclose(ops.convert_to_numpy(terms.kl).sum(-1), case["kl"], rtol=1e-5)
    assert ops.convert_to_numpy(terms.layers).tolist() == list(range(len(case["betas"])))


def test_sampled_objective_is_the_loss_of_the_drawn_layer(spread, blobs):
    model, images = spread(), blobs(8)
    expected = layer_losses(model, images)
    totals = expected @ [1, 0] + np.array([1, 10, 40]) * expected[:, 1]
    pixels = model.pixels(images)
    outputs = model(images, training=True)
    drawn = set()
    for _ in range(12):
        terms = model.loss_terms(pixels, outputs, training=True)
        (layer,) = ops.convert_to_numpy(terms.layers)
        assert value(terms.total) == pytest.approx(totals[layer], rel=1e-5)
        assert value(terms.reconstruction[0]) == pytest.approx(expected[layer, 0], rel=1e-5)
        assert value(ops.sum(terms.kl)) == pytest.approx(expected[layer, 1], rel=1e-5)
        drawn.add(int(layer))
    assert drawn == {0, 1, 2}


@pytest.mark.parametrize("weight_base", [1, 0.5, 0])
def test_summed_objective_weighs_every_layer(spread, blobs, weight_base):
    model, images = spread(objective="summed", layer_weight_base=weight_base), blobs(8)
    reconstruction, kl = layer_losses(model, images).T
    weights = np.array([1, weight_base, weight_base**2])
    expected = (weights * (reconstruction + np.array([1, 10, 40]) * kl)).sum()
    terms = model.loss_terms(model.pixels(images), model(images, training=True), training=True)
    assert value(terms.total) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weight_base", [1, 2, 0])
def test_validation_is_the_expectation_over_the_layers(spread, blobs, weight_base):
    model, images = spread(layer_weight_base=weight_base), blobs(10)
    reconstruction, kl = layer_losses(model, images).T
    weights = np.array([1.0, weight_base, weight_base**2])
    p = weights / weights.sum()
    first = model.evaluate(images, batch_size=4, verbose=0, return_dict=True)
    assert first["loss"] == pytest.approx(
        (p * (reconstruction + np.array([1, 10, 40]) * kl)).sum(), rel=1e-5
    )
    assert first["reconstruction_loss"] == pytest.approx((p * reconstruction).sum(), rel=1e-5)
    assert first["kl_loss"] == pytest.approx((p * kl).sum(), rel=1e-5)
    for layer in range(3):
        got = [first[f"{term}_loss_layer_{layer}"] for term in ("reconstruction", "kl")]
        np.testing.assert_allclose(got, [reconstruction[layer], kl[layer]], rtol=1e-5)
    assert model.evaluate(images, batch_size=4, verbose=0, return_dict=True) == first


@pytest.mark.parametrize(("method", "beta"), [("vae", 1), ("beta_vae", 6), ("beta_vae", 0.5)])
def test_beta_weighs_the_divergence(tiny, blobs, method, beta):
    model = tiny(method, **({"beta": beta} if method == "beta_vae" else {}))
    images = blobs(8)
    posterior = model.encoder.predict(images / np.float32(255), verbose=0)
    logits = model.decoder.predict(posterior["z_mean"], verbose=0)
    kl = numpy_kl(posterior["z_mean"], posterior["z_log_var"]).mean()
    reconstruction = numpy_bernoulli(images / 255.0, logits).mean()
    logs = model.evaluate(images, verbose=0, return_dict=True)
    assert logs["kl_loss"] == pytest.approx(kl, rel=1e-5)
    assert logs["reconstruction_loss"] == pytest.approx(reconstruction, rel=1e-5)
    assert logs["loss"] == pytest.approx(reconstruction + beta * kl, rel=1e-5)


#: They draw numbers, or views, for every row.
DRAWN_BY_ROW = ("byol", "info_gan")


@pytest.mark.parametrize(
    "method",
    quick_first(
        [method for method in MODELS if method not in DRAWN_BY_ROW],
        {"devae", "beta_tc_vae", "dip_vae"},
    ),
)
def test_duplicated_batches_and_tiled_images(tiny, blobs, method):
    model, images = tiny(method), blobs(6)
    if method in ("ica", "pca"):
        model.fit(images)
    once = model.evaluate(images, verbose=0, return_dict=True)
    twice = model.evaluate(np.tile(images, (2, 1, 1, 1)), verbose=0, return_dict=True)
    if method == "factor_vae":  # More rows are permuted otherwise.
        del once["discriminator_loss"], twice["discriminator_loss"]
    # Terms that are small differences of large ones need the absolute tolerance.
    assert twice == pytest.approx(once, rel=1e-5, abs=1e-5)
    if method in ("ica", "pca"):
        return  # They take no networks but their own.
    # An encoder and a decoder of two tiles, each of which sees and makes the same image.
    inputs = keras.Input((16, 8, 1))
    encoder = keras.Model(inputs, model.encoder(inputs[:, :8]))
    z = keras.Input(model.decoder.input_shape[1:])
    tile = model.decoder(z)
    decoder = keras.Model(z, keras.layers.Concatenate(axis=1)([tile, tile]))
    tiled = MODELS[method](encoder, decoder, seed=0)
    tiled.compile()
    got = tiled.evaluate(np.tile(images, (1, 2, 1, 1)), verbose=0, return_dict=True)
    if not method.startswith("devae"):  # The layers' vectors are new ones, and decoded differently.
        assert got["reconstruction_loss"] == pytest.approx(
            2 * once["reconstruction_loss"], rel=1e-5
        )
    if "kl_loss" in once:
        assert got["kl_loss"] == pytest.approx(once["kl_loss"], rel=1e-5)


def test_posterior_is_bounded(tiny, blobs):
    model = tiny("vae")
    model.encoder.get_layer("z_log_var").bias.assign(np.float32([1e4, -1e4, 0]))
    logs = model.evaluate(blobs(4), verbose=0, return_dict=True)
    assert np.isfinite(list(logs.values())).all()
    log_var = model.posterior(blobs(4))[1]
    np.testing.assert_array_equal(log_var[:, :2], [[20, -20]] * 4)


def test_gaussian_likelihood_by_object(tiny, blobs):
    from keras_devae.losses import GaussianLikelihood

    model, images = tiny("vae", likelihood=GaussianLikelihood(0.2, output="linear")), blobs(4)
    posterior = model.encoder.predict(images / np.float32(255), verbose=0)
    means = model.decoder.predict(posterior["z_mean"], verbose=0).astype("float64")
    density = 0.5 * ((images / 255 - means) / 0.2) ** 2 + np.log(0.2 * np.sqrt(2 * np.pi))
    logs = model.evaluate(images, verbose=0, return_dict=True)
    assert logs["reconstruction_loss"] == pytest.approx(density.sum() / 4, rel=1e-5)


@pytest.mark.parametrize(
    ("model_class", "options", "sentence"),
    [
        (BetaVAE, {"beta": -1}, "`beta` must be a finite number of at least 0. Received: -1"),
        (BetaVAE, {"beta": float("nan")}, "`beta` must be a finite number"),
        (DeVAE, {"betas": ()}, "`betas` must hold at least one number"),
        (DeVAE, {"betas": (1, -2)}, "`betas` must be a finite number of at least 0"),
        (DeVAE, {"betas": (1, float("inf"))}, "`betas` must be a finite number"),
        (DeVAE, {"layer_weight_base": -0.5}, "`layer_weight_base` must be a finite number"),
        (DeVAE, {"layer_vectors": 2}, "`layer_vectors` must be"),
        (DeVAE, {"scaling_learning_rate": 0}, "`scaling_learning_rate` must be"),
        (DeVAEParallel, {"scaling_learning_rate": 2}, "DeVAEParallel has no scalings"),
        (DeVAE, {"objective": "sumed"}, "Unknown objective 'sumed'. Did you mean 'summed'"),
        (VAE, {"likelihood": "gausian"}, "Unknown likelihood 'gausian'. Did you mean 'gaussian'"),
        (VAE, {"network": "convolution"}, "Unknown network 'convolution'. Did you mean 'conv"),
        (VAE, {"latent_dim": 0}, "`latent_dim` must be a whole number of at least 1"),
    ],
)
def test_options_out_of_range(model_class, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        model_class.for_images((32, 32, 1), **{"latent_dim": 2, **options})


@pytest.mark.parametrize("layer", [0, 1])
def test_without_layer_vectors_the_decoder_sees_codes_alone(tiny, blobs, layer):
    model = tiny(betas=(1, 2), layer_vectors=False)
    codes = model.encode(blobs(4), layer=layer)
    assert model.decoder.input_shape == (None, model.latent_dim)
    logits = model.decoder.predict(codes, verbose=0)
    expected = 1 / (1 + np.exp(-logits.astype("float64")))
    np.testing.assert_allclose(model.decode(codes, layer=layer), expected, atol=1e-6)
    assert not any("vectors" in weight.path for weight in model.weights)


def test_image_shape_of_two_numbers():
    with pytest.raises(UsageError, match=r"must be \(height, width, channels\)"):
        VAE.for_images((32, 32))


def test_one_layer_is_a_beta_vae_of_its_own(tiny, blobs):
    model = tiny(betas=(2.0,))
    logs = model.fit(blobs(8), verbose=0).history
    assert logs["loss"][0] == pytest.approx(
        logs["reconstruction_loss"][0] + 2 * logs["kl_loss"][0], rel=1e-5
    )
