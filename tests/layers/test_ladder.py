"""The layers of the ladder VAE against closed forms and SciPy."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import integrate, stats

from keras_devae.errors import UsageError
from keras_devae.layers import (
    BatchNormalization,
    ConditionalPrior,
    PrecisionWeightedMerge,
    TopDownPass,
)
from keras_devae.losses import gaussian_kl

pytestmark = pytest.mark.backends


def arrays(*tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def normals(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


@pytest.mark.parametrize(
    ("mean", "std", "prior_mean", "prior_std"),
    [(1.0, 0.5, -2.0, 3.0), (0.3, 1.0, 0.3, 1.0), (-4.0, 2.0, 1.0, 0.25)],
)
def test_the_merge_is_the_product_of_the_densities(mean, std, prior_mean, prior_std):
    def density(x):
        return stats.norm.pdf(x, mean, std) * stats.norm.pdf(x, prior_mean, prior_std)

    def moment(power):
        return integrate.quad(lambda x: x**power * density(x), -20, 20, points=[mean, prior_mean])[
            0
        ]

    expected = moment(1) / moment(0)
    variance = moment(2) / moment(0) - expected**2
    log_vars = 2 * np.log([std, prior_std])
    inputs = (np.full((1, 1), x, "float32") for x in (mean, log_vars[0], prior_mean, log_vars[1]))
    merged, log_var = arrays(*PrecisionWeightedMerge()(*inputs))
    assert merged.item() == pytest.approx(expected, rel=1e-5)
    assert np.exp(log_var.item()) == pytest.approx(variance, rel=1e-5)
    assert np.exp(log_var.item()) == pytest.approx(1 / (std**-2 + prior_std**-2), rel=1e-5)


def test_the_merge_of_extreme_variances_is_the_narrower_gaussian():
    log_vars = np.array([[-80.0, 80.0, 80.0]], "float32")
    prior_log_vars = np.array([[80.0, -80.0, 80.0]], "float32")
    means, prior_means = np.full((1, 3), 3, "float32"), np.full((1, 3), -1, "float32")
    merged, log_var = arrays(
        *PrecisionWeightedMerge()(means, log_vars, prior_means, prior_log_vars)
    )
    np.testing.assert_allclose(merged, [[3, -1, 1]], rtol=1e-6)
    np.testing.assert_allclose(log_var, [[-80, -80, 80 - np.log(2)]], rtol=1e-6)


def with_random_weights(layer, seed=1):
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_variables:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    return layer


def test_codes_in_units_of_their_priors_have_the_divergence_of_the_layers_own():
    """The sum of KL(q_i, p_i), computed where the layers are, by SciPy's numerical integration."""
    stack = with_random_weights(TopDownPass((2, 1), batch_normalization=False))
    mean, log_var, noise = normals(*[(3, 3)] * 3)
    outputs = stack(mean, log_var, noise)
    own = arrays(*outputs["layers"])
    (kl,) = arrays(gaussian_kl(outputs["z_mean"], outputs["z_log_var"]))
    prior_mean, prior_log_var = arrays(*stack.priors[0](own[1]))

    def divergence(q, p):
        low, high = q.mean() - 9 * q.std(), q.mean() + 9 * q.std()
        return integrate.quad(lambda x: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), low, high)[0]

    for row in range(3):
        top = stats.norm(mean[row, 2], np.exp(log_var[row, 2] / 2))
        assert kl[row, 2] == pytest.approx(divergence(top, stats.norm()), rel=1e-4)
        assert own[1][row, 0] == pytest.approx(top.mean() + top.std() * noise[row, 2], rel=1e-5)
        for d in range(2):
            prior = stats.norm(prior_mean[row, d], np.exp(prior_log_var[row, d] / 2))
            precisions = np.exp(-log_var[row, d]), prior.std() ** -2
            variance = 1 / sum(precisions)
            merged = variance * (precisions[0] * mean[row, d] + precisions[1] * prior.mean())
            posterior = stats.norm(merged, variance**0.5)
            assert kl[row, d] == pytest.approx(divergence(posterior, prior), rel=1e-3, abs=1e-5)
            code = posterior.mean() + posterior.std() * noise[row, d]
            assert own[0][row, d] == pytest.approx(code, rel=1e-4, abs=1e-5)


def test_the_layers_of_codes_are_those_of_the_pass():
    stack = with_random_weights(TopDownPass((3, 2, 1)))
    outputs = stack(*normals((5, 6), (5, 6), (5, 6)))
    for one, other in zip(outputs["layers"], stack.layers_of(outputs["z"]), strict=True):
        np.testing.assert_allclose(*arrays(one, other), rtol=1e-6)
    # Standard normal codes are draws of the hierarchy: z_1 given z_2 is Gaussian as learned.
    codes = np.tile(normals((1, 6), seed=3)[0], (4000, 1))
    codes[:, :3] = normals((4000, 3), seed=4)[0]
    lowest, above, _ = arrays(*stack.layers_of(codes))
    mean, log_var = arrays(*stack.priors[0](above[:1]))
    np.testing.assert_allclose(lowest.mean(0), mean[0], atol=0.1 * np.exp(log_var / 2).max())
    np.testing.assert_allclose(lowest.std(0), np.exp(log_var[0] / 2), rtol=0.1)


def test_one_layer_passes_its_posterior_on():
    stack = TopDownPass((4,))
    assert not stack.weights
    mean, log_var, noise = normals(*[(5, 4)] * 3)
    outputs = stack(mean, log_var, noise)
    np.testing.assert_array_equal(*arrays(outputs["z_mean"], mean))
    np.testing.assert_array_equal(*arrays(outputs["z_log_var"], log_var))
    np.testing.assert_allclose(
        arrays(outputs["z"])[0], mean + np.exp(log_var / 2) * noise, rtol=1e-5
    )


def test_extreme_posteriors_stay_finite():
    stack = with_random_weights(TopDownPass((2, 2)))
    log_var = np.array([[-20, 20, 20, -20], [20, -20, -20, 20]], "float32")
    outputs = stack(np.full((2, 4), 30, "float32"), log_var, normals((2, 4))[0])
    values = arrays(*(outputs[name] for name in ("z_mean", "z_log_var", "z")), *outputs["layers"])
    assert all(np.isfinite(value).all() for value in values)
    assert np.abs(values[1]).max() <= 20


@pytest.mark.parametrize(
    "layer",
    [
        PrecisionWeightedMerge(),
        ConditionalPrior(3, 8, batch_normalization=False, seed=2),
        TopDownPass((3, 2), seed=2),
        BatchNormalization(momentum=0.9),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_are_rebuilt_from_their_configuration(layer):
    described = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(described)
    assert again.get_config() == layer.get_config()
    assert described["registered_name"] == f"keras_devae>{type(layer).__name__}"


def test_seeds_fix_the_priors():
    stacks = [TopDownPass((3, 2, 1), seed=seed) for seed in (4, 4, 5)]
    one, same, other = ([*map(np.asarray, stack.get_weights())] for stack in stacks)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("dims", [(), (3, 0), (2.5,), "32"])
def test_wrong_dims_are_refused(dims):
    with pytest.raises(UsageError, match="`layer_dims`"):
        TopDownPass(dims)


def test_batch_normalisation_is_that_of_keras():
    x = normals((16, 3))[0] * 4 + 2
    own, theirs = BatchNormalization(), keras.layers.BatchNormalization()
    for training in (True, False):
        np.testing.assert_array_equal(
            *arrays(own(x, training=training), theirs(x, training=training))
        )
    np.testing.assert_allclose(own.moving_mean, 0.01 * x.mean(0), rtol=1e-4)
