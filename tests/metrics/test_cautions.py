"""What scores warn of: few samples, factors that look continuous, histograms that are empty."""

import warnings

import numpy as np
import pytest

from keras_devae import data, metrics
from keras_devae.errors import UsageError
from keras_devae.metrics import FewSamplesWarning, MetricWarning

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, [2, 3], size=(2000, 2))
CODES = FACTORS + 0.1 * RNG.normal(size=(2000, 2))
LOG_VAR = np.full((2000, 2), -2.0)
IMAGES = np.zeros((2000, 2, 2, 1), np.uint8)
FEW = {"n_train": 30, "n_test": 20}
LOGISTIC = {"predictors": "logistic_regression", "train_sizes": [10]}
#: Every score, of the first rows.
SCORES = {
    "mig": lambda n: metrics.mig(CODES[:n], FACTORS[:n]),
    "factor_vae_score": lambda n: metrics.factor_vae_score(CODES[:n], FACTORS[:n], **FEW),
    "beta_vae_score": lambda n: metrics.beta_vae_score(CODES[:n], FACTORS[:n], **FEW),
    "omes": lambda n: metrics.omes(CODES[:n], FACTORS[:n, 1:], n_pairs=20, n_variance=20),
    "mig_sup": lambda n: metrics.mig_sup(CODES[:n], FACTORS[:n]),
    "dcimig": lambda n: metrics.dcimig(CODES[:n], FACTORS[:n]),
    "rmig": lambda n: metrics.rmig(CODES[:n], LOG_VAR[:n], FACTORS[:n]),
    "jemmig": lambda n: metrics.jemmig(CODES[:n], LOG_VAR[:n], FACTORS[:n]),
    "dci_es": lambda n: metrics.dci_es(CODES[:n], FACTORS[:n], depths=(1, 2), trees=2),
    "dci": lambda n: metrics.dci(CODES[:n], FACTORS[:n], predictor="lightgbm"),
    "sap": lambda n: metrics.sap(CODES[:n], FACTORS[:n]),
    "modularity_explicitness": lambda n: metrics.modularity_explicitness(CODES[:n], FACTORS[:n]),
    "irs": lambda n: metrics.irs(CODES[:n], FACTORS[:n]),
    "med": lambda n: metrics.med(CODES[:n], FACTORS[:n]),
    "infomec": lambda n: metrics.infomec(CODES[:n], FACTORS[:n]),
    "downstream_accuracy": lambda n: metrics.downstream_accuracy(
        CODES[:n], FACTORS[:n], **LOGISTIC
    ),
    "gaussian_total_correlation": lambda n: metrics.gaussian_total_correlation(CODES[:n]),
    "wasserstein_correlation": lambda n: metrics.wasserstein_correlation(CODES[:n]),
    "mutual_information_score": lambda n: metrics.mutual_information_score(CODES[:n]),
    "active_variables": lambda n: metrics.active_variables(CODES[:n], LOG_VAR[:n]),
    "kl": lambda n: metrics.kl(CODES[:n], LOG_VAR[:n]),
    "elbo_decomposition": lambda n: metrics.elbo_decomposition(
        CODES[:n], LOG_VAR[:n], evaluated=10
    ),
    "wsepin": lambda n: metrics.wsepin(CODES[:n], LOG_VAR[:n], evaluated=10),
    "windin": lambda n: metrics.windin(CODES[:n], LOG_VAR[:n], evaluated=10),
    "reconstruction_error": lambda n: metrics.reconstruction_error(IMAGES[:n], IMAGES[:n]),
    "udr": lambda n: metrics.udr([CODES[:n], CODES[:n, ::-1]], np.ones((2, 2))),
}


