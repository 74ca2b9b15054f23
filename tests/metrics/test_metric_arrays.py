"""Arrays that a metric cannot represent are refused, and those that it can are exact."""

import numpy as np
import pytest
import scipy.sparse

from keras_devae import metrics
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import check_codes, check_factors

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, [2, 3], size=(60, 2))
CODES = FACTORS @ [[1.0, 0.3, 0.0], [0.0, 0.5, 1.0]] + 0.1 * RNG.normal(size=(60, 3))
LOG_VAR = np.full((60, 3), -2.0)
FEW = {"n_train": 30, "n_test": 20}
#: Every function that takes codes, as a function of codes alone.
OF_CODES = {
    "mig": lambda codes: metrics.mig(codes, FACTORS),
    "factor_vae_score": lambda codes: metrics.factor_vae_score(codes, FACTORS, **FEW),
    "beta_vae_score": lambda codes: metrics.beta_vae_score(codes, FACTORS, **FEW),
    "dci": lambda codes: metrics.dci(codes, FACTORS, predictor="lightgbm"),
    "sap": lambda codes: metrics.sap(codes, FACTORS),
    "modularity_explicitness": lambda codes: metrics.modularity_explicitness(codes, FACTORS),
    "irs": lambda codes: metrics.irs(codes, FACTORS),
    "med": lambda codes: metrics.med(codes, FACTORS),
    "infomec": lambda codes: metrics.infomec(codes, FACTORS),
    "downstream_accuracy": lambda codes: metrics.downstream_accuracy(
        codes, FACTORS, predictors="logistic_regression", train_sizes=[10]
    ),
    "gaussian_total_correlation": metrics.gaussian_total_correlation,
    "wasserstein_correlation": metrics.wasserstein_correlation,
    "mutual_information_score": metrics.mutual_information_score,
    "active_variables": lambda codes: metrics.active_variables(codes, LOG_VAR),
    "kl": lambda codes: metrics.kl(codes, LOG_VAR),
    "kl of variances": lambda codes: metrics.kl(CODES, codes),
    "elbo_decomposition": lambda codes: metrics.elbo_decomposition(codes, LOG_VAR, evaluated=10),
    "udr": lambda codes: metrics.udr([codes, CODES], np.ones((2, 3))),
    "mutual_information_matrix": lambda codes: metrics.mutual_information_matrix(codes, FACTORS),
    "histogram_discretize": metrics.histogram_discretize,
    "quantile_discretize": metrics.quantile_discretize,
    "CodeTable": lambda codes: metrics.CodeTable(codes, FACTORS),
    "score_codes": lambda codes: metrics.score_codes(codes, FACTORS, ["mig"]),
}
OF_FACTORS = {
    "mig": lambda factors: metrics.mig(CODES, factors),
    "sap": lambda factors: metrics.sap(CODES, factors),
    "irs": lambda factors: metrics.irs(CODES, factors),
    "med": lambda factors: metrics.med(CODES, factors),
    "modularity_explicitness": lambda factors: metrics.modularity_explicitness(CODES, factors),
    "CodeTable": lambda factors: metrics.CodeTable(CODES, factors),
    "dci": lambda factors: metrics.dci(CODES, factors, predictor="lightgbm"),
    "factor_vae_score": lambda factors: metrics.factor_vae_score(CODES, factors, **FEW),
    "beta_vae_score": lambda factors: metrics.beta_vae_score(CODES, factors, **FEW),
    "infomec": lambda factors: metrics.infomec(CODES, factors),
    "downstream_accuracy": lambda factors: metrics.downstream_accuracy(
        CODES, factors, predictors="logistic_regression", train_sizes=[10]
    ),
    "mutual_information_matrix": lambda factors: metrics.mutual_information_matrix(CODES, factors),
    "entropy": metrics.entropy,
    "score_codes": lambda factors: metrics.score_codes(CODES, factors, ["mig"]),
}


def masked(values):
    return np.ma.masked_array(values, np.arange(values.size).reshape(values.shape) == 7)


