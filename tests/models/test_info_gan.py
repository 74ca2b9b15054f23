"""InfoGAN: who learns from which term, and what its codes and images are."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_devae as kd
from keras_devae import InfoGAN
from keras_devae.errors import UsageError
from keras_devae.runs import RunConfig

pytestmark = pytest.mark.backends

NETWORKS = ("encoder", "decoder", "discriminator", "contrastive_discriminator")


def weights(model):
    """Copies of the weights of each player."""
    players = {name: getattr(model, name) for name in NETWORKS if hasattr(model, name)}
    return {
        name: [np.array(ops.convert_to_numpy(v)) for v in network.trainable_variables]
        for name, network in players.items()
    }


def moved(before, after):
    """The players with a weight that is not the same to the bit."""
    return {
        name
        for name in before
        if not all(np.array_equal(*pair) for pair in zip(before[name], after[name], strict=True))
    }


def build(tiny, rate=1e-2, discriminator_rate=1e-2, step=0, **options):
    optimizer = keras.optimizers.Adam(discriminator_rate)
    model = tiny(
        "info_gan",
        learning_rate=rate,
        compile_options={"discriminator_optimizer": optimizer},
        **options,
    )
    model.steps.set(step)
    return model


def after_one_step(model, images):
    model.train_on_batch(images)
    return weights(model)


CONTRAST = {"contrastive": True, "contrastive_start": 1, "step": 1}


@pytest.mark.parametrize("resting", ["generator", "discriminators"])
def test_a_player_without_learning_rate_stays_bit_identical(tiny, blobs, resting):
    rates = {"generator": (0.0, 1e-2), "discriminators": (1e-2, 0.0)}[resting]
    model = build(tiny, *rates, **CONTRAST)
    before = weights(model)
    got = moved(before, after_one_step(model, blobs(8)))
    assert got == set(NETWORKS[2:] if resting == "generator" else NETWORKS[:2])


@pytest.mark.parametrize("factor", [0.0, 1000.0])
def test_the_discriminators_loss_reaches_the_discriminator_only(tiny, blobs, factor):
    expected = after_one_step(build(tiny), blobs(8))
    model = build(tiny)
    before, original = weights(model), model.loss_terms

    def scaled(*arguments):
        terms = original(*arguments)
        loss = terms.opponents["discriminator"]
        return terms.replace(opponents={"discriminator": factor * loss})

    model.loss_terms = scaled
    got = after_one_step(model, blobs(8))
    assert not moved(expected, got) & {"encoder", "decoder"}
    # Without a loss it rests.
    assert ("discriminator" in moved(before, got)) == (factor > 0)


def test_the_information_reaches_generator_and_encoder_only(tiny, blobs):
    model = build(tiny, information_weight=0)
    before = weights(model)
    without = after_one_step(model, blobs(8))
    assert moved(before, without) == {"decoder", "discriminator"}
    with_information = after_one_step(build(tiny, information_weight=100), blobs(8))
    assert moved(without, with_information) == {"encoder", "decoder"}


def test_the_regularizer_reaches_the_generator_by_its_weight(tiny, blobs):
    images, contrast = blobs(8), {**CONTRAST, "information_weight": 1}
    plain = after_one_step(build(tiny, step=1), images)
    none, some = (
        after_one_step(build(tiny, contrastive_weight=weight, **contrast), images)
        for weight in (0, 100)
    )
    assert moved(none, some) == {"decoder"}
    for name, expected in plain.items():
        for one, other in zip(none[name], expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_regularizer_begins_at_its_step(tiny, blobs):
    options = {"contrastive": True, "contrastive_start": 2, "contrastive_weight": 1.5}
    history = build(tiny, **options).fit(blobs(8), batch_size=8, epochs=4, verbose=0).history
    assert history["contrastive_weight"] == [0, 0, 1.5, 1.5]
    # Its discriminator learns from the first step.
    before = weights(model := build(tiny, **options))
    after = after_one_step(model, blobs(8))
    assert "contrastive_discriminator" in moved(before, after)


def entropy(logits, labels):
    """The mean cross-entropy in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_shares[np.arange(len(labels)), labels].mean()


def test_terms_by_numpy(tiny, blobs):
    """With codes and noise that do not depend on the backend."""
    model = build(tiny, **CONTRAST, contrastive_weight=3, information_weight=0.5)
    rng = np.random.default_rng(0)
    draws = rng.uniform(-1, 1, (3, 8, 3 + 5)).astype("float32")
    shared = rng.integers(0, 3, 8)
    model._drawn = lambda size, training, number: ops.convert_to_tensor(draws[number])
    model._shared_dimensions = lambda size, training: ops.convert_to_tensor(shared, "int32")
    pixels = model.pixels(blobs(8))
    terms = model.loss_terms(pixels, {}, training=False)

    def of(network, inputs):
        return np.float64(ops.convert_to_numpy(network(ops.convert_to_tensor(inputs))))

    def generated(codes):
        return np.float32(1 / (1 + np.exp(-of(model.decoder, codes))))

    images = generated(draws[0])
    real, fake = (
        1 / (1 + np.exp(-of(model.discriminator, x)))
        for x in (ops.convert_to_numpy(pixels), images)
    )
    expected = {"generator": -np.log(fake).mean()}
    means = np.float64(ops.convert_to_numpy(model.encoder(ops.convert_to_tensor(images))["z_mean"]))
    log_density = -0.5 * (draws[0, :, :3] - means) ** 2 - 0.5 * np.log(2 * np.pi)
    expected["information"] = -log_density.sum(1).mean() - 3 * np.log(2)
    partners = np.concatenate([draws[2, :, :3], draws[1, :, 3:]], axis=1)
    partners[np.arange(8), shared] = draws[1, np.arange(8), shared]
    pairs = np.concatenate([generated(draws[1]), generated(partners)], axis=-1)
    expected["contrastive"] = entropy(of(model.contrastive_discriminator, pairs), shared)
    got = {name: float(ops.convert_to_numpy(value)) for name, (_, value) in terms.penalties.items()}
    assert got == pytest.approx(expected, rel=1e-5)
    by_discriminator = -np.log(real).mean() - np.log(1 - fake).mean()
    discriminator = ops.convert_to_numpy(terms.opponents["discriminator"])
    assert discriminator == pytest.approx(by_discriminator, rel=1e-5)
    total = np.dot([1, 0.5, 3], [expected[n] for n in ("generator", "information", "contrastive")])
    assert ops.convert_to_numpy(terms.total) == pytest.approx(total, rel=1e-5)


