"""The divergence from the prior in parts: information, dependence and marginals."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.losses import (
    ESTIMATORS,
    KLDecomposition,
    decompose_kl,
    decompose_kl_by_groups,
    stratified_log_weights,
)

pytestmark = pytest.mark.backends

SIZES = ("8", "100", "737280")

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
    """The terms, repeated for every row, with the data set's size a weight."""

    def __init__(self, estimator, dataset_size):
        super().__init__()
        self.estimator = estimator
        self.dataset_size = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.dataset_size.assign(dataset_size)

    def call(self, inputs):
        z, mean, log_var = ops.split(inputs, 3, axis=-1)
        terms = decompose_kl(z, mean, log_var, self.dataset_size, self.estimator)
        return ops.stack(terms) + ops.zeros_like(z[:, :1])

    def compute_output_shape(self, shape):
        return (shape[0], 3)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_compiled_with_a_smaller_last_batch(estimator):
    batch = random_batch(9, latent_dim=3)
    inputs = keras.Input((9,))
    model = keras.Model(inputs, Terms(estimator, 1000)(inputs))
    terms = model.predict(np.concatenate(batch, axis=1), batch_size=4, verbose=0)
    for rows in (slice(0, 4), slice(4, 8), slice(8, 9)):
        expected = decompose(*(array[rows] for array in batch), 1000, estimator)
        np.testing.assert_allclose(terms[rows], np.tile(expected, (len(terms[rows]), 1)), rtol=1e-5)


def test_float16_inputs_give_float32():
    z, mean, log_var = (array.astype("float16") for array in random_batch(4))
    for term in decompose_kl(z, mean, log_var, 737_280):
        assert keras.backend.standardize_dtype(term.dtype) == "float32"


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


# By groups.

GROUPINGS = [(5,), (1, 1, 1, 1, 1), (2, 3), (1, 3, 1)]


def by_groups(batch, size, sizes, **options):
    parts = decompose_kl_by_groups(*batch, size, sizes, **options)
    return {name: float(value) for name, value in parts._asdict().items()}


def numpy_parts(batch, size, sizes):
    """The parts with the estimator of Esmaeili et al., one density at a time, in float64."""
    z, mean, log_var = (array.astype("float64") for array in batch)
    count, dimensions = z.shape
    weights = np.full((count, count), (size - 1) / (size * max(count - 1, 1)))
    np.fill_diagonal(weights, 1 / size if count > 1 else 1)
    densities = np.exp(normal_log_density(z[:, None], mean[None], log_var[None]))

    def log_product(groups):
        return sum(np.log((weights * densities[:, :, g].prod(-1)).sum(1)) for g in groups)

    ends = np.cumsum(sizes)
    groups = [list(range(end - size, end)) for end, size in zip(ends, sizes, strict=True)]
    joint, marginals = log_product([list(range(dimensions))]), log_product([[d] for d in range(5)])
    conditional = normal_log_density(z, mean, log_var).sum(1)
    prior = normal_log_density(z, 0, 0).sum(1)
    return {
        "within_groups": (log_product(groups) - marginals).mean(),
        "dimension_wise_kl": (marginals - prior).mean(),
        "mutual_information": (conditional - joint).mean(),
        "between_groups": (joint - log_product(groups)).mean(),
    }


@pytest.mark.parametrize("sizes", GROUPINGS)
@pytest.mark.parametrize(("batch_size", "dataset_size"), [(1, 50), (2, 2), (16, 1000)])
def test_groups_against_numpy(sizes, batch_size, dataset_size):
    batch = random_batch(batch_size)
    expected = numpy_parts(batch, dataset_size, sizes)
    assert by_groups(batch, dataset_size, sizes) == pytest.approx(expected, rel=1e-5, abs=5e-5)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_groups_split_the_total_correlation(estimator):
    batch = random_batch(32)
    whole = decompose(*batch, 1000, estimator)
    for sizes in GROUPINGS:
        parts = by_groups(batch, 1000, sizes, estimator=estimator)
        between, within = parts["between_groups"], parts["within_groups"]
        assert between + within == pytest.approx(whole.total_correlation, rel=1e-5, abs=1e-5)
        assert parts["mutual_information"] == pytest.approx(whole.mutual_information, abs=1e-5)
        assert parts["dimension_wise_kl"] == pytest.approx(whole.dimension_wise_kl, abs=1e-5)
        assert (between == 0) == (len(sizes) == 1) and (within == 0) == (len(sizes) == 5)


def test_a_data_set_smaller_than_the_batch_counts_as_large():
    batch = random_batch(8)
    assert by_groups(batch, 3, (2, 3)) == by_groups(batch, 8, (2, 3))


def gaussian_total_correlation(covariance, groups):
    """Closed form of the total correlation between groups of Gaussian codes."""
    blocks = sum(np.linalg.slogdet(covariance[np.ix_(g, g)])[1] for g in groups)
    return 0.5 * (blocks - np.linalg.slogdet(covariance)[1])


@pytest.mark.parametrize("estimator", ["bias_corrected", "stratified"])
def test_groups_of_gaussian_codes(estimator):
    """Two pairs, dependent within by 0.7 and between by 0.4, with a posterior variance of 0.1."""
    rng = np.random.default_rng(0)
    covariance = np.eye(4)
    covariance[0, 1] = covariance[1, 0] = 0.7
    covariance[0, 2] = covariance[2, 0] = 0.4
    noise = rng.normal(size=(2000, 4))
    whitened = np.linalg.solve(np.linalg.cholesky(np.cov(noise.T)), (noise - noise.mean(0)).T).T
    mean = whitened @ np.linalg.cholesky(covariance - 0.1 * np.eye(4)).T
    z = mean + math.sqrt(0.1) * rng.normal(size=mean.shape)
    parts = by_groups(
        (z, mean, np.full_like(mean, math.log(0.1))), 2000, (2, 2), estimator=estimator
    )
    pairs, singles = [[0, 1], [2, 3]], [[0], [1], [2], [3]]
    between = gaussian_total_correlation(covariance, pairs)
    expected = {
        "between_groups": between,
        "within_groups": gaussian_total_correlation(covariance, singles) - between,
        # The marginals are standard normal; the information is H(z) - H(z|x).
        "dimension_wise_kl": 0,
        "mutual_information": 0.5 * (np.linalg.slogdet(covariance)[1] - 4 * math.log(0.1)),
    }
    # 2,000 posteriors make a density of four dimensions that is known to a tenth of a nat.
    assert parts == pytest.approx(expected, abs=0.12)


@pytest.mark.parametrize("sizes", [(), (2, 2), (3, 3)])
def test_groups_that_do_not_add_up(sizes):
    with pytest.raises(UsageError, match="`group_sizes` must add up to the number of latent dim"):
        decompose_kl_by_groups(*random_batch(2), 10, sizes)


def test_groups_of_no_dimension():
    with pytest.raises(UsageError, match=r"`group_sizes` must be .* at least 1. Received: 0"):
        decompose_kl_by_groups(*random_batch(2), 10, (5, 0))
