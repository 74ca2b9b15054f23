"""The FactorVAE and BetaVAE metrics, which hold one factor and look at the codes."""

import json

import numpy as np
import pytest
from scipy.linalg import hadamard

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning
from keras_devae.metrics.samplers import CodeTable
from keras_devae.metrics.scores.beta_vae_score import beta_vae_score, mean_differences
from keras_devae.metrics.scores.factor_vae_score import (
    factor_vae_score,
    least_varying,
    standard_deviations,
    vote_accuracies,
)

SIZES = (4, 3, 5, 6)
VOTES = {"n_train": 1000, "n_test": 500, "n_variance": 1000}
POINTS = {"n_train": 800, "n_test": 400}
FACTORS = np.indices(SIZES).reshape(4, -1).T

REPRESENTATIONS = {
    "identity": FACTORS * 1.0,
    "hadamard_rotated": (FACTORS - FACTORS.mean(axis=0)) / FACTORS.std(axis=0) @ hadamard(4) / 2,
    "two_dead_constant": np.column_stack([FACTORS, np.zeros((len(FACTORS), 2))]),
    "all_constant": np.zeros((len(FACTORS), 3)),
}


def table(codes, factors=FACTORS):
    return CodeTable(np.asarray(codes, float), factors)


def tally(votes, factors, shape):
    counts = np.zeros(shape, int)
    np.add.at(counts, (factors, votes), 1)
    return counts


@pytest.mark.parametrize("threshold", [0.0, 0.05])
def test_votes_on_fixed_batches_equal_disentanglement_lib(threshold, reference, reference_inputs):
    inputs = reference_inputs("votes")
    expected = reference("votes")[f"factor_vae_threshold_{threshold}"]["values"]
    deviations = np.ldexp(*standard_deviations(inputs["global_codes"]))
    variances = reference("votes")["global_variance"]["values"]
    np.testing.assert_allclose(deviations**2, variances, rtol=1e-6)
    active = np.flatnonzero(deviations >= threshold)
    assert (deviations >= threshold).tolist() == expected["active_dims"]
    tallies = []
    for part in ("train", "eval"):
        batches = np.moveaxis(inputs[f"fv_{part}_batches"][..., active], -1, 0)
        chosen = least_varying(batches, deviations[active])
        counts = tally(active[chosen], inputs[f"fv_{part}_index"], (4, 6))
        np.testing.assert_array_equal(counts, expected[f"votes_{part}"])
        tallies.append(counts)
    accuracies = [expected["train_accuracy"], expected["eval_accuracy"]]
    np.testing.assert_allclose(vote_accuracies(*tallies), accuracies, atol=1e-9)


def test_majority_votes_equal_disentanglement_lib(reference):
    for example in reference("votes")["majority_vote_examples"]["values"]:
        votes = np.array(example["votes_train"]), np.array(example["votes_eval"])
        expected = [example["train_accuracy"], example["eval_accuracy"]]
        np.testing.assert_allclose(vote_accuracies(*votes), expected, atol=1e-9)


