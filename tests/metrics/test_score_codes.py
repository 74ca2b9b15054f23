"""`score_codes`: many metrics of codes from anywhere."""

import json
import warnings

import numpy as np
import pytest
import scipy.stats

from keras_devae import metrics
from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning, score_codes
from keras_devae.metrics.rows import draw_sample

RNG = np.random.default_rng(0)
FACTORS = np.indices((4, 5, 3)).reshape(3, -1).T.repeat(10, axis=0)[RNG.permutation(600)]
CODES = FACTORS[:, [2, 0, 1, 1]] + 0.3 * RNG.normal(size=(600, 4))
LOG_VAR = np.full((600, 4), -2.0)
NAMES = ("shape", "size", "place")
CHEAP = ["mig", "sap", "irs", "factor_vae_score", "beta_vae_score", "gaussian_total_correlation"]


def test_scores_are_those_of_the_functions_called_alone():
    scores = score_codes(CODES, FACTORS, CHEAP, settings="fast", factor_names=NAMES, n_train=400)
    alone = {
        "mig.score": metrics.mig(CODES, FACTORS),
        "sap.score": metrics.sap(CODES, FACTORS, n_train=400),
        "irs.score": metrics.irs(CODES, FACTORS),
        "gaussian_total_correlation.score": metrics.gaussian_total_correlation(CODES),
        "factor_vae_score.score": metrics.factor_vae_score(
            CODES, FACTORS, n_train=1000, n_test=1000
        ),
        "beta_vae_score.score": metrics.beta_vae_score(CODES, FACTORS, n_train=1000, n_test=1000),
    }
    for key, result in alone.items():
        assert scores[key] == result[key]
    assert list(scores["details"]) == list(scores["settings"]) == CHEAP
    assert scores["settings"]["sap"]["n_train"] == 400
    assert scores["settings"]["mig"]["factor_names"] == list(NAMES)
    assert json.loads(json.dumps(scores)) == scores


def test_all_is_all_that_there_is_something_for():
    plain = score_codes(CODES, metrics=["all"], settings="fast")
    assert set(plain["settings"]) == {
        "gaussian_total_correlation",
        "wasserstein_correlation",
        "mutual_information_score",
    }
    with_posterior = score_codes(CODES, metrics=["all"], settings="fast", z_log_var=LOG_VAR)
    added = set(with_posterior["settings"]) - set(plain["settings"])
    assert added == {"active_variables", "kl", "elbo_decomposition", "wsepin", "windin"}


def test_every_metric_records_where_it_comes_from():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        scores = score_codes(CODES, FACTORS, ["all"], settings="fast", z_log_var=LOG_VAR, seed=4)
    missing = set(metrics.METRICS) - set(scores["settings"])
    assert missing == {"reconstruction_error"}
    for name, settings in scores["settings"].items():
        assert settings["metric"] == name and settings["preset"] == "fast"
        assert settings["package_version"] and settings["numpy_version"]
        assert settings["code_count"] == 4 and settings["sample_count"] in (600,)
        assert settings["seed"] == 4
        if metrics.METRICS[name].needs_factors:
            assert settings["factor_names"] == [f"factor_{i}" for i in range(3)]
    for key, value in scores.numbers.items():
        assert isinstance(value, float) and np.isfinite(value), key
    assert json.loads(json.dumps(scores)) == scores


def test_the_default_metrics_are_those_that_can_be_computed():
    assert set(score_codes(CODES, FACTORS)["settings"]) == {"mig"}
    assert set(score_codes(CODES, z_log_var=LOG_VAR)["settings"]) == {"active_variables", "kl"}


def test_repeats_give_mean_deviation_and_interval():
    scores = score_codes(CODES, FACTORS, ["mig"], repeats=5, seed=1)
    single = np.array([repeat["mig.score"] for repeat in scores["repeats"]])
    assert len(set(single)) == 5
    assert scores["mig.score"] == pytest.approx(single.mean())
    assert scores["mig.score.std"] == pytest.approx(single.std(ddof=1))
    interval = scipy.stats.t.interval(0.95, 4, single.mean(), scipy.stats.sem(single))
    np.testing.assert_allclose([scores["mig.score.low"], scores["mig.score.high"]], interval)
    assert scores["settings"]["mig"]["sample_count"] == 300
    assert scores == score_codes(CODES, FACTORS, ["mig"], repeats=5, seed=1)
    assert scores != score_codes(CODES, FACTORS, ["mig"], repeats=5, seed=2)


def test_a_score_answers_for_its_keys():
    scores = score_codes(CODES, FACTORS, ["mig", "irs"], repeats=3)
    single = [repeat["irs.score"] for repeat in scores["repeats"]]
    assert scores.mean("irs.score") == pytest.approx(np.mean(single))
    assert scores.deviation("irs.score") == pytest.approx(np.std(single, ddof=1))
    low, high = scores.interval("irs.score")
    assert low < scores.mean("irs.score") < high
    assert scores.mean() == scores["mig.score"]
    assert set(scores) - set(scores.numbers) == {"details", "settings", "repeats"}
    assert scores.settings["mig"]["bins"] == 20 and "per_factor" in scores.details["mig"]


