import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.losses import (
    KLDecomposition,
    decompose_kl,
    density_ratio_total_correlation,
    discriminator_loss,
    permute_dimensions,
    stratified_log_weights,
)

pytestmark = pytest.mark.backends

SIZES = ("8", "100", "737280")
ESTIMATORS = ("weighted", "stratified")

# The reference values were computed in float64. Here float32 densities are added up to terms of up
# to 54 nats, whose rounding is 4e-6 each, and the terms are differences of such sums.
TOLERANCE = {"rtol": 1e-5, "atol": 5e-5}


def decompose(*arguments, **options):
    return KLDecomposition(*map(float, decompose_kl(*arguments, **options)))


def weights(*arguments, **options):
    log_weights = ops.convert_to_numpy(stratified_log_weights(*arguments, **options))
    return np.exp(log_weights.astype("float64"))


def random_batch(batch_size, latent_dim=5, seed=0):
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(batch_size, latent_dim))
    log_var = rng.normal(-2, 1, size=(batch_size, latent_dim))
    z = mean + np.exp(log_var / 2) * rng.normal(size=mean.shape)
    return [array.astype("float32") for array in (z, mean, log_var)]


def normal_log_density(x, mean, log_var):
    x, mean, log_var = (np.asarray(array, "float64") for array in (x, mean, log_var))
    return -0.5 * ((x - mean) ** 2 / np.exp(log_var) + log_var + np.log(2 * np.pi))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "name, options",
    [
        ("weighted", {}),
        ("weighted", {"estimator": "weighted", "reference_compat": True}),
        ("stratified", {"estimator": "stratified"}),
        ("stratified_as_released", {"estimator": "stratified", "reference_compat": True}),
    ],
)
def test_terms_of_other_implementations(oracle, size, name, options):
    batch = oracle("latent_batch")
    expected = batch["decomposition"][size][name]
    got = decompose(*(batch[key] for key in ("z", "mu", "logvar")), int(size), **options)
    np.testing.assert_allclose(
        got, [expected[key] for key in ("mi", "tc", "dimension_wise_kl")], **TOLERANCE
    )


@pytest.mark.parametrize("size", SIZES)
def test_total_correlation_of_code_without_the_sizes_differs_by_a_constant(oracle, size):
    batch = oracle("latent_batch")
    got = decompose(batch["z"], batch["mu"], batch["logvar"], int(size)).total_correlation
    without_constants = got - 3 * math.log(8 * int(size))
    np.testing.assert_allclose(
        without_constants, batch["total_correlation_without_constants"], **TOLERANCE
    )
    for row in batch["beta_tc_vae_regularizer"]:
        alpha, beta = row["alpha"], row["beta"]
        np.testing.assert_allclose(
            alpha * batch["kl_total"] + (beta - alpha) * without_constants,
            row["regularizer"],
            rtol=1e-5,
            atol=5 * TOLERANCE["atol"],
        )


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_terms_add_up_to_the_sampled_divergence(batch_size, estimator):
    z, mean, log_var = random_batch(batch_size)
    sampled = normal_log_density(z, mean, log_var) - normal_log_density(z, 0, 0)
    for size in (batch_size, 480_000):
        got = decompose(z, mean, log_var, size, estimator)
        assert sum(got) == pytest.approx(sampled.sum(1).mean(), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_collapsed_posterior(estimator):
    z = np.random.default_rng(0).normal(size=(64, 10))
    got = decompose(z, np.zeros_like(z), np.zeros_like(z), 480_000, estimator)
    # The true terms are 0. Weighted sampling misses log N in log q(z) and in each log q(z_d).
    offset = math.log(480_000) if estimator == "weighted" else 0
    np.testing.assert_allclose(got, [offset, 9 * offset, -10 * offset], atol=2e-4)
    if estimator == "weighted":
        assert got.total_correlation == pytest.approx(117.7, abs=0.05)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_correlated_latents_of_unit_variance(estimator):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(2000, 2))
    whitened = np.linalg.solve(np.linalg.cholesky(np.cov(noise.T)), (noise - noise.mean(0)).T).T
    draws = rng.normal(size=(2000, 2))
    offset = math.log(2000) if estimator == "weighted" else 0
    for rho, expected in ((0, 0), (0.9, -0.5 * math.log(1 - 0.9**2))):
        # Means of covariance [[0.95, rho], [rho, 0.95]] and a posterior variance of 0.05.
        mean = whitened @ np.linalg.cholesky([[0.95, rho], [rho, 0.95]]).T
        log_var = np.full_like(mean, math.log(0.05))
        z = mean + math.sqrt(0.05) * draws
        got = decompose(z, mean, log_var, 2000, estimator).total_correlation
        # 2,000 posteriors make a density that is known to a few hundredths of a nat.
        assert got - offset == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_extreme_log_variances_are_finite(estimator):
    z, mean, log_var = extreme_batch()
    got = decompose(z, mean, log_var, 1000, estimator)
    assert np.isfinite(got).all()
    # Codes near 1e11 make log p(z) of about -1e22, and nothing else of that size.
    assert sum(got) == pytest.approx(0.5 * np.square(z).sum(1).mean(), rel=1e-5)
    assert np.isfinite(decompose(z[::-1], mean, log_var, 1000, estimator)).all()


