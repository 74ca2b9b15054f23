"""What DeVAE is compared with: arbitrary linear maps, and independent or single latent spaces."""

import numpy as np
import pytest
from keras import ops

from keras_devae import DeVAEParallel, DeVAESingle
from keras_devae.errors import UsageError
from keras_devae.networks import mlp_decoder, mlp_encoder

pytestmark = pytest.mark.backends

BETAS = (1.0, 10.0, 40.0)


def pixels_of(model, mean, layer):
    """Pixel means of codes of a layer, by the decoder and NumPy."""
    vector = ops.convert_to_numpy(model.layer_embedding.vectors)[layer]
    inputs = np.concatenate([mean, np.tile(vector, (len(mean), 1))], axis=1)
    return 1 / (1 + np.exp(-model.decoder.predict(inputs.astype("float32"), verbose=0)))


def encoded(model, images):
    outputs = model.encoder.predict(images / np.float32(255), verbose=0)
    return outputs["z_mean"], outputs["z_log_var"]


def expected_loss(model, images, means, log_vars):
    """The expectation over the layers, from the posteriors of all of them."""
    pixels, losses = images / 255.0, []
    for layer, (mean, log_var) in enumerate(zip(means, log_vars, strict=True)):
        p = pixels_of(model, mean, layer).astype("float64")
        likelihood = (pixels * np.log(p) + (1 - pixels) * np.log(1 - p)).sum((1, 2, 3))
        kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(1)
        losses.append((-likelihood + BETAS[layer] * kl).mean())
    return np.mean(losses)


# Arbitrary linear maps.


def test_linear_maps_start_as_devae(tiny, blobs):
    images = blobs(12)
    linear, devae = (
        tiny(method, betas=BETAS, objective="summed") for method in ("devae_linear", "devae")
    )
    np.testing.assert_array_equal(
        linear.encode(images, layer=None), devae.encode(images, layer=None)
    )
    evaluations = [m.evaluate(images, verbose=0, return_dict=True) for m in (linear, devae)]
    assert evaluations[0] == pytest.approx(evaluations[1], rel=1e-5)
    # The first step draws the same noise.
    histories = [m.fit(images, shuffle=False, verbose=0).history for m in (linear, devae)]
    for name, values in histories[1].items():
        assert histories[0][name] == pytest.approx(values, rel=1e-5), name


