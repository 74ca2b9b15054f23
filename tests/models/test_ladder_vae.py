"""LadderVAE: its layers, its warm-up, and that one layer is a VAE."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from keras_devae import VAE, LadderVAE
from keras_devae.errors import UsageError
from keras_devae.models.options import layer_dims_of
from keras_devae.runs import RunConfig
from keras_devae.runs.initial_weights import take_weights

pytestmark = pytest.mark.backends

SHAPE = (8, 8, 1)


def ladder(latent_dim=6, **options):
    options = {"network": "mlp", "network_units": (16,), "seed": 0, **options}
    model = LadderVAE.for_images(SHAPE, latent_dim, **options)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.fixture(scope="module")
def trained(blobs):
    model = ladder(layer_dims=(3, 2, 1), kl_warmup_steps=4)
    model.fit(blobs(32), batch_size=8, epochs=5, verbose=0)
    return model


@pytest.mark.parametrize(
    ("latent_dim", "dims"),
    [(112, (64, 32, 16)), (10, (6, 3, 1)), (4, (2, 1, 1)), (3, (1, 1, 1)), (2, (1, 1)), (1, (1,))],
)
def test_default_layers_have_the_proportions_of_the_paper(latent_dim, dims):
    assert layer_dims_of({}, latent_dim) == dims and sum(dims) == latent_dim


def test_one_layer_without_a_warm_up_is_a_vae(blobs):
    images = blobs(24)
    models = [
        ladder(4, layer_dims=(4,), kl_warmup_steps=0),
        VAE.for_images(SHAPE, 4, "mlp", network_units=(16,), seed=0),
    ]
    models[1].compile(keras.optimizers.Adam(1e-2))
    logs = [m.fit(images, batch_size=8, epochs=3, shuffle=False, verbose=0) for m in models]
    assert set(logs[0].history.pop("beta")) == {1}
    for name, values in logs[1].history.items():
        assert logs[0].history[name] == pytest.approx(values, rel=1e-6), name
    one, other = (model.encode(images) for model in models)
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    one, other = (model.evaluate(images, verbose=0, return_dict=True) for model in models)
    for name, value in other.items():
        assert one[name] == pytest.approx(value, rel=1e-5), name
    np.testing.assert_allclose(*(model.sample(3, seed=1) for model in models), atol=1e-6)
    assert len(models[0].weights) == len(models[1].weights)


def test_the_weight_of_the_divergence_warms_up(blobs):
    model, images = ladder(kl_warmup_steps=8), blobs(16)
    history = model.fit(images, batch_size=4, epochs=4, validation_data=images, verbose=0).history
    # The last of each epoch's four steps, and the validation after it.
    assert history["beta"] == pytest.approx([3 / 8, 7 / 8, 1, 1])
    assert history["val_beta"] == pytest.approx([0.5, 1, 1, 1])
    terms = (history[f"val_{name}"] for name in ("reconstruction_loss", "kl_loss", "beta", "loss"))
    for reconstruction, kl, beta, loss in zip(*terms, strict=True):
        assert reconstruction + beta * kl == pytest.approx(loss, rel=1e-5)


def test_codes_of_the_layers(trained, blobs):
    images = blobs(9)
    codes, layers = trained.encode(images), trained.layer_codes(images, batch_size=4)
    assert [z.shape for z in layers] == [(9, 3), (9, 2), (9, 1)]
    assert trained.layer_slices == (slice(0, 3), slice(3, 5), slice(5, 6))
    # By hand from codes in units of their priors.
    for i in reversed(range(3)):
        own = codes[:, trained.layer_slices[i]]
        if i < 2:
            prior = trained.top_down.priors[i](layers[i + 1], training=False)
            mean, log_var = (ops.convert_to_numpy(x) for x in prior)
            own = mean + np.exp(log_var / 2) * own
        np.testing.assert_allclose(layers[i], own, rtol=1e-4, atol=1e-5)
    decoded = trained.likelihood.mean(trained.decoder(layers[0]))
    np.testing.assert_allclose(trained.decode(codes), ops.convert_to_numpy(decoded), atol=1e-5)


def own_gaussians(model, images):
    """Means and log-variances that the encoder returns, before any merge."""
    encoded = model.encoder_outputs(images)
    return encoded["z_mean"], encoded["z_log_var"]


def test_samples_are_drawn_from_the_top_down(trained, blobs):
    image = blobs(1)
    codes = trained.encode(np.repeat(image, 4000, axis=0), sample=True, seed=2)
    np.testing.assert_array_equal(
        codes[:3], trained.encode(np.repeat(image, 4000, axis=0), sample=True, seed=2)[:3]
    )
    mean, log_var = own_gaussians(trained, image)
    top = trained.layer_slices[2]
    np.testing.assert_allclose(codes[:, top].mean(0), mean[0, top], atol=0.1)
    np.testing.assert_allclose(codes[:, top].std(0), np.exp(log_var[0, top] / 2), rtol=0.1)
    # Given the layers above, the lowest is a Gaussian about a mean that moves with them.
    encoded = own_gaussians(trained, np.repeat(image, 2, axis=0))
    noise = np.zeros((2, 6), "float32")
    noise[1, 3:] = 3
    means = ops.convert_to_numpy(trained.top_down(*encoded, noise)["z_mean"])
    assert np.abs(means[0, :3] - means[1, :3]).max() > 1e-3
    assert trained.encode(image, layer=None, sample=True, seed=1).shape == (1, 1, 6)


def test_the_divergence_is_the_mean_over_draws(trained, blobs):
    """It is the log-ratio of the densities by which codes are drawn, on average."""
    images, draws = blobs(3), 20_000
    fixed = trained.sampled_posterior(trained.encoder_outputs(images))
    for i in range(3):
        image = images[i : i + 1]
        encoded = own_gaussians(trained, np.repeat(image, draws, axis=0))
        noise = np.random.default_rng(i).standard_normal((draws, 6)).astype("float32")
        found = trained.top_down(*encoded, noise)
        mean, log_var, z = (
            ops.convert_to_numpy(found[name]).astype("float64")
            for name in ("z_mean", "z_log_var", "z")
        )
        posterior = stats.norm.logpdf(z, mean, np.exp(log_var / 2)).sum(axis=1)
        ratios = posterior - stats.norm.logpdf(z).sum(axis=1)
        error = ratios.std() / np.sqrt(draws)
        assert fixed["divergence"][i] == pytest.approx(ratios.mean(), abs=5 * error + 1e-3)
        drawn = z.mean(axis=0), np.log(z.var(axis=0))
        for name, expected in zip(("mean", "log_var"), drawn, strict=True):
            np.testing.assert_allclose(fixed[name][i], expected, atol=0.1)
    logs = trained.evaluate(images, batch_size=3, verbose=0, return_dict=True)
    assert logs["kl_loss"] == pytest.approx(fixed["divergence"].mean(), rel=1e-4)
    with pytest.raises(UsageError, match="no log-variances"):
        trained.posterior(images)


def test_inference_does_not_depend_on_the_rest_of_the_batch(trained, blobs):
    images = blobs(6)
    before = [weight.copy() for weight in trained.get_weights()]
    alone = np.concatenate([trained.encode(images[i : i + 1]) for i in range(6)])
    np.testing.assert_allclose(trained.encode(images), alone, rtol=1e-4, atol=1e-5)
    trained.evaluate(images, verbose=0)
    for old, new in zip(before, trained.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_moving_statistics_follow_the_batches(blobs):
    model, images = ladder(layer_dims=(4, 2)), blobs(8)
    norms = [
        layer
        for owner in (model.encoder.layers, model.top_down.priors[0].hidden)
        for layer in owner
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(norms) == 4
    model.fit(images, batch_size=8, verbose=0)
    for norm in norms:
        assert np.abs(ops.convert_to_numpy(norm.moving_mean)).max() > 0
        assert not norm.moving_mean.trainable
    # The first of the encoder's, from its inputs: 0.9 of the start and 0.1 of the batch.
    fresh = ladder(layer_dims=(4, 2))
    first = next(x for x in fresh.encoder.layers if isinstance(x, type(norms[0])))
    inputs = keras.Model(fresh.encoder.inputs, first.input)(fresh.pixels(images))
    fresh.train_on_batch(images)
    expected = 0.1 * ops.convert_to_numpy(inputs).mean(0)
    np.testing.assert_allclose(first.moving_mean, expected, rtol=1e-4, atol=1e-6)


def test_a_run_begins_with_the_statistics_too(trained, blobs, tmp_path):
    trained.save(tmp_path / "trained.keras")
    fresh = ladder(layer_dims=(3, 2, 1))
    take_weights(fresh, str(tmp_path / "trained.keras"))
    np.testing.assert_array_equal(fresh.encode(blobs(5)), trained.encode(blobs(5)))


def test_without_batch_normalisation(blobs):
    model = ladder(batch_normalization=False)
    assert not [x for x in model.weights if "moving" in x.name]
    assert np.isfinite(model.fit(blobs(8), verbose=0).history["loss"]).all()


def test_gradients_reach_every_weight(blobs):
    model, images = ladder(layer_dims=(3, 2, 1), kl_warmup_steps=0), blobs(16)
    before = [np.array(ops.convert_to_numpy(w)) for w in model.trainable_variables]
    model.fit(images, batch_size=8, epochs=2, verbose=0)
    for weight, old in zip(model.trainable_variables, before, strict=True):
        assert not np.array_equal(ops.convert_to_numpy(weight), old), weight.path


def test_the_encoder_model_computes_the_merged_means(trained, blobs):
    images = blobs(5)
    alone = trained.encoder_model()
    codes = trained.encode(images)
    np.testing.assert_allclose(alone.predict(images, verbose=0), codes, rtol=1e-5, atol=1e-6)
    outputs = trained.encoder_model(all_outputs=True).predict(images, verbose=0)
    np.testing.assert_allclose(outputs.pop("z_mean"), codes, rtol=1e-5, atol=1e-6)
    assert not outputs
    # It can be trained on, without a weight that has no gradient.
    head = keras.Sequential([alone, keras.layers.Dense(1)])
    head.compile("sgd", "mse")
    head.fit(images / np.float32(255), np.zeros((5, 1)), verbose=0)


def own_networks(image_shape, latent_dim, decoder_input_dim, layer_dims):
    assert (layer_dims, decoder_input_dim) in [((3, 1), 3), (None, 4)]
    pixels = keras.Input(image_shape)
    x = keras.layers.Flatten()(pixels)
    heads = {n: keras.layers.Dense(latent_dim)(x) for n in ("z_mean", "z_log_var")}
    z = keras.Input((decoder_input_dim,))
    decoded = keras.layers.Reshape(image_shape)(keras.layers.Dense(64)(z))
    return keras.Model(pixels, heads), keras.Model(z, decoded)


def test_networks_of_the_user(blobs):
    model = LadderVAE.for_images(SHAPE, 4, own_networks, layer_dims=(3, 1), seed=0)
    model.compile("adam")
    assert np.isfinite(model.fit(blobs(8), verbose=0).history["loss"]).all()
    assert model.layer_codes(blobs(2))[0].shape == (2, 3)
    # It serves models without layers, too.
    assert VAE.for_images(SHAPE, 4, own_networks).encode(blobs(2)).shape == (2, 4)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer_dims": (6, 3)}, r"`layer_dims` must add up to .*, 10\. Received: 6, 3\."),
        ({"layer_dims": ()}, r"`layer_dims`.*none"),
        ({"layer_dims": (10, 0)}, "`layer_dims`"),
        ({"layer_dims": 10}, "`layer_dims`"),
        ({"kl_warmup_steps": -1}, "`kl_warmup_steps`"),
        ({"batch_normalization": "no"}, "`batch_normalization` must be true or false"),
    ],
)
def test_wrong_options_are_refused(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        LadderVAE.for_images(SHAPE, 10, "mlp", **options)


def test_a_run_refuses_layers_that_do_not_add_up():
    with pytest.raises(UsageError, match="`layer_dims` must add up"):
        RunConfig(model="ladder_vae", latent_dim=8, model_options={"layer_dims": (6, 3)})
    config = RunConfig(model="ladder_vae", latent_dim=9, model_options={"layer_dims": [6, 3]})
    assert config.model.options["layer_dims"] == (6, 3)
