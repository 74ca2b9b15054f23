import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.losses import gaussian_kl

pytestmark = pytest.mark.backends


def kl(mean, log_var, dtype="float32"):
    return ops.convert_to_numpy(gaussian_kl(np.asarray(mean, dtype), np.asarray(log_var, dtype)))


def test_table(oracle):
    for row in oracle("gaussian_kl")["table"]:
        assert kl([row["mu"]], [row["logvar"]])[0] == pytest.approx(
            row["closed_form"], rel=1e-6, abs=1e-7
        )


def test_batch_of_other_implementations(oracle):
    batch = oracle("gaussian_kl")["batch"]
    got = kl(batch["mu"], batch["logvar"])
    # The last latent sits at the prior: its divergence of about 4e-4 nats is a small difference of
    # numbers near 1, hence the absolute tolerance.
    np.testing.assert_allclose(got, batch["per_sample_per_dim"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got.mean(0), batch["per_dim_batch_mean"], rtol=1e-5, atol=1e-6)
    assert got.sum(1).mean() == pytest.approx(batch["total"], rel=1e-6)
    assert 4 * got.sum(1).mean() == pytest.approx(batch["beta_4_regularizer"], rel=1e-6)


def test_ten_dimensions_a_unit_from_the_prior_cost_five_nats():
    np.testing.assert_allclose(kl(np.ones((4, 10)), np.zeros((4, 10))).sum(1), 5)
    np.testing.assert_array_equal(kl(np.zeros((4, 10)), np.zeros((4, 10))), 0)


def test_never_negative_near_the_prior():
    log_var = np.linspace(-1e-3, 1e-3, 20_001)
    got = kl(np.zeros_like(log_var), log_var)
    assert got.min() >= 0
    np.testing.assert_allclose(got, 0.5 * (np.expm1(log_var) - log_var), atol=1e-9)


def test_log_variances_of_fifty_are_finite():
    got = kl([0, 0], [50, -50])
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, [0.5 * (np.exp(50.0) - 51), 0.5 * 49], rtol=1e-6)


def test_float16_inputs_are_summed_in_float32():
    result = gaussian_kl(np.zeros((2, 3), "float16"), np.full((2, 3), 12, "float16"))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    # exp(12) = 162,755 lies beyond float16's largest number, 65,504.
    np.testing.assert_allclose(ops.convert_to_numpy(result), 0.5 * (np.exp(12.0) - 13), rtol=1e-6)