def test_linear_maps_mix_dimensions(tiny, blobs):
    model, images = tiny("devae_linear", betas=BETAS), blobs(9)
    rng = np.random.default_rng(0)
    weights = {}
    for name in ("mean_maps", "log_var_maps", "log_var_biases"):
        weights[name] = [rng.normal(scale=0.5, size=w.shape) for w in getattr(model.stack, name)]
        for variable, value in zip(getattr(model.stack, name), weights[name], strict=True):
            variable.assign(value)
    mean, log_var = encoded(model, images)
    means, log_vars = [mean], [log_var]
    for mean_map, log_var_map, bias in zip(*weights.values(), strict=True):
        means.append(means[-1] @ mean_map)
        log_vars.append(log_vars[-1] @ log_var_map + bias)
    for layer in range(3):
        np.testing.assert_allclose(
            model.encode(images, layer=layer), means[layer], rtol=1e-4, atol=1e-5
        )
    got_means, got_log_vars = model.posterior(images, layer=None)
    assert got_means.shape == (3, 9, 3)
    np.testing.assert_allclose(got_log_vars, log_vars, rtol=1e-4, atol=1e-5)
    for layer in range(3):
        np.testing.assert_allclose(
            model.reconstruct(images, layer=layer),
            pixels_of(model, means[layer], layer),
            rtol=1e-4,
            atol=1e-5,
        )
    loss = model.evaluate(images, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(expected_loss(model, images, means, log_vars), rel=1e-5)


def test_training_leaves_the_diagonal(tiny, blobs):
    model = tiny("devae_linear", betas=BETAS, objective="summed")
    model.fit(blobs(16), batch_size=4, verbose=0)
    for maps in (*model.stack.mean_maps, *model.stack.log_var_maps):
        values = ops.convert_to_numpy(maps)
        assert np.abs(values - np.diag(np.diag(values))).max() > 1e-4


# Independent latent spaces.


def test_parallel_layers_are_parts_of_the_encoder(tiny, blobs):
    model, images = tiny("devae_parallel", betas=BETAS), blobs(9)
    assert model.latent_dim == 3 and model.num_layers == 3
    mean, log_var = encoded(model, images)
    assert mean.shape == (9, 9)
    means, log_vars = ([x[:, 3 * i : 3 * i + 3] for i in range(3)] for x in (mean, log_var))
    got_means, got_log_vars = model.posterior(images, layer=None)
    assert got_means.shape == got_log_vars.shape == (3, 9, 3)
    np.testing.assert_allclose(got_means, means, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got_log_vars, log_vars, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.encode(images, layer=None), got_means)
    for layer in range(3):
        np.testing.assert_array_equal(model.encode(images, layer=layer), got_means[layer])
        np.testing.assert_allclose(
            model.reconstruct(images, layer=layer),
            pixels_of(model, means[layer], layer),
            rtol=1e-4,
            atol=1e-5,
        )
    assert model.sample(2, layer=2, seed=0).shape == (2, 8, 8, 1)
    loss = model.evaluate(images, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(expected_loss(model, images, means, log_vars), rel=1e-5)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_parallel_layers_are_independent(tiny, blobs, layer):
    model, images = tiny("devae_parallel", betas=BETAS), blobs(5)
    before = model.encode(images, layer=None)
    head = model.encoder.get_layer("z_mean")
    kernel = np.array(ops.convert_to_numpy(head.kernel))
    kernel[:, 3 * layer : 3 * layer + 3] *= -2
    head.kernel.assign(kernel)
    changed = (model.encode(images, layer=None) != before).any(axis=(1, 2))
    np.testing.assert_array_equal(changed, np.arange(3) == layer)


def test_only_the_drawn_layer_trains_its_heads(tiny, blobs):
    model = tiny("devae_parallel", betas=BETAS, layer_weight_base=0)
    head = model.encoder.get_layer("z_mean")
    before = np.array(ops.convert_to_numpy(head.kernel))
    # A base of 0 draws layer 0 alone.
    model.fit(blobs(12), batch_size=4, verbose=0)
    changed = (np.array(ops.convert_to_numpy(head.kernel)) != before).any(axis=0)
    np.testing.assert_array_equal(changed, [True] * 3 + [False] * 6)


def test_width_of_the_parallel_encoder():
    decoder = mlp_decoder(4, (4, 4, 1), units=())
    with pytest.raises(UsageError, match=r"a multiple of 3 numbers.*Received: 8"):
        DeVAEParallel(mlp_encoder((4, 4, 1), 8, units=()), decoder, betas=BETAS)
    with pytest.raises(UsageError, match="6 numbers for 3 latent dimensions"):
        DeVAEParallel(mlp_encoder((4, 4, 1), 9, units=()), decoder, betas=BETAS)
    model = DeVAEParallel(mlp_encoder((4, 4, 1), 6, units=()), decoder, betas=BETAS)
    assert model.latent_dim == 2


# One latent space.


def test_in_expectation_one_space_is_beta_vae(tiny, blobs):
    images, s = blobs(12), 0.5
    single = tiny("devae_single", betas=BETAS, layer_weight_base=s)
    mean_beta = (1 + 10 * s + 40 * s**2) / (1 + s + s**2)
    beta_vae = tiny("beta_vae", beta=mean_beta)
    logs = [model.evaluate(images, verbose=0, return_dict=True) for model in (single, beta_vae)]
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)
    summed = tiny("devae_single", betas=BETAS, layer_weight_base=s, objective="summed")
    summed_logs = summed.evaluate(images, verbose=0, return_dict=True)
    scaled = {**logs[1], "loss": logs[1]["loss"] * (1 + s + s**2)}
    assert summed_logs == pytest.approx(scaled, rel=1e-5)


def test_one_space_under_one_pressure_trains_as_beta_vae(tiny, blobs):
    models = [tiny("devae_single", betas=(4,)), tiny("beta_vae", beta=4.0)]
    histories = [
        model.fit(blobs(16), batch_size=4, shuffle=False, epochs=2, verbose=0).history
        for model in models
    ]
    for name, values in histories[1].items():
        assert histories[0][name] == pytest.approx(values, rel=1e-5), name


def test_one_space_is_one_layer(tiny, blobs):
    model, images = tiny("devae_single", betas=BETAS), blobs(5)
    assert model.num_layers == 1 and model.decoder.input_shape == (None, 3)
    mean, log_var = encoded(model, images)
    np.testing.assert_allclose(model.posterior(images, layer=None), ([mean], [log_var]), rtol=1e-5)
    logits = model.decoder.predict(mean, verbose=0)
    np.testing.assert_allclose(
        model.reconstruct(images, layer=0), 1 / (1 + np.exp(-logits)), rtol=1e-4
    )
    with pytest.raises(UsageError, match=r"layers 0 to 0\. Received: 1"):
        model.encode(images, layer=1)


def test_pressures_are_drawn_in_proportion(tiny, blobs):
    """The mean over 400 compiled steps is as drawn, and every pressure is among them."""
    model = tiny("devae_single", betas=BETAS, layer_weight_base=0.5, learning_rate=0.0)
    history = model.fit(blobs(1), batch_size=1, epochs=6, verbose=0).history
    assert set(history["beta"]) <= set(BETAS)
    images = blobs(1).repeat(400, axis=0)
    mean = model.fit(images, batch_size=1, verbose=0).history["beta"][0]
    probabilities = np.array([4, 2, 1]) / 7
    expected = probabilities @ BETAS
    deviation = np.sqrt((probabilities @ np.square(BETAS) - expected**2) / 400)
    assert abs(mean - expected) < 4 * deviation and mean not in BETAS


def test_objective_of_one_space():
    networks = mlp_encoder((4, 4, 1), 2, units=()), mlp_decoder(2, (4, 4, 1), units=())
    with pytest.raises(UsageError, match="objective 'drawn'"):
        DeVAESingle(*networks, objective="drawn")
    with pytest.raises(UsageError, match="`betas`"):
        DeVAESingle(*networks, betas=())