def extreme_batch():
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(6, 3)).astype("float32")
    log_var = np.resize(np.array([50, -50, 0, -50], "float32"), (6, 3))
    noise = rng.normal(size=(6, 3)).astype("float32")
    return mean + np.exp(log_var / 2) * noise, mean, log_var


class OneStep(keras.layers.Layer):
    """Holds posteriors as weights, so that a training step takes the terms' gradients."""

    def __init__(self, estimator, mean, log_var, noise):
        super().__init__()
        self.estimator = estimator
        self.mean, self.log_var, self.noise = (
            self.add_weight(shape=mean.shape, initializer="zeros", trainable=trainable)
            for trainable in (True, True, False)
        )
        self.mean.assign(mean)
        self.log_var.assign(log_var)
        self.noise.assign(noise)

    def call(self, inputs):
        z = self.mean + ops.exp(0.5 * self.log_var) * self.noise
        terms = decompose_kl(z, self.mean, self.log_var, 1000, self.estimator)
        # Without the last part, whose gradient of about 1e22 would hide the others'.
        return inputs + terms.mutual_information + terms.total_correlation


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_extreme_log_variances_have_finite_gradients(estimator):
    _, mean, log_var = extreme_batch()
    noise = np.random.default_rng(1).normal(size=mean.shape).astype("float32")
    layer = OneStep(estimator, mean, log_var, noise)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(1e-3), loss=lambda _, output: ops.mean(output))
    model.train_on_batch(np.zeros((1, 1)), np.zeros((1, 1)))
    new_mean, new_log_var = map(ops.convert_to_numpy, (layer.mean, layer.log_var))
    assert np.isfinite(new_mean).all() and np.isfinite(new_log_var).all()
    assert (new_log_var != log_var).any()


