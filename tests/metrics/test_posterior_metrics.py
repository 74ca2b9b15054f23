import json

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics import (
    MetricWarning,
    active_dimensions,
    active_variables,
    kl,
    kl_per_dimension,
    signal_per_dimension,
)


def test_kl_equals_the_closed_form(expected):
    for row in expected["kl"]["table"]:
        value = kl_per_dimension([[row["mu"]]], [[row["logvar"]]])
        assert value.tolist() == pytest.approx([row["closed_form"]], abs=1e-12)


def test_kl_equals_other_implementations(expected):
    batch = expected["kl"]["batch"]
    result = kl(batch["mu"], batch["logvar"])
    assert result["details"]["per_dimension"] == pytest.approx(batch["per_dimension"], abs=1e-6)
    assert result["kl.total"] == pytest.approx(batch["total"], abs=1e-6)
    assert result["settings"]["sample_count"] == 8 and result["settings"]["code_count"] == 4
    assert json.loads(json.dumps(result)) == result


def test_kl_next_to_the_prior_keeps_its_digits():
    # v^2/4 + O(v^3) for a log-variance v near 0.
    value = kl_per_dimension(np.zeros((1, 1)), np.full((1, 1), 1e-6))
    assert value[0] == pytest.approx(0.25e-12, rel=1e-3)
    assert kl_per_dimension(np.zeros((5, 2)), np.zeros((5, 2))).tolist() == [0.0, 0.0]


def test_kl_is_never_negative():
    log_var = np.random.default_rng(0).normal(scale=1e-9, size=(1000, 3))
    assert kl_per_dimension(np.zeros_like(log_var), log_var).min() >= 0


def test_active_variables_counts_the_variance_of_means():
    signs = np.tile([-1.0, 1.0], 50)[:, None]
    # Variances 1, 0.0101, 0.0099 and 0: two above the threshold of 0.01, and none of 0.5 nats.
    z_mean = 5 + signs * np.sqrt([1.0, 0.0101, 0.0099, 0.0])
    with pytest.warns(MetricWarning, match="1 of 4 codes are constant.*: 3"):
        result = active_variables(z_mean, np.zeros_like(z_mean))
    assert result["active_variables.varying_means"] == 2
    assert result["active_variables.count"] == 0 and result["details"]["active"] == []
    assert result["details"]["signal"] == pytest.approx(
        0.5 * np.log([2.0, 1.0101, 1.0099, 1.0]), abs=1e-12
    )
    assert result["details"]["variance_of_mean"] == pytest.approx([1, 0.0101, 0.0099, 0])
    assert result["details"]["mean_of_variance"] == [1, 1, 1, 1]
    assert result["settings"]["threshold"] == 0.01
    varying = z_mean[:, :3]
    fewer = active_variables(varying, varying * 0, threshold=0.5)
    assert fewer["active_variables.varying_means"] == 1
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    ("mean", "spread", "deviation", "active"),
    [
        # Collapsed to the prior.
        (0.0, 0.0, 1.0, False),
        (0.0, 0.05, 1.0, False),
        # Shifted from it alike for all images: 3.4 nats of KL divergence.
        (1.95, 0.026, 0.135, False),
        (1.74, 0.026, 0.135, False),
        (1e4, 0.0, 1e-3, False),
        # Rounding of float32 is no signal, however sharp the posterior.
        (1e4, 1e-4, 1e-6, False),
        # Of an ordinary VAE, from sharp to faint: half a nat is a spread of 1.31 deviations.
        (0.0, 0.99, 0.1, True),
        (0.0, 0.795, 0.606, True),
        (0.0, 0.79, 0.609, False),
        # In another unit it is the same code, though Burda's variance is 1e-6 or 1e4.
        (0.0, 1e-3, 1e-4, True),
        (5.0, 1e-3, 1e-4, True),
        (0.0, 100.0, 10.0, True),
        (0.0, 100.0, 1000.0, False),
    ],
)
def test_a_dimension_is_active_by_the_spread_of_its_means_beside_its_noise(
    mean, spread, deviation, active
):
    z_mean = mean + spread * np.tile([-1.0, 1.0], 50)[:, None]
    log_var = np.full(z_mean.shape, 2 * np.log(deviation))
    signal = signal_per_dimension(z_mean, log_var)
    assert active_dimensions(signal).tolist() == [active]
    if spread > 1e-4 * abs(mean):
        # The information between the code and a Gaussian mean with that spread.
        expected = 0.5 * np.log(spread**2 + deviation**2) - np.log(deviation)
        assert signal == pytest.approx([expected], rel=1e-6, abs=1e-12)
    if z_mean.std():
        assert active_variables(z_mean, log_var)["active_variables.count"] == active


def test_signal_equals_the_divergence_where_all_codes_together_are_the_prior():
    rng = np.random.default_rng(0)
    deviation = np.array([0.1, 0.5, 0.9])
    z_mean = rng.normal(size=(100_000, 3)) * np.sqrt(1 - deviation**2)
    log_var = np.broadcast_to(2 * np.log(deviation), z_mean.shape)
    signal, divergence = signal_per_dimension(z_mean, log_var), kl_per_dimension(z_mean, log_var)
    np.testing.assert_allclose(signal, divergence, rtol=0.02)


def test_a_dimension_sharp_for_some_images_only_is_active():
    z_mean = np.where(np.arange(1000)[:, None] % 2, 0.0, np.linspace(-2, 2, 1000)[:, None])
    log_var = np.where(np.arange(1000)[:, None] % 2, 0.0, 2 * np.log(0.01))
    assert active_dimensions(signal_per_dimension(z_mean, log_var)).tolist() == [True]


def test_collapsed_posterior_has_no_active_variable():
    zeros = np.zeros((10, 3), np.float32)
    with pytest.warns(MetricWarning, match="no active latent dimension") as record:
        assert active_variables(zeros, zeros)["active_variables.count"] == 0
    assert record[0].filename == __file__
    assert kl(zeros, zeros)["kl.total"] == 0


def test_a_large_offset_does_not_hide_the_variance():
    z_mean = 1e4 + np.tile([-1.0, 1.0], 10)[:, None].astype(np.float32)
    assert active_variables(z_mean, z_mean * 0)["details"]["variance_of_mean"] == [1.0]


def test_wrong_use_is_refused_in_a_sentence():
    zeros = np.zeros((4, 2))
    with pytest.raises(UsageError, match=r"`z_log_var` must be finite.*nan at row 0"):
        kl(zeros, zeros * np.nan)
    with pytest.raises(UsageError, match=r"same shape.*\(4, 2\) and \(3, 2\)"):
        kl_per_dimension(zeros, zeros[:3])
    with pytest.raises(UsageError, match=r"`threshold` must be a finite.*Received: -1"):
        active_variables(zeros, zeros, threshold=-1)
    with pytest.raises(UsageError, match=r"`z_mean` must be between.*size 1e\+200"):
        kl(zeros + 1e200, zeros)
    with pytest.raises(UsageError, match=r"`z_log_var` must be between.*size 1000"):
        active_variables(zeros, zeros + 1000)
