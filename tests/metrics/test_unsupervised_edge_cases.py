"""What every metric of this group does with codes and factors that nobody wishes for."""

import json
import math
import warnings

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.metric_warnings import MetricWarning
from keras_devae.metrics.scores.downstream_accuracy import downstream_accuracy
from keras_devae.metrics.scores.elbo_decomposition import elbo_decomposition
from keras_devae.metrics.scores.gaussian_total_correlation import gaussian_total_correlation
from keras_devae.metrics.scores.infomec import infomec
from keras_devae.metrics.scores.mutual_information_score import mutual_information_score
from keras_devae.metrics.scores.wasserstein_correlation import wasserstein_correlation
from keras_devae.metrics.unsupervised_disentanglement_ranking import udr


def of_two_models(kind):
    def score(codes):
        codes = np.asarray(codes)
        kl = np.ones((2, codes.shape[1]))
        return udr([codes, codes[:, ::-1]], kl, kind=kind)

    return score


UNSUPERVISED = {
    "gaussian_total_correlation": gaussian_total_correlation,
    "wasserstein_correlation": wasserstein_correlation,
    "mutual_information_score": mutual_information_score,
    "udr_spearman": of_two_models("spearman"),
    "udr_lasso": of_two_models("lasso"),
    "elbo_decomposition": lambda codes: elbo_decomposition(codes, np.zeros_like(codes, float)),
}
SUPERVISED = {
    "infomec_continuous": infomec,
    "infomec_discrete": lambda *arrays: infomec(*arrays, estimator="discrete"),
    "downstream_accuracy": lambda *arrays: downstream_accuracy(*arrays, train_sizes=[3]),
}
EVERY = {
    **{name: lambda codes, _, f=function: f(codes) for name, function in UNSUPERVISED.items()},
    **SUPERVISED,
}
# These do not depend on the scale of codes, or not on a common scale.
SCALED = sorted(set(EVERY) - {"elbo_decomposition"})
FACTORS = np.random.default_rng(0).integers(0, [2, 3], size=(60, 2))
CODES = FACTORS @ [[1.0, 0.3, 0.0], [0.0, 0.5, 1.0]]
CODES = CODES + 0.1 * np.random.default_rng(1).normal(size=(60, 3))

every = pytest.mark.parametrize("name", EVERY)
supervised = pytest.mark.parametrize("name", SUPERVISED)


def scores_of(name, codes=CODES, factors=FACTORS):
    """The flat keys, with `MetricWarning`s kept quiet and all others errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        result = EVERY[name](codes, factors)
    json.loads(json.dumps(result, allow_nan=False))
    return {key: value for key, value in result.items() if "." in key}


@every
def test_ordinary_codes_are_finite_and_say_nothing(name, capsys):
    result = EVERY[name](CODES, FACTORS)
    assert all(math.isfinite(value) for key, value in result.items() if "." in key)
    printed = capsys.readouterr()
    assert not printed.out and not printed.err


@every
def test_collapsed_codes_are_finite_with_a_warning(name):
    codes = np.full((60, 4), 0.1)
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        EVERY[name](codes, FACTORS)
    scores = scores_of(name, codes)
    if name not in ("downstream_accuracy", "elbo_decomposition"):
        assert set(scores.values()) == {0.0}


@every
def test_a_constant_code_is_finite(name):
    scores = scores_of(name, np.hstack([CODES, np.full((60, 1), 0.1)]))
    if name not in ("mutual_information_score", "elbo_decomposition"):
        assert scores == pytest.approx(scores_of(name), abs=1e-3)


@every
@pytest.mark.parametrize("exponent", [-990, 990])
def test_tiny_and_huge_codes(name, exponent):
    # A power of two: rounding alone changes which of 60 samples are neighbours.
    scale = 2.0**exponent
    if name not in SCALED and scale > 1:
        with pytest.raises(UsageError, match="must be between"):
            scores_of(name, CODES * scale)
        return
    scores, plain = scores_of(name, CODES * scale), scores_of(name)
    for key in plain.keys() - {"wasserstein_correlation.score"}:
        if name in SCALED:
            assert scores[key] == pytest.approx(plain[key], rel=1e-9), key


@every
def test_one_huge_code_among_others_is_finite(name):
    codes = CODES * [1.0, 1.0, 1e300]
    if name in SCALED:
        assert all(map(math.isfinite, scores_of(name, codes).values()))


@every
def test_one_code_is_finite(name):
    assert all(map(math.isfinite, scores_of(name, CODES[:, :1]).values()))


@supervised
def test_one_factor_is_finite(name):
    assert all(map(math.isfinite, scores_of(name, factors=FACTORS[:, :1]).values()))


@every
def test_five_rows_are_finite(name):
    factors = np.array([[0, 0], [1, 1], [0, 2], [1, 0], [0, 1]])
    assert all(map(math.isfinite, scores_of(name, CODES[:5], factors).values()))


@every
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused(name, value):
    codes = CODES.copy()
    codes[3, 1] = value
    with pytest.raises(UsageError, match=f"{value} at row 3, column 1"):
        EVERY[name](codes, FACTORS)


@every
def test_float32_and_integer_codes_are_taken(name):
    whole = np.rint(CODES * 20)
    expected = scores_of(name, whole)
    assert scores_of(name, whole.astype(np.float32)) == expected
    assert scores_of(name, whole.astype(np.int16)) == expected


@supervised
def test_constant_factor_is_dropped(name):
    factors = np.insert(FACTORS, 1, 7, axis=1)
    with pytest.warns(MetricWarning, match=r"single value in these samples: factor_1\.$"):
        SUPERVISED[name](CODES, factors)
    assert scores_of(name, factors=factors) == scores_of(name)


@supervised
def test_whole_numbers_in_floats_are_factors_and_fractions_are_not(name):
    assert scores_of(name, factors=FACTORS * 1.0) == scores_of(name)
    with pytest.raises(UsageError, match="whole numbers"):
        SUPERVISED[name](CODES, FACTORS + 0.5)


@supervised
def test_different_lengths_are_refused(name):
    with pytest.raises(UsageError, match="59 rows of codes and 60 rows of factors"):
        SUPERVISED[name](CODES[:59], FACTORS)


@every
def test_rows_that_are_all_the_same_but_one(name):
    codes = np.zeros((60, 3))
    codes[0] = [1, 2, 3]
    assert all(map(math.isfinite, scores_of(name, codes).values()))


@every
def test_one_row_is_no_crash(name):
    if name in SUPERVISED:
        with pytest.raises(UsageError, match="never vary"):
            scores_of(name, CODES[:1], FACTORS[:1])
    else:
        assert all(map(math.isfinite, scores_of(name, CODES[:1]).values()))
