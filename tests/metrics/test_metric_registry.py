import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from keras_devae import metrics
from keras_devae.errors import UsageError
from keras_devae.metrics import METRICS, check_names, resolved_names, scores


def test_every_metric_is_a_public_function_with_a_description():
    for name, metric in METRICS.items():
        assert getattr(metrics, name) is metric.function and metric.description
        assert metric.function.__doc__
        parameters = inspect.signature(metric.function).parameters
        assert set(metric.fast) <= set(parameters)
    assert set(metrics.DEFAULT_METRICS) <= set(METRICS)


def test_every_file_of_a_score_is_found():
    folder = Path(scores.__file__).parent
    assert set(METRICS) == {file.stem for file in folder.glob("[a-z]*.py")}
    assert next(iter(METRICS)) == "mig"


def test_a_number_that_is_not_declared_is_refused():
    assert METRICS["mig"].key() == "mig.score"
    assert METRICS["dci"].key("completeness") == "dci.completeness"
    with pytest.raises(UsageError, match="Unknown number of dci 'completness'"):
        METRICS["dci"].key("completness")
    assert metrics.number_of("kl.total").unit == "nats"
    assert metrics.number_of("kl.totals") is metrics.number_of("better.score") is None


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


def test_lists_and_checks_of_names_import_nothing_heavy():
    program = (
        "import sys; from keras_devae import metrics; "
        "metrics.check_names(['mig', 'dci'], has_factors=True); "
        "print([metric.description for metric in metrics.METRICS.values()][0]); "
        "print([name for name in ('scipy', 'sklearn', 'lightgbm', 'keras') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines() == ["mutual information gap (Chen et al. 2018)", "[]"]


def test_the_former_name_of_score_codes_still_works():
    with pytest.warns(DeprecationWarning, match="is called `score_codes` now"):
        assert metrics.evaluate is metrics.score_codes


def test_metrics_and_figures_import_no_backend_and_no_display():
    program = (
        "import sys, keras_devae.metrics, keras_devae.figures; "
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch', 'matplotlib.pyplot') "
        "if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
