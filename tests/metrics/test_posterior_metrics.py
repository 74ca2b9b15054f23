import json

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning, active_variables, kl, kl_per_dimension


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
    # Variances 1, 0.0101, 0.0099 and 0: two above the threshold of 0.01.
    z_mean = 5 + signs * np.sqrt([1.0, 0.0101, 0.0099, 0.0])
    with pytest.warns(MetricWarning, match="1 of 4 codes are constant.*: 3"):
        result = active_variables(z_mean, np.zeros_like(z_mean))
    assert result["active_variables.count"] == 2
    assert result["details"]["active"] == [0, 1]
    assert result["details"]["variance_of_mean"] == pytest.approx([1, 0.0101, 0.0099, 0])
    assert result["details"]["mean_of_variance"] == [1, 1, 1, 1]
    assert result["settings"]["threshold"] == 0.01
    varying = z_mean[:, :3]
    assert active_variables(varying, varying * 0, threshold=0.5)["active_variables.count"] == 1
    assert json.loads(json.dumps(result)) == result


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