class Terms(keras.layers.Layer):
    """The terms, repeated for every row, and permuted codes; with the data set's size a weight."""

    def __init__(self, estimator, dataset_size):
        super().__init__()
        self.estimator = estimator
        self.dataset_size = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.dataset_size.assign(dataset_size)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs):
        z, mean, log_var = ops.split(inputs, 3, axis=-1)
        terms = decompose_kl(z, mean, log_var, self.dataset_size, self.estimator)
        permuted = permute_dimensions(z, self.seed_generator)
        return ops.stack(terms) + ops.zeros_like(z[:, :1]), permuted

    def compute_output_shape(self, shape):
        return (shape[0], 3), (shape[0], shape[1] // 3)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_compiled_with_a_smaller_last_batch(estimator):
    batch = random_batch(9, latent_dim=3)
    inputs = keras.Input((9,))
    model = keras.Model(inputs, Terms(estimator, 1000)(inputs))
    terms, permuted = model.predict(np.concatenate(batch, axis=1), batch_size=4, verbose=0)
    for rows in (slice(0, 4), slice(4, 8), slice(8, 9)):
        expected = decompose(*(array[rows] for array in batch), 1000, estimator)
        np.testing.assert_allclose(terms[rows], np.tile(expected, (len(terms[rows]), 1)), rtol=1e-5)
        np.testing.assert_array_equal(np.sort(permuted[rows], 0), np.sort(batch[0][rows], 0))


def test_float16_inputs_give_float32():
    z, mean, log_var = (array.astype("float16") for array in random_batch(4))
    for term in decompose_kl(z, mean, log_var, 737_280):
        assert keras.backend.standardize_dtype(term.dtype) == "float32"
    permuted = permute_dimensions(z, 0)
    assert keras.backend.standardize_dtype(permuted.dtype) == "float32"
    # The difference, 120,000, lies beyond float16's largest number, 65,504.
    logits = np.array([[60_000, -60_000]], "float16")
    assert float(density_ratio_total_correlation(logits)) == pytest.approx(120_000, rel=1e-3)
    assert float(discriminator_loss(-logits, logits)) == pytest.approx(120_000, rel=1e-3)


def test_unknown_estimator():
    with pytest.raises(UsageError, match=r"Unknown estimator 'wieghted'\. Did you mean 'weighted'"):
        decompose_kl(*random_batch(2), 10, estimator="wieghted")


@pytest.mark.parametrize("batch_size, dataset_size", [(8, 1000), (8, 8), (2, 1000), (3, 737_280)])
def test_stratified_weights(batch_size, dataset_size):
    got = weights(batch_size, dataset_size)
    others = batch_size - 1
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(np.diag(got), 1 / dataset_size, rtol=1e-6)
    stratified = (dataset_size - others) / (dataset_size * others)
    expected = np.sort([1 / dataset_size, stratified, *[1 / others] * (batch_size - 2)])
    np.testing.assert_allclose(np.sort(got, 1), np.tile(expected, (batch_size, 1)), rtol=1e-6)
    np.testing.assert_allclose(np.diag(np.roll(got, -1, axis=1)), stratified, rtol=1e-6)


def test_stratified_weights_of_a_batch_of_one_and_of_more_rows_than_images():
    for size in (1, 1000, 0):
        np.testing.assert_array_equal(ops.convert_to_numpy(stratified_log_weights(1, size)), [[0]])
    np.testing.assert_array_equal(weights(8, 3), weights(8, 8))


def test_stratified_weights_take_tensors_and_large_sizes():
    batch_size = ops.convert_to_tensor(4, dtype="int32")
    for size in (ops.convert_to_tensor(100, dtype="int32"), ops.convert_to_tensor(100.0), 100.0):
        np.testing.assert_array_equal(weights(batch_size, size), weights(4, 100))
    np.testing.assert_allclose(np.diag(weights(4, 3 * 10**9)), 1 / (3 * 10**9), rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_stratified_weights_as_released(oracle, size):
    expected = oracle("latent_batch")["decomposition"][size]["weights_as_released"]
    np.testing.assert_allclose(weights(8, int(size), reference_compat=True), expected, rtol=3e-6)


def test_permutation_keeps_the_marginals(oracle):
    batch = oracle("latent_batch")
    got = ops.convert_to_numpy(permute_dimensions(batch["z"], 0))
    assert (got != np.asarray(batch["z"], "float32")).any()
    np.testing.assert_array_equal(np.sort(got, 0), np.sort(np.float32(batch["z_perm"]), 0))


def test_permutation_breaks_correlation():
    shared, own = np.random.default_rng(0).normal(size=(2, 5000, 3))
    z = shared[:, :1] + 0.2 * own
    assert np.corrcoef(z.T)[np.triu_indices(3, 1)].min() > 0.9
    permuted = ops.convert_to_numpy(permute_dimensions(z, keras.random.SeedGenerator(1)))
    # The standard deviation of a correlation of 5,000 independent rows is 0.014.
    assert np.abs(np.corrcoef(permuted.T)[np.triu_indices(3, 1)]).max() < 0.06
    # Nor may rows stay where they are.
    assert max(abs(np.corrcoef(z[:, d], permuted[:, d])[0, 1]) for d in range(3)) < 0.06


def test_permutations_of_columns_are_uniform_and_independent():
    z = np.tile(np.arange(3.0)[:, None], (1, 1200))
    columns = ops.convert_to_numpy(permute_dimensions(z, 3)).T.astype(int)
    for permutation in itertools.permutations(range(3)):
        # 200 are expected, with a standard deviation of 13.
        assert 148 < (columns == permutation).all(1).sum() < 252


def test_permutation_follows_its_seed():
    z = np.random.default_rng(0).normal(size=(50, 4))
    generator = keras.random.SeedGenerator(0)
    first, second, same, again = (
        ops.convert_to_numpy(permute_dimensions(z, seed)) for seed in (generator, generator, 7, 7)
    )
    assert (first != second).any()
    np.testing.assert_array_equal(same, again)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(permute_dimensions(z[:1], 0)), z[:1].astype("float32")
    )


def test_discriminator_terms_of_another_implementation(oracle):
    batch = oracle("latent_batch")
    expected = batch["factor_vae"]
    estimate = float(density_ratio_total_correlation(batch["logits"]))
    assert estimate == pytest.approx(expected["total_correlation"], rel=1e-6)
    assert batch["kl_total"] + expected["gamma"] * estimate == pytest.approx(
        expected["kl_plus_gamma_total_correlation"], rel=1e-6
    )
    loss = float(discriminator_loss(batch["logits"], batch["permuted_logits"]))
    assert loss == pytest.approx(expected["discriminator_loss"], rel=1e-6)


def test_discriminator_loss_of_certain_and_undecided_discriminators():
    joint, permuted = np.tile([1e4, -1e4], (3, 1)), np.tile([-1e4, 1e4], (5, 1))
    assert float(discriminator_loss(joint, permuted)) == 0
    assert float(discriminator_loss(permuted, joint)) == pytest.approx(2e4)
    assert float(discriminator_loss(np.zeros((3, 2)), np.ones((3, 2)))) == pytest.approx(
        math.log(2), rel=1e-6
    )