def test_default_weights_and_optimizers(tiny):
    for contrastive, weight, rate in ((False, 1.0, 2e-4), (True, 0.05, 2e-3)):
        model = tiny("info_gan", contrastive=contrastive)
        terms = model.loss_terms(ops.zeros((4, 8, 8, 1)), {}, training=False)
        assert terms.penalties["information"][0] == weight
        config = model.discriminator_optimizer.get_config()
        got = [config[name] for name in ("learning_rate", "beta_1", "beta_2")]
        assert got == pytest.approx([rate, 0.5, 0.999])
        learners = 1 + contrastive
        # Two moments for each weight of kernels and biases: a convolution, two dense layers.
        assert len(model.discriminator_optimizer.variables) == 2 + 2 * 6 * learners


def test_decoding_leaves_the_noise_out(tiny):
    model = tiny("info_gan")
    codes = np.random.default_rng(0).uniform(-1, 1, (4, 3)).astype("float32")
    logits = model.decoder(np.concatenate([codes, np.zeros((4, 5), "float32")], axis=1))
    expected = ops.convert_to_numpy(model.likelihood.mean(logits))
    np.testing.assert_allclose(model.decode(codes), expected, atol=1e-6)


def test_sampling_draws_codes_and_noise(tiny, blobs):
    model = tiny("info_gan")
    seen = []
    model._decode_inputs = lambda inputs, batch_size: seen.append(inputs)
    model.sample(2000, seed=3)
    (drawn,) = seen
    assert drawn.shape == (2000, 3 + 5) and drawn.dtype == np.float32
    assert -1 <= drawn.min() < -0.99 and 0.99 < drawn.max() < 1
    np.testing.assert_allclose(drawn.std(axis=0), 1 / np.sqrt(3), rtol=0.05)


def test_images_differ_by_codes_and_noise_and_seed(tiny):
    model = tiny("info_gan")
    first, again, other = (model.sample(4, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01
    assert model.sample(0).shape == (0, 8, 8, 1)
    assert tiny("info_gan", noise_dim=0).sample(2).shape == (2, 8, 8, 1)


def test_codes_are_those_of_the_encoder(tiny, blobs):
    model, images = tiny("info_gan"), blobs(6)
    expected = ops.convert_to_numpy(model.encoder(model.pixels(images))["z_mean"])
    np.testing.assert_allclose(model.encode(images), expected, atol=1e-6)
    np.testing.assert_allclose(
        model.reconstruct(images), model.decode(model.encode(images)), atol=1e-6
    )
    with pytest.raises(UsageError, match="no log-variances"):
        model.posterior(images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contrastive_weight": 2.0}, "needs `contrastive`"),
        ({"contrastive": True, "latent_dim": 1}, "`latent_dim` must be at least 2"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(UsageError, match=message):
        InfoGAN.for_images((8, 8, 1), network="mlp", network_units=(8,), **options)
    settings = {"latent_dim": options.pop("latent_dim", 10)}
    with pytest.raises(UsageError, match=message):
        RunConfig(model="info_gan", model_options=options, **settings)


@pytest.mark.parametrize("shape", [(16, 24, 3), (5, 3, 16), (1, 1, 1)])
def test_images_of_odd_sizes(shape):
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    model = InfoGAN.for_images(shape, 2, "mlp", network_units=(8,), contrastive=True, seed=0)
    model.compile(run_eagerly=keras.backend.backend() != "jax")
    history = model.fit(images, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert model.sample(2).shape == (2, *shape)


@pytest.mark.thorough
def test_the_information_grows():
    """Of images of a square, a code can hold where it is."""
    rng = np.random.default_rng(0)
    images = np.zeros((256, 8, 8, 1), "float32")
    for image, (row, column) in zip(images, rng.integers(0, 5, (256, 2)), strict=True):
        image[row : row + 4, column : column + 4] = 1
    model = kd.InfoGAN.for_images((8, 8, 1), 2, "mlp", network_units=(64,), noise_dim=2, seed=0)
    model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
    history = model.fit(images, batch_size=32, epochs=60, verbose=0).history
    # Errors of the codes' own variance, a third, would make it 2 (0.23 + 1 / 6) = 0.79; the first
    # epoch learns a little already.
    assert history["information_loss"][0] > 0.65
    assert history["information_loss"][-1] < 0.55
    codes = np.random.default_rng(1).uniform(-1, 1, (500, 2))
    read = model.encode(model.decode(codes))
    correlations = [np.corrcoef(codes[:, i], read[:, i])[0, 1] for i in range(2)]
    assert min(correlations) > 0.8