def test_differences_on_fixed_batches_equal_disentanglement_lib(reference, reference_inputs):
    inputs = reference_inputs("votes")
    expected = reference("votes")["beta_vae_features"]["values"]
    for part in ("train", "eval"):
        features = mean_differences(inputs[f"bv_{part}_batch1"], inputs[f"bv_{part}_batch2"])
        np.testing.assert_allclose(features, expected[f"features_{part}"], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("representation", REPRESENTATIONS)
@pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning")
def test_whole_runs_agree_with_disentanglement_lib(representation, reference):
    expected = reference("sampler")[representation]["values"]
    sampler = table(REPRESENTATIONS[representation])
    votes = factor_vae_score(sampler, **VOTES, seed=1)
    points = beta_vae_score(sampler, **POINTS, seed=1)
    for ours, theirs in (
        (votes["factor_vae_score.score"], expected["factor_vae_thr0.05"]),
        (points["beta_vae_score.score"], expected["beta_vae"]),
    ):
        scores = [run["eval_accuracy"] for run in theirs]
        tolerance = 0 if set(scores) == {1.0} else 0.05
        assert ours == pytest.approx(np.mean(scores), abs=tolerance)


def test_a_constant_code_takes_no_votes():
    with pytest.warns(MetricWarning, match="2 of 6 codes are constant"):
        sampler = table(REPRESENTATIONS["two_dead_constant"])
    scores = factor_vae_score(sampler, **VOTES)
    assert scores["factor_vae_score.active_codes"] == 4
    assert scores["details"]["active"] == [0, 1, 2, 3]
    assert np.array(scores["details"]["train_votes"])[:, 4:].sum() == 0


def test_collapsed_codes_score_zero_with_a_warning():
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        sampler = table(np.full((len(FACTORS), 3), 7.0))
    with pytest.warns(MetricWarning, match="factor_vae_score is 0") as record:
        scores = factor_vae_score(sampler, **VOTES)
    assert record[0].filename == __file__
    assert scores["factor_vae_score.score"] == 0
    assert scores["factor_vae_score.active_codes"] == 0


def test_one_active_code_is_enough():
    codes = np.zeros((len(FACTORS), 10))
    codes[:, 3] = FACTORS[:, 2]
    with pytest.warns(MetricWarning, match="9 of 10"):
        sampler = table(codes)
    scores = factor_vae_score(sampler, **VOTES)
    assert scores["factor_vae_score.active_codes"] == 1
    assert scores["factor_vae_score.score"] == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize("width", [3, 5, 10, 64])
def test_noise_scores_about_chance_at_any_width(width):
    rng = np.random.default_rng(0)
    sampler = table(rng.normal(size=(20_000, width)), rng.integers(5, size=(20_000, 4)))
    score = factor_vae_score(sampler, **VOTES)["factor_vae_score.score"]
    assert score == pytest.approx(0.25, abs=0.06)


def test_two_factors_in_one_code_confuse_the_factor_vae_score_only():
    merged = np.column_stack([FACTORS[:, 0], FACTORS[:, 1], FACTORS[:, 2] + FACTORS[:, 3] / 6])
    votes = factor_vae_score(table(merged), **VOTES)
    assert votes["factor_vae_score.score"] < 0.85
    assert beta_vae_score(table(merged), **POINTS)["beta_vae_score.score"] > 0.95


@pytest.mark.parametrize("scale", [1e300, 1e-300, -1e150])
def test_huge_and_tiny_codes_do_not_overflow(scale):
    codes = FACTORS * 1.0
    codes[:, 1] *= scale
    votes = factor_vae_score(table(codes), **VOTES, threshold=0)
    assert votes["factor_vae_score.score"] == 1
    assert beta_vae_score(table(codes), **POINTS)["beta_vae_score.score"] > 0.7


def test_one_factor_is_always_told():
    sampler = table(FACTORS[:, :2], FACTORS[:, :1])
    assert factor_vae_score(sampler, **VOTES)["factor_vae_score.score"] == 1
    assert beta_vae_score(sampler, **POINTS)["beta_vae_score.score"] == 1


def test_few_rows_and_few_votes_are_enough():
    sampler = table(FACTORS[::140] + 0.5, FACTORS[::140])
    assert 0 <= factor_vae_score(sampler, n_train=1, n_test=1)["factor_vae_score.score"] <= 1
    assert 0 <= beta_vae_score(sampler, n_train=1, n_test=1)["beta_vae_score.score"] <= 1


@pytest.mark.parametrize("metric", [factor_vae_score, beta_vae_score])
def test_arrays_are_a_table_and_anything_else_is_refused(metric):
    counts = {"n_train": 50, "n_test": 50}
    assert metric(FACTORS * 1.0, FACTORS, **counts) == metric(table(FACTORS), **counts)
    for arguments in ((FACTORS,), (table(FACTORS), FACTORS)):
        with pytest.raises(UsageError, match="codes and factors, or a `CodeTable`"):
            metric(*arguments)


def test_what_is_held_exactly_differs_by_exactly_nothing():
    codes = np.full((3, 4, 2), 0.1, np.float32)
    assert not mean_differences(codes, codes).any()


@pytest.mark.parametrize("metric", [factor_vae_score, beta_vae_score])
def test_the_seed_decides_everything(metric):
    codes = FACTORS + np.random.default_rng(0).normal(size=FACTORS.shape)
    sampler = table(codes)
    counts = {"n_train": 300, "n_test": 200}
    first = metric(sampler, **counts, seed=5)
    assert first == metric(table(codes), **counts, seed=5)
    assert first != metric(sampler, **counts, seed=6)
    assert json.loads(json.dumps(first)) == first
    recorded = {"n_train": 300, "n_test": 200, "batch_size": 64, "seed": 5, "sample_count": 360}
    assert recorded.items() <= first["settings"].items()
    assert first["settings"]["factor_names"] == [f"factor_{i}" for i in range(4)]


@pytest.mark.parametrize(
    ("metric", "name", "value"),
    [
        (factor_vae_score, "n_train", 0),
        (factor_vae_score, "n_test", 2.5),
        (factor_vae_score, "n_variance", 1),
        (factor_vae_score, "batch_size", 1),
        (factor_vae_score, "threshold", -1),
        (factor_vae_score, "threshold", float("nan")),
        (beta_vae_score, "n_train", -3),
        (beta_vae_score, "batch_size", 0),
    ],
)
def test_wrong_settings_are_refused(metric, name, value):
    with pytest.raises(UsageError, match=f"`{name}` must be.*Received: {value}"):
        metric(table(FACTORS), **{name: value})
