import inspect
import subprocess
import sys

import pytest

from keras_devae import metrics
from keras_devae.errors import UsageError
from keras_devae.metrics import METRICS, check_names, resolved_names


def test_every_metric_is_a_public_function_with_a_description():
    for name, metric in METRICS.items():
        assert getattr(metrics, name) is metric.function and metric.description
        assert metric.function.__doc__
        parameters = inspect.signature(metric.function).parameters
        assert set(metric.fast) <= set(parameters)
    assert set(metrics.DEFAULT_METRICS) <= set(METRICS)


def test_known_names_pass():
    check_names(["mig", "kl"], has_factors=True)
    check_names(["kl", "reconstruction_error", "active_variables"], has_factors=False)
    check_names(["all"], has_factors=False)


def test_unknown_name_gets_the_close_matches():
    with pytest.raises(UsageError, match=r"Unknown metric 'migg'\. Did you mean 'mig'\?"):
        check_names(["kl", "migg"], has_factors=True)


def test_metric_that_needs_factors_is_refused_without_them():
    with pytest.raises(UsageError) as error:
        check_names(["kl", "mig", "factor_vae_score"], has_factors=False)
    message = str(error.value)
    assert message.startswith(
        "Cannot compute mig, factor_vae_score: there are no ground-truth factors."
    )
    possible = message.split(": ")[-1]
    assert "kl" in possible and "reconstruction_error" in possible and "mig" not in possible


def test_all_and_default_names_depend_on_what_there_is():
    assert resolved_names(None, has_factors=False) == (
        "active_variables",
        "kl",
        "reconstruction_error",
    )
    assert resolved_names(("all",), has_factors=True) == tuple(METRICS)
    assert "dci" not in resolved_names(("all",), has_factors=False)


def test_metrics_and_figures_import_no_backend_and_no_display():
    # Under the command line's name the package itself imports no backend, so what shows is ours.
    program = (
        "import keras_devae.metrics, keras_devae.figures; "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'matplotlib.pyplot') "
        "if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