def test_a_score_of_one_sample_has_no_interval():
    scores = metrics.mig(CODES, FACTORS)
    assert scores.numbers == {"mig.score": scores.mean()}
    assert scores.deviation() == 0 and scores.interval() == (scores.mean(), scores.mean())
    assert type(json.loads(json.dumps(scores))) is dict


def test_a_repeat_keeps_the_proportion_of_rows_that_train():
    scores = score_codes(CODES, FACTORS, ["sap"], repeats=2, n_train=450)
    assert scores["settings"]["sap"]["n_train"] == 225
    by_factor = scores["details"]["sap"]["per_factor"]
    assert np.mean(list(by_factor.values())) == pytest.approx(scores["sap.score"])


@pytest.mark.parametrize("rows", [5, 12])
def test_few_rows_have_scores_of_all_metrics(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        scores = score_codes(CODES[:rows], FACTORS[:rows], ["all"], z_log_var=LOG_VAR[:rows])
    assert set(metrics.METRICS) - set(scores["settings"]) == {"reconstruction_error"}
    assert np.isfinite(list(scores.numbers.values())).all()


def test_numpy_integers_are_json_too():
    scores = metrics.mig(CODES, FACTORS, seed=np.int64(3))
    assert json.loads(json.dumps(scores)) == scores


def test_the_spread_is_that_of_fresh_samples():
    """The mutual information of 3,000 fresh rows has a known standard deviation."""
    rng = np.random.default_rng(0)
    factors = rng.integers(2, size=(200_000, 1))
    flipped = rng.random((200_000, 1)) < 0.2
    codes = np.where(flipped, 1 - factors, factors)
    spread = score_codes(codes, factors, ["mig"], repeats=30, samples=3000)["mig.score.std"]
    # The gap is (I - 0) / H; I is the mean of a log-ratio that takes two values.
    ratios = np.log(np.array([0.8, 0.2]) / 0.5)
    deviation = np.sqrt(0.8 * 0.2) * (ratios[0] - ratios[1]) / np.log(2) / np.sqrt(3000)
    assert spread == pytest.approx(deviation, rel=0.4)


def test_which_other_metrics_are_asked_for_changes_nothing():
    options = {"settings": "fast", "seed": 3, "repeats": 2}
    together = score_codes(CODES, FACTORS, [*CHEAP, "dci", "med"], **options)
    for name in (*CHEAP, "dci", "med"):
        alone = score_codes(CODES, FACTORS, [name], **options)
        for key, value in alone.numbers.items():
            assert together[key] == value


def test_rows_of_a_large_table():
    sample = draw_sample(10_000, 100, seed=2)
    assert sample.n_train == 100 and len(sample.rows) == 150
    assert len(set(sample.rows)) == 150
    np.testing.assert_array_equal(sample.rows[:100], sample.plain)
    expected = np.random.default_rng(2).choice(10_000, 100, replace=False)
    np.testing.assert_array_equal(sample.plain, expected)
    other = draw_sample(10_000, 100, seed=2, repeat=1)
    assert set(other.plain) != set(sample.plain) and other.seed != sample.seed


def test_any_seed_of_a_run_is_one_for_predictors():
    sample = draw_sample(90, 100, seed=2**32 - 1)
    assert 0 <= sample.seed < 2**31


def test_rows_of_a_small_table():
    sample = draw_sample(90, 100, seed=2)
    np.testing.assert_array_equal(sample.plain, np.arange(90))
    assert sorted(sample.rows) == list(range(90)) and sample.n_train == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["migg"]}, "Unknown metric 'migg'. Did you mean 'mig'"),
        ({"metrics": ["kl"]}, "Cannot compute kl: there are no log-variances"),
        ({"metrics": ["reconstruction_error"]}, "there are no reconstructions"),
        ({"metrics": ["mig"], "factors": None}, "there are no ground-truth factors"),
        ({"settings": "papr"}, "Did you mean 'paper'"),
        ({"repeats": 0}, "`repeats` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"samples": 1}, "`samples` must be"),
        ({"metrics": ["sap"], "n_train": 600}, "n_train=600 for 600 rows"),
        ({"metrics": "mgi"}, "Unknown metric 'mgi'"),
        ({"factors": FACTORS[:-1]}, "600 rows of codes and 599 rows of factors"),
        ({"z_log_var": LOG_VAR[:, :2]}, "must have the same shape"),
        ({"factor_names": ["a"]}, "3 different names"),
        ({"factors": None, "factor_names": NAMES}, "names without factors"),
    ],
)
def test_wrong_requests_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        score_codes(**{"codes": CODES, "factors": FACTORS, **arguments})
