import json
import math
import warnings

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning
from keras_devae.metrics.scores.dci import dci
from keras_devae.metrics.scores.dcimig import dcimig
from keras_devae.metrics.scores.irs import irs
from keras_devae.metrics.scores.med import med
from keras_devae.metrics.scores.modularity_explicitness import modularity_explicitness
from keras_devae.metrics.scores.sap import sap

METRICS = {
    function.__name__: function
    for function in (sap, modularity_explicitness, dci, irs, med, dcimig)
}
# What is 0 where no code tells anything; predictors then still guess the most frequent value.
ZERO_WHEN_COLLAPSED = {
    "sap.score",
    "modularity_explicitness.modularity_score",
    "dci.disentanglement",
    "dcimig.score",
    "dci.completeness",
    "irs.score",
    "irs.active_codes",
    "med.disentanglement",
    "med.completeness",
}
RANDOM = np.random.default_rng(0)
FACTORS = RANDOM.integers(0, [2, 3], size=(60, 2))
CODES = FACTORS @ RANDOM.normal(size=(2, 3)) + 0.1 * RANDOM.normal(size=(60, 3))


@pytest.fixture(params=METRICS)
def metric(request):
    return METRICS[request.param]


def numbers(scores):
    """The scores alone, after a check that they are finite and that the result is JSON."""
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores
    return {key: value for key, value in scores.items() if key not in ("details", "settings")}


def quietly(metric, codes, factors, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        return numbers(metric(codes, factors, **keywords))


def test_ordinary_codes_give_no_warning_and_scores_within_0_and_1(metric, capfd):
    scores = numbers(metric(CODES, FACTORS))
    scores.pop("irs.active_codes", None)
    assert all(0 <= value <= 1 for value in scores.values())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("width", [1, 3])
def test_collapsed_codes_score_zero_with_a_warning(metric, width):
    with pytest.warns(MetricWarning, match="no active latent dimension") as record:
        scores = numbers(metric(np.full((60, width), 0.1), FACTORS))
    assert record[0].filename == __file__
    zero = {key: value for key, value in scores.items() if key in ZERO_WHEN_COLLAPSED}
    assert zero and set(zero.values()) == {0.0}


def test_constant_factor_is_dropped(metric):
    padded = np.insert(FACTORS, 1, 7, axis=1)
    with pytest.warns(MetricWarning, match=r"factor_1\.$"):
        scores = metric(CODES, padded)
    assert numbers(scores) == numbers(metric(CODES, FACTORS))
    assert scores["settings"]["dropped_factors"] == ["factor_1"]


def test_constant_code_is_named(metric):
    padded = np.concatenate([CODES, np.full((60, 1), 2.5)], axis=1)
    with pytest.warns(MetricWarning, match="1 of 4 codes are constant.*: 3") as record:
        scores = metric(padded, FACTORS)
    assert record[0].filename == __file__
    assert scores["details"]["constant_codes"] == [3]
    if metric is not modularity_explicitness:  # Its mean counts the code, as disentanglement_lib's.
        plain = numbers(metric(CODES, FACTORS))
        assert numbers(scores) == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1.7e308 / np.abs(CODES).max()])
def test_huge_and_tiny_codes_are_finite(metric, scale):
    scores = numbers(metric(CODES * scale, FACTORS))
    assert all(math.isfinite(value) for value in scores.values())
    if metric is not sap:  # It depends on the scale by definition.
        assert scores == pytest.approx(numbers(metric(CODES, FACTORS)), abs=0.03)
    mixed = CODES * [scale, 1.0, 1 / max(scale, 1.0)]
    numbers(metric(mixed, FACTORS))


def test_huge_value_among_ordinary_ones_is_finite(metric):
    for row in (0, 59):
        codes = CODES.copy()
        codes[row, 1] = 1e300
        quietly(metric, codes, FACTORS)


def test_one_code(metric):
    assert numbers(metric(CODES[:, :1], FACTORS))


def test_one_factor(metric):
    assert numbers(metric(CODES, FACTORS[:, :1]))


def test_fewer_samples_than_values(metric):
    factors = np.array([[0, 0], [1, 1], [2, 0], [3, 1], [4, 0], [5, 1]])
    assert quietly(metric, CODES[:6], factors)


@pytest.mark.parametrize("metric", [sap, modularity_explicitness, dci, med])
def test_single_training_row_is_refused(metric):
    with pytest.raises(UsageError, match="the first 1 rows, which train"):
        metric(CODES[:2], np.array([[0], [1]]))


def test_whole_numbers_in_floats_and_booleans_are_factors(metric):
    known = numbers(metric(CODES, FACTORS))
    assert numbers(metric(CODES, FACTORS * 1.0)) == known
    binary = FACTORS[:, :1]
    assert numbers(metric(CODES, binary == 1)) == numbers(metric(CODES, binary))


def test_integer_and_float32_codes_are_taken(metric):
    assert numbers(metric(FACTORS, FACTORS)) == numbers(metric(FACTORS * 1.0, FACTORS))
    assert numbers(metric(CODES.astype(np.float32), FACTORS))


def with_value(array, value):
    array = array.astype(float)
    array[2, 1] = value
    return array


@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (with_value(CODES, np.nan), FACTORS, "nan at row 2, column 1"),
        (with_value(CODES, np.inf), FACTORS, "inf at row 2, column 1"),
        (CODES, FACTORS + 0.5, "whole numbers"),
        (CODES[:50], FACTORS, "50 rows of codes and 60 rows of factors"),
        (CODES, FACTORS * 0, "which never vary"),
        (CODES[:, 0], FACTORS, "`codes` must be"),
    ],
)
def test_wrong_arrays_are_refused(metric, codes, factors, message):
    with pytest.raises(UsageError, match=message):
        metric(codes, factors)


def test_same_call_gives_the_same_result(metric):
    assert metric(CODES, FACTORS, seed=1) == metric(CODES, FACTORS, seed=1)