def said(function):
    """The messages of all warnings of a call, in order, by class."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    assert {one.filename for one in caught} <= {__file__}
    return [(one.category, str(one.message)) for one in caught]


def test_every_score_is_tried():
    assert set(SCORES) == {*metrics.METRICS, "udr"}


@pytest.mark.parametrize("name", SCORES)
def test_few_rows_are_one_warning_with_their_count(name):
    found = [one for one in said(lambda: SCORES[name](200)) if one[0] is FewSamplesWarning]
    assert found == [
        (
            FewSamplesWarning,
            "Few samples: 200 rows, where scores need about 1,000. The scores may be far off.",
        )
    ]


@pytest.mark.parametrize("name", SCORES)
def test_enough_rows_are_no_warning(name):
    assert said(lambda: SCORES[name](2000)) == []


@pytest.mark.parametrize(("count", "words"), [(1, "a single row"), (9, "9 rows"), (10, None)])
@pytest.mark.parametrize("name", ["mig", "CodeTable"])
def test_a_rare_value_is_named_with_its_count(name, count, words):
    factors = FACTORS.copy()
    factors[:count, 1] = 7
    found = said(lambda: getattr(metrics, name)(CODES, factors, factor_names=["size", "hue"]))
    message = (
        "Few samples: values with fewer than 10 rows, the rarest of each factor: hue "
        f"({words}). The scores may be far off."
    )
    assert found == ([] if words is None else [(FewSamplesWarning, message)])


def test_a_suite_warns_once_of_everything():
    names = ["mig", "sap", "irs", "med", "kl", "factor_vae_score", "mutual_information_score"]
    codes = CODES[:300].copy()
    codes[5, 1] = 1e4
    factors = np.column_stack([FACTORS[:300], np.arange(300)])

    scores = {}

    def evaluate():
        scores.update(
            metrics.score_codes(
                codes, factors, names, settings="fast", repeats=3, z_log_var=LOG_VAR[:300]
            )
        )

    found = said(evaluate)
    assert [category for category, _ in found].count(FewSamplesWarning) == 1
    (few,) = [message for category, message in found if category is FewSamplesWarning]
    assert "150 rows" in few and "factor_2" not in few
    assert sum("in one of 20 bins" in message for _, message in found) == 1
    assert sum("looks continuous" in message for _, message in found) == 1
    assert scores["settings"]["mig"]["factor_sizes"] == [2, 3, 150]
    assert scores["settings"]["kl"]["factor_sizes"] == [2, 3, 300]


def test_a_suite_that_fails_says_only_why():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match="n_train=600 for 300 rows"):
            metrics.score_codes(CODES[:300], FACTORS[:300], ["sap"], n_train=600)
    assert said(lambda: SCORES["mig"](200))[0][0] is FewSamplesWarning


@pytest.mark.parametrize(
    ("column", "looks_continuous"),
    [
        (RNG.permutation(2000), True),
        (RNG.integers(0, 20_000, 2000), True),
        (RNG.integers(0, 1000, 2000), False),
        (np.arange(2000) % 100, False),
    ],
)
def test_a_factor_with_a_value_of_its_own_in_nearly_every_row(column, looks_continuous):
    found = said(lambda: metrics.mig(CODES, np.column_stack([FACTORS[:, 0], column])))
    told = [message for _, message in found if "looks continuous" in message]
    assert len(told) == looks_continuous
    if looks_continuous:
        assert "'factor_1'" in told[0] and "`keras_devae.data.binned(column, 20)`" in told[0]


def test_bins_make_a_perfect_code_of_a_continuous_factor_perfect():
    value = RNG.normal(size=2000)
    with pytest.raises(UsageError, match=r"`keras_devae.data.binned\(column, 20\)`") as refusal:
        metrics.mig(value[:, None], value[:, None])
    assert "unique" not in str(refusal.value)
    factor = data.binned(value, 20)[:, None]
    with pytest.warns(FewSamplesWarning):
        assert metrics.mig(value[:, None], factor)["mig.score"] == pytest.approx(1, abs=1e-6)
    ranked = np.unique(value, return_inverse=True)[1][:, None]
    with pytest.warns(MetricWarning, match="looks continuous"):
        assert metrics.mig(value[:, None], ranked)["mig.score"] < 0.5


@pytest.mark.parametrize(
    ("values", "count", "message"),
    [
        ([1.0, np.nan], 2, "must have finite numbers"),
        (np.ma.masked_less([1.0, 2.0, 3.0], 2), 2, "Received: masked ones"),
        ([1.0, 1.0], 2, "the same value 1 everywhere"),
        ([[1.0, 2.0]], 2, r"shape \(n,\)"),
        (["a", "b"], 2, "must be an array of numbers"),
        ([1.0, 2.0], 1, "at least 2"),
        ([1.0, 2.0], 10**9, "at most 1,000,000 bins"),
    ],
)
def test_what_fits_into_no_bins_is_refused(values, count, message):
    with pytest.raises(UsageError, match=message):
        data.binned(values, count)


def with_outlier(codes, code=1, value=1e4):
    codes = codes.copy()
    codes[7, code] = value
    return codes


#: Every score on bins of equal width.
BINNED = {
    "mig": lambda codes, **given: metrics.mig(codes, FACTORS, **given),
    "modularity_explicitness": lambda codes, **given: metrics.modularity_explicitness(
        codes, FACTORS, **given
    ),
    "med": lambda codes, **given: metrics.med(codes, FACTORS, informativeness=False, **given),
    "infomec": lambda codes, **given: metrics.infomec(
        codes, FACTORS, estimator="discrete", **given
    ),
    "mig_sup": lambda codes, **given: metrics.mig_sup(codes, FACTORS, **given),
    "dcimig": lambda codes, **given: metrics.dcimig(codes, FACTORS, **given),
    "rmig": lambda codes, **given: metrics.rmig(codes, LOG_VAR, FACTORS, **given),
    "jemmig": lambda codes, **given: metrics.jemmig(codes, LOG_VAR, FACTORS, **given),
    "mutual_information_score": metrics.mutual_information_score,
    "mutual_information_matrix": lambda codes, **given: metrics.mutual_information_matrix(
        codes, FACTORS, **given
    ),
    "score_codes": lambda codes, **given: metrics.score_codes(codes, FACTORS, ["mig"], **given),
}


def test_every_score_on_bins_is_tried():
    declared = {name for name, metric in metrics.METRICS.items() if metric.is_binned}
    assert declared | {"infomec", "mutual_information_matrix", "score_codes"} == set(BINNED)


@pytest.mark.parametrize("name", BINNED)
def test_an_outlier_that_empties_the_histogram_is_named_and_quantiles_do_no_harm(name):
    message = "Code 1 has more than 95 % of the points in one of 20 bins of equal width"
    found = [message for _, message in said(lambda: BINNED[name](with_outlier(CODES)))]
    assert len(found) == 1 and found[0].startswith(message)
    assert "discretizer='quantile'" in found[0]
    assert said(lambda: BINNED[name](CODES)) == []
    assert said(lambda: BINNED[name](with_outlier(CODES), discretizer="quantile")) == []


def test_quantile_bins_keep_the_score_of_a_code_with_an_outlier():
    plain = metrics.mig(CODES, FACTORS)["mig.score"]
    with pytest.warns(MetricWarning, match="Code 1 has"):
        emptied = metrics.mig(with_outlier(CODES), FACTORS)
    assert emptied["details"]["per_factor"]["factor_1"] < 0.01
    kept = metrics.mig(with_outlier(CODES), FACTORS, bins=30, discretizer="quantile")
    assert kept["mig.score"] == pytest.approx(plain, abs=0.1)
    assert kept["settings"]["discretizer"] == "quantile" and kept["settings"]["bins"] == 30


@pytest.mark.parametrize(
    ("column", "is_named"),
    [
        (np.full(2000, 0.3), False),
        ((np.arange(2000) < 30) * 1.0, False),
        (np.where(np.arange(2000) < 30, RNG.uniform(0, 1, 2000), 0.0), False),
        (np.arange(2000) % 10, False),
        (np.append(np.arange(1999) % 10, 10_000), True),
        (np.append(RNG.normal(size=1999), -1e300), True),
        (RNG.normal(size=2000) * 1e-310, False),
        (np.append(RNG.normal(size=1950), 1e4 + np.arange(50)), True),
    ],
)
def test_only_codes_whose_values_merge_are_named(column, is_named):
    codes = np.column_stack([CODES, column])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metrics.mutual_information_matrix(codes, FACTORS)
    named = [str(one.message) for one in caught if "bins of equal width" in str(one.message)]
    assert [message.startswith("Code 2 has") for message in named] == [True] * is_named