#: What is neither codes nor factors, made of an array.
NO_NUMBERS = {
    "masked": (masked, "must have a value everywhere. Received: masked values"),
    "list of masked rows": (lambda a: list(masked(a)), "Received: masked values"),
    "complex": (lambda a: a + 0j, "dtype complex128, which is not a dtype of real numbers"),
    "objects": (lambda a: a.astype(object), "dtype object; convert it to numbers first"),
    "words": (lambda a: a.astype(str), "which is not a dtype of real numbers"),
    "dates": (lambda a: a.astype("datetime64[s]"), "which is not a dtype of real numbers"),
    "durations": (lambda a: a.astype("timedelta64[s]"), "not a dtype of real numbers"),
    "records": (lambda a: a.astype([("a", "f8")]), "which is not a dtype of real numbers"),
    "ragged": (
        lambda a: [[1.0], *a.tolist()[1:]],
        r"Received: rows of different lengths, from 1 to \d values",
    ),
    "sparse": (scipy.sparse.csr_array, r"pass its `.toarray\(\)`"),
    "no rows": (lambda a: a[:0], r"Received: shape \(0, \d\)"),
    "no columns": (lambda a: a[:, :0], r"Received: shape \(60, 0\)"),
    "one axis": (lambda a: a[:, 0], r"shape \(60,\).*a single column is `array\[:, None\]`"),
    "three axes": (lambda a: a[None], r"Received: shape \(1, 60, \d\)"),
    "mapping": (lambda a: dict(enumerate(a)), "Received: a value of type dict"),
    "generator": (iter, "Received: a value of type .*iterator"),
    "word": (lambda a: "codes", "Received: a value of type str"),
    "nothing": (lambda a: None, "Received: a value of type NoneType"),
    "nan": (lambda a: np.where(a == a[3, 1], np.nan, a), "nan at row"),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("name", OF_CODES)
def test_codes_that_are_no_numbers_are_refused(name, kind):
    change, message = NO_NUMBERS[kind]
    values = np.abs(CODES * 1000).round() if kind in ("dates", "durations") else CODES
    with pytest.raises(UsageError, match=message):
        OF_CODES[name](change(values))


@pytest.mark.parametrize("kind", sorted(set(NO_NUMBERS) - {"nothing"}))
@pytest.mark.parametrize("name", OF_FACTORS)
def test_factors_that_are_no_numbers_are_refused(name, kind):
    change, message = NO_NUMBERS[kind]
    with pytest.raises(UsageError, match=message):
        OF_FACTORS[name](change(FACTORS))


#: Codes that float64 does not hold: what they are made of, and what is said.
INEXACT_CODES = {
    "int64": (np.array([[2**53], [2**53 + 1]]), "up to 2.53 in size"),
    "negative": (np.array([[-(2**53) - 1], [0]]), "up to 2.53 in size"),
    "uint64": (np.array([[2**64 - 1], [0]], np.uint64), "up to 2.53 in size"),
    "long double": (np.array([[1], [1 + np.finfo(np.longdouble).eps]]), "digits beyond it"),
    "long range": (np.array([["1e4000"], ["0"]]).astype(np.longdouble), "digits beyond it"),
}


@pytest.mark.parametrize("kind", INEXACT_CODES)
def test_codes_that_float64_does_not_hold_are_refused(kind):
    values, message = INEXACT_CODES[kind]
    if values.dtype == np.longdouble and np.finfo(np.longdouble).nmant == 52:
        pytest.skip("long doubles are doubles here")
    with pytest.raises(UsageError, match=message):
        check_codes(values)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i8", "u8", "f2", "f4", ">f4", ">f8", ">i4"])
def test_every_dtype_that_float64_holds_is_exact(dtype):
    values = RNG.integers(0, 2, size=(60, 3)).astype(dtype)
    for name, score in OF_CODES.items():
        if name not in ("CodeTable", "kl of variances", "elbo_decomposition"):
            np.testing.assert_equal(score(values), score(values.astype(np.float64)), err_msg=name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[1e20], [0]]), "below 2.53 in float64.*1e.20 at row 0, column 0"),
        (np.array([[2.0**53], [2.0**53 + 2]]), "below 2.53 in float64"),
        (np.array([[-(2.0**53)], [0]]), "below 2.53 in float64"),
        (np.array([[2.0**24], [0]], np.float32), "below 2.24 in float32"),
        (np.array([[2048], [0]], np.float16), "below 2.11 in float16"),
        (np.array([[2**63], [0]], np.uint64), "within int64"),
        (np.array([[np.inf], [0]]), "must be whole numbers"),
        (np.array([[0.5], [0]]), "must be whole numbers"),
        ([[2**70], [0]], "dtype object"),
    ],
)
def test_factors_whose_classes_would_merge_are_refused(values, message):
    with pytest.raises(UsageError, match=message):
        check_factors(values)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[2**63 - 1], [-(2**63)]]),
        np.array([[2**63 - 1], [2**63 - 2]], np.uint64),
        np.array([[2.0**53 - 1], [1 - 2.0**53]]),
        np.array([[2047], [-2047]], np.float16),
    ],
)
def test_large_factors_that_are_told_apart_are_exact(values):
    assert check_factors(values).tolist() == [[int(value)] for value in values[:, 0]]


LARGE = np.array([-(2**63), 2**63 - 1, 2**63 - 2])


