import warnings

import pytest
from sklearn.exceptions import ConvergenceWarning

from keras_devae.metrics.estimators.fitting import run_quietly


def test_what_the_function_returns_is_returned():
    assert run_quietly(lambda: 3) == (3, False)


def test_a_failure_to_converge_is_told_not_issued():
    def fit():
        warnings.warn("not converged", ConvergenceWarning, stacklevel=1)
        warnings.warn("The number of unique classes is greater than 50%", stacklevel=1)
        return "model"

    assert run_quietly(fit) == ("model", True)


def test_other_warnings_come_through():
    def fit():
        warnings.warn("something else", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="something else"):
        warnings.simplefilter("always")
        run_quietly(fit)
