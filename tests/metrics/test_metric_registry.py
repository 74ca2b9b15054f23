import subprocess
import sys

import pytest

from keras_devae import metrics
from keras_devae.errors import UsageError
from keras_devae.metrics import METRICS, check_names


def test_every_metric_is_a_public_function_with_a_description():
    assert set(METRICS) == {"mig", "active_variables", "kl", "reconstruction_error"}
    for name, metric in METRICS.items():
        assert callable(getattr(metrics, name)) and metric.description
    assert [name for name, metric in METRICS.items() if metric.needs_factors] == ["mig"]


def test_known_names_pass():
    check_names(["mig", "kl"], has_factors=True)
    check_names(["kl", "reconstruction_error", "active_variables"], has_factors=False)


def test_unknown_name_gets_the_close_matches():
    with pytest.raises(UsageError, match=r"Unknown metric 'migg'\. Did you mean 'mig'\?"):
        check_names(["kl", "migg"], has_factors=True)


def test_metric_that_needs_factors_is_refused_without_them():
    with pytest.raises(UsageError) as error:
        check_names(["kl", "mig"], has_factors=False)
    message = str(error.value)
    assert message.startswith("Cannot compute mig: the data set has no ground-truth factors.")
    assert "Metrics that need factors: mig." in message
    assert "Metrics that do not: active_variables, kl, reconstruction_error." in message


def test_metrics_and_figures_import_no_backend_and_no_display():
    # Under the command line's name the package itself imports no backend, so what shows is ours.
    program = (
        "import sys; sys.argv[0] = 'keras-devae'; import keras_devae.metrics, keras_devae.figures; "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'matplotlib.pyplot') "
        "if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