@pytest.mark.parametrize("name", OF_FACTORS)
def test_only_which_factors_are_equal_matters(name):
    score = OF_FACTORS[name]
    if name == "CodeTable":
        return
    large = score(np.column_stack([LARGE[FACTORS[:, 0] * 2], LARGE[FACTORS[:, 1]]]))
    # In the same order, since the first of equally good values is taken.
    small = score(np.column_stack([FACTORS[:, 0], np.array([0, 2, 1])[FACTORS[:, 1]]]))
    np.testing.assert_equal(large, small)


@pytest.mark.parametrize("offset", [-7, -1, 3])
def test_negative_factors_are_no_grid(offset):
    factors = np.indices((2, 3)).reshape(2, -1).T.repeat(5, axis=0)
    codes = factors + 0.1 * np.random.default_rng(1).normal(size=factors.shape)
    scores = [metrics.factor_vae_score(codes, f, **FEW) for f in (factors, factors + offset)]
    assert scores[0] == scores[1]
    assert metrics.factor_vae_score(np.eye(6)[:, :2], np.indices((2, 3)).reshape(2, -1).T - 4)


def test_quantities_are_told_apart_however_large_they_are():
    wide = FACTORS + np.array([2**62, -(2**62)])
    plain, shifted = (metrics.sap(CODES, f, continuous_factors=True) for f in (FACTORS, wide))
    assert shifted["sap.score"] == pytest.approx(plain["sap.score"], rel=1e-9)


#: Metrics of codes that may have any scale; the others refuse it or are defined by it.
ANY_SCALE = [
    *("mig", "modularity_explicitness", "irs", "med", "infomec", "downstream_accuracy"),
    *("gaussian_total_correlation", "mutual_information_score", "mutual_information_matrix"),
    *("histogram_discretize", "quantile_discretize", "dci"),
]


@pytest.mark.parametrize("exponent", [-1060, -1040, -600, 600, 1000, 1020])
@pytest.mark.parametrize("name", ANY_SCALE)
def test_subnormal_and_huge_codes_score_as_they_do_next_to_1(name, exponent):
    # Few digits, so that subnormal numbers hold them.
    codes = np.round(CODES * 32) / 32
    scaled = np.ldexp(codes, exponent)
    assert np.array_equal(np.ldexp(scaled, -exponent), codes)
    expected, found = OF_CODES[name](codes), OF_CODES[name](scaled)
    if not isinstance(expected, dict):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        return
    for key in expected.keys() - {"details", "settings"}:
        assert found[key] == pytest.approx(expected[key], rel=1e-6), key


@pytest.mark.parametrize("exponent", [-1060, -600, 600, 1000])
def test_votes_for_subnormal_and_huge_codes(exponent):
    codes = np.round(CODES * 32) / 32
    scores = [
        metrics.factor_vae_score(np.ldexp(codes, e), FACTORS, threshold=0, **FEW)
        for e in (0, exponent)
    ]
    assert scores[0]["details"]["train_votes"] == scores[1]["details"]["train_votes"]
    assert scores[0]["factor_vae_score.score"] == scores[1]["factor_vae_score.score"]


def test_a_threshold_of_0_keeps_what_varies_and_no_constant():
    codes = np.column_stack([CODES[:, 0], 1e-200 * CODES[:, 1], np.full(60, 0.1)])
    with pytest.warns(metrics.MetricWarning, match="1 of 3 codes are constant"):
        scores = metrics.active_variables(codes, LOG_VAR, threshold=0)
    assert scores["active_variables.varying_means"] == 2
    with pytest.warns(metrics.MetricWarning, match="1 of 3 codes are constant"):
        votes = metrics.factor_vae_score(codes, FACTORS, threshold=0, **FEW)
    assert votes["details"]["active"] == [0, 1]


IMAGES = RNG.uniform(size=(4, 2, 2, 1))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.ma.masked_less(IMAGES, 0.5), "Received: masked values"),
        (IMAGES + 0j, "dtype complex128"),
        (IMAGES.astype(object), "dtype object"),
        ("word", "Received: a value of type str"),
        ([[1.0], [1.0, 2.0]], "rows of different lengths"),
        (IMAGES * 1e200, "for squares to be finite"),
        (IMAGES[0], r"shape \(2, 2, 1\)"),
    ],
)
def test_images_that_are_no_numbers_are_refused(images, message):
    with pytest.raises(UsageError, match=message):
        metrics.reconstruction_error(images, IMAGES, "gaussian")
    with pytest.raises(UsageError, match=message):
        metrics.reconstruction_error(IMAGES, images, "gaussian")


def test_a_masked_array_that_hides_nothing_is_its_values():
    plain = metrics.mig(CODES, FACTORS)
    assert metrics.mig(np.ma.masked_array(CODES), np.ma.masked_array(FACTORS)) == plain
