import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.losses import DIP_KINDS, dip_penalties

pytestmark = pytest.mark.backends


def penalties(mean, log_var, kind):
    return [float(penalty) for penalty in dip_penalties(mean, log_var, kind)]


def test_regularizers_of_another_implementation(oracle):
    batch = oracle("latent_batch")
    for row in batch["dip"]:
        off_diagonal, diagonal = penalties(batch["mu"], batch["logvar"], row["kind"])
        got = row["lambda_od"] * off_diagonal + row["lambda_d"] * diagonal
        # Float32 against float64.
        assert got == pytest.approx(row["regularizer"], rel=1e-5)


def test_penalties_from_numpys_covariance(oracle):
    batch = oracle("latent_batch")
    covariance = np.asarray(batch["cov_z_mean"])
    mask = ~np.eye(4, dtype=bool)
    off_diagonal, diagonal = penalties(batch["mu"], batch["logvar"], "i")
    assert off_diagonal == pytest.approx(np.square(covariance[mask]).sum(), rel=1e-5)
    assert diagonal == pytest.approx(np.square(np.diag(covariance) - 1).sum(), rel=1e-5)


@pytest.mark.parametrize("kind", DIP_KINDS)
def test_independent_latents_of_unit_variance_cost_nothing(kind):
    variance = 1 if kind == "i" else 0.25
    mean = np.sqrt(variance) * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    log_var = np.full((4, 2), np.log(0.75))
    np.testing.assert_allclose(penalties(mean, log_var, kind), 0, atol=1e-12)
    # The covariance does not see where the codes lie.
    np.testing.assert_allclose(penalties(mean + 3, log_var, kind), 0, atol=1e-12)


def test_only_correlation_counts_off_the_diagonal():
    mean = np.array([[1, 1], [-1, -1]])
    assert penalties(mean, np.zeros((2, 2)), "i") == pytest.approx([2, 0])
    assert penalties(mean, np.zeros((2, 2)), "ii") == pytest.approx([2, 2])


def test_small_covariances_are_not_lost_beside_large_variances():
    sign = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    mean = sign * [1000, 1] + sign[:, :1] * [0, 1e-3]
    # The covariance of the two columns is 1; their variances squared are 1e12.
    assert penalties(mean, np.zeros((4, 2)), "i")[0] == pytest.approx(2, rel=1e-3)


def test_batch_of_one():
    assert penalties(np.ones((1, 3)), np.zeros((1, 3)), "i") == [0, 3]
    assert penalties(np.ones((1, 3)), np.zeros((1, 3)), "ii") == [0, 0]


def test_log_variances_of_fifty_are_finite():
    mean = np.zeros((4, 3))
    got = penalties(mean, np.full((4, 3), 50), "ii")
    np.testing.assert_allclose(got, [0, 3 * np.exp(80.0)], rtol=1e-5)
    np.testing.assert_allclose(penalties(mean, np.full((4, 3), 20), "ii")[1], 7.06e17, rtol=1e-3)
    np.testing.assert_allclose(penalties(mean, np.full((4, 3), -50), "ii"), [0, 3], rtol=1e-6)


def test_float16_inputs_are_computed_in_float32():
    mean = np.array([[100], [-100]], "float16")
    off_diagonal, diagonal = dip_penalties(mean, np.zeros((2, 1), "float16"), "i")
    assert keras.backend.standardize_dtype(off_diagonal.dtype) == "float32"
    # A variance of 10,000; its square lies beyond float16's largest number, 65,504.
    assert float(diagonal) == pytest.approx(9999**2, rel=1e-6)


class Penalties(keras.layers.Layer):
    def call(self, inputs):
        mean, log_var = ops.split(inputs, 2, axis=-1)
        return ops.stack(dip_penalties(mean, log_var, "ii")) + ops.zeros_like(mean)

    def compute_output_shape(self, shape):
        return (shape[0], 2)


def test_compiled_with_a_smaller_last_batch():
    batch = np.random.default_rng(0).normal(size=(9, 4)).astype("float32")
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Penalties()(inputs))
    got = model.predict(batch, batch_size=4, verbose=0)
    for rows in (slice(0, 4), slice(4, 8), slice(8, 9)):
        covariance = np.cov(batch[rows, :2].T, bias=True) + np.diag(np.exp(batch[rows, 2:]).mean(0))
        expected = [2 * covariance[0, 1] ** 2, np.square(np.diag(covariance) - 1).sum()]
        np.testing.assert_allclose(got[rows], np.tile(expected, (len(got[rows]), 1)), rtol=1e-4)


def test_unknown_kind():
    with pytest.raises(UsageError, match=r"Unknown kind 'iii'\. Did you mean 'ii'"):
        dip_penalties(np.zeros((2, 2)), np.zeros((2, 2)), "iii")
