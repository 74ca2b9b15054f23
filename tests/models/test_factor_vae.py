"""FactorVAE: two players in one step, each with an optimizer and a gradient of its own."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae import FactorVAE
from keras_devae.losses import GaussianLikelihood
from keras_devae.networks import mlp_decoder, mlp_encoder

pytestmark = pytest.mark.backends


def values(network):
    return [np.array(ops.convert_to_numpy(v)) for v in network.variables]


def players(model):
    """Weights of the autoencoder and of the discriminator."""
    return values(model.encoder) + values(model.decoder), values(model.discriminator)


def same(before, after):
    return [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def build(tiny, discriminator_rate=1e-2, **options):
    optimizer = keras.optimizers.Adam(discriminator_rate)
    return tiny("factor_vae", compile_options={"discriminator_optimizer": optimizer}, **options)


def after_one_step(model, images):
    model.train_on_batch(images)
    return players(model)


@pytest.mark.parametrize("resting", ["autoencoder", "discriminator"])
def test_a_player_without_learning_rate_stays_bit_identical(tiny, blobs, resting):
    rates = {"autoencoder": (0.0, 1e-2), "discriminator": (1e-2, 0.0)}[resting]
    model = build(tiny, rates[1], learning_rate=rates[0])
    before = players(model)
    model.fit(blobs(24), batch_size=8, epochs=2, verbose=0)
    unchanged = [all(same(a, b)) for a, b in zip(before, players(model), strict=True)]
    changed = [not any(same(a, b)) for a, b in zip(before, players(model), strict=True)]
    assert unchanged == [resting == "autoencoder", resting == "discriminator"]
    assert changed == [resting == "discriminator", resting == "autoencoder"]


@pytest.mark.parametrize("factor", [0.0, 1000.0])
def test_autoencoder_has_no_gradient_of_the_discriminators_loss(tiny, blobs, factor):
    """A step with that loss scaled, or all but absent, moves the autoencoder to the same bits."""
    expected, discriminator = after_one_step(build(tiny), blobs(8))
    model = build(tiny)
    original = model.loss_terms

    def scaled(*arguments):
        terms = original(*arguments)
        loss = terms.opponents["discriminator"]
        return terms.replace(opponents={"discriminator": factor * loss})

    model.loss_terms = scaled
    got, other = after_one_step(model, blobs(8))
    assert all(same(got, expected))
    # That player does feel it: without a loss it rests.
    initial = players(build(tiny))[1]
    assert all(same(other, initial)) == (factor == 0)
    assert not any(same(discriminator, initial))


def test_first_update_of_the_autoencoder_ignores_the_discriminators_optimizer(tiny, blobs):
    slow, fast = (after_one_step(build(tiny, rate), blobs(8)) for rate in (0.0, 0.1))
    assert all(same(slow[0], fast[0]))
    assert not any(same(slow[1], fast[1]))


def test_first_update_of_the_discriminator_ignores_gamma(tiny, blobs):
    small, large = (after_one_step(build(tiny, gamma=gamma), blobs(8)) for gamma in (0, 100))
    assert all(same(small[1], large[1]))
    assert not all(same(small[0], large[0]))


def test_without_gamma_the_autoencoder_is_a_vae(tiny, blobs):
    model, plain = build(tiny, gamma=0.0), tiny("vae")
    got, _ = after_one_step(model, blobs(8))
    plain.train_on_batch(blobs(8))
    for mine, theirs in zip(got, values(plain.encoder) + values(plain.decoder), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("count", [1, 2, 3, 64, 65])
def test_batch_sizes(tiny, blobs, count):
    model = build(tiny)
    before = players(model)
    history = model.fit(blobs(count), batch_size=64, epochs=2, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert int(model.optimizer.iterations) == 2 * (1 + count // 65)
    for old, new in zip(before, players(model), strict=True):
        assert not all(same(old, new))


def test_both_optimizers_count_every_step(tiny, blobs):
    model = tiny("factor_vae")
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(values(model.discriminator))
    )
    model.fit(blobs(20), batch_size=4, epochs=2, verbose=0, callbacks=[record])
    both = [model.optimizer, *model.optimizer.optimizers]
    assert [int(optimizer.iterations) for optimizer in both] == [10, 10, 10]
    assert int(model.steps.step) == 10
    assert not any(same(*seen))


def test_default_optimizer_of_the_discriminator(tiny):
    model = tiny("factor_vae", learning_rate=0.25)
    config = model.discriminator_optimizer.get_config()
    assert isinstance(model.discriminator_optimizer, keras.optimizers.Adam)
    got = [config[name] for name in ("learning_rate", "beta_1", "beta_2")]
    assert got == pytest.approx([1e-4, 0.5, 0.9])
    autoencoder = model.optimizer.optimizers[1]
    assert float(autoencoder.learning_rate) == 0.25
    # Two moments for every weight of its own player.
    for optimizer, player in ((model.discriminator_optimizer, 2 * 3), (autoencoder, 6 + 4)):
        assert len(optimizer.variables) == 2 + 2 * player


def test_mixed_precision_keeps_both_optimizers(tiny, float32_policy):
    keras.config.set_dtype_policy("mixed_float16")
    model = build(tiny, 0.125)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(model.discriminator_optimizer.learning_rate) == 0.125


def test_both_optimizers_survive_saving(tiny, blobs, tmp_path):
    model, images = build(tiny), blobs(12)
    model.fit(images, batch_size=4, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert int(loaded.discriminator_optimizer.iterations) == 3
    assert float(loaded.discriminator_optimizer.learning_rate) == pytest.approx(1e-2)
    pairs = zip(
        model.discriminator_optimizer.variables,
        loaded.discriminator_optimizer.variables,
        strict=True,
    )
    for saved, restored in pairs:
        np.testing.assert_array_equal(
            ops.convert_to_numpy(saved), ops.convert_to_numpy(restored), err_msg=saved.path
        )
    going_on, resumed = (
        m.fit(images, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        for m in (model, loaded)
    )
    for name, losses in going_on.items():
        np.testing.assert_allclose(resumed[name], losses, rtol=1e-5, atol=1e-6, err_msg=name)
    for old, new in zip(players(model), players(loaded), strict=True):
        for a, b in zip(old, new, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("training", [True, False])
def test_loss_leaves_the_discriminators_loss_out(tiny, blobs, training):
    model, images = build(tiny, gamma=20.0), blobs(8)
    if training:
        logs = {k: v[0] for k, v in model.fit(images, verbose=0).history.items()}
    else:
        logs = model.evaluate(images, verbose=0, return_dict=True)
    expected = logs["reconstruction_loss"] + logs["kl_loss"] + 20.0 * logs["total_correlation_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-6)
    # That of an untrained discriminator is near log 2; and the two differ by more than rounding.
    assert logs["discriminator_loss"] == pytest.approx(np.log(2), abs=0.3)


def test_terms_of_another_implementation(oracle, tiny):
    batch = oracle("latent_batch")
    expected = batch["factor_vae"]
    model = tiny("factor_vae", latent_dim=4, gamma=expected["gamma"])
    logits = {8: np.float32(batch["logits"]), 16: np.float32(batch["logits"])}
    logits[16] = np.concatenate([logits[8], np.float32(batch["permuted_logits"])])

    class Fixed:
        """Stands for the discriminator, with the case's logits for codes and permuted codes."""

        trainable_variables = non_trainable_variables = ()

        def __call__(self, z, training):
            return ops.convert_to_tensor(logits[z.shape[0]])

        def stateless_call(self, weights, state, z, training):
            return self(z, False), state

    object.__setattr__(model, "discriminator", Fixed())
    pixels = ops.zeros((8, 8, 8, 1))
    names = {"z": "z", "z_mean": "mu", "z_log_var": "logvar"}
    outputs = {k: ops.convert_to_tensor(np.float32(batch[name])) for k, name in names.items()}
    outputs["decoded"] = pixels
    terms = model.loss_terms(pixels, outputs, training=True)
    got = float(terms.total) - float(ops.sum(terms.reconstruction))
    assert got == pytest.approx(expected["kl_plus_gamma_total_correlation"], rel=1e-4)
    assert float(terms.opponents["discriminator"]) == pytest.approx(
        expected["discriminator_loss"], rel=1e-6
    )


def two_latents(correlation):
    """A FactorVAE whose codes are the two pixels of its images, and 2,048 such images."""
    encoder, decoder = mlp_encoder((1, 2, 1), 2, units=()), mlp_decoder(2, (1, 2, 1), units=())
    encoder.get_layer("z_mean").set_weights([np.eye(2), np.zeros(2)])
    encoder.get_layer("z_log_var").set_weights([np.zeros((2, 2)), np.full(2, -6.0)])
    model = FactorVAE(
        encoder,
        decoder,
        likelihood=GaussianLikelihood(output="linear"),
        seed=0,
        discriminator_units=(32, 32),
        gamma=2,
    )
    covariance = [[1, correlation], [correlation, 1]]
    z = np.random.default_rng(0).multivariate_normal([0, 0], covariance, 2048)
    return model, z.astype("float32").reshape(-1, 1, 2, 1)


def train(model, images, learning_rate, epochs):
    model.compile(
        keras.optimizers.Adam(learning_rate, beta_1=0.5),
        discriminator_optimizer=keras.optimizers.Adam(1e-2, beta_1=0.5, beta_2=0.9),
    )
    model.fit(images, batch_size=128, epochs=epochs, shuffle=False, verbose=0)
    return model.evaluate(images, batch_size=2048, verbose=0, return_dict=True)[
        "total_correlation_loss"
    ]


@pytest.mark.thorough
def test_estimate_of_dependent_codes_and_how_training_lowers_it():
    model, images = two_latents(0.95)
    estimate = train(model, images, 0.0, epochs=8)
    # The true total correlation is -log(1 - 0.95^2) / 2 = 1.16.
    assert 0.5 < estimate < 1.6
    assert np.corrcoef(model.encode(images).T)[0, 1] > 0.9
    assert train(model, images, 3e-3, epochs=16) < 0.3 * estimate
    # Not the discriminator is deceived: the codes themselves are less dependent.
    assert abs(np.corrcoef(model.encode(images).T)[0, 1]) < 0.4


def test_estimate_of_independent_codes():
    model, images = two_latents(0.0)
    assert abs(train(model, images, 0.0, epochs=8)) < 0.1


def test_published_discriminator_is_the_default():
    model = FactorVAE(mlp_encoder((4, 4, 1), 3, units=()), mlp_decoder(3, (4, 4, 1), units=()))
    assert model.gamma == 35
    assert [tuple(w.shape) for w in model.discriminator.trainable_variables[::2]] == [
        (3, 1000),
        *[(1000, 1000)] * 5,
        (1000, 2),
    ]
