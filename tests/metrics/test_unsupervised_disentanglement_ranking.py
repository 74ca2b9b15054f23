import json

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.metric_warnings import MetricWarning
from keras_devae.metrics.unsupervised_disentanglement_ranking import relative_strength, udr

TOLERANCE = {"spearman": 1e-6, "lasso": 1e-4}


@pytest.fixture(scope="module")
def models(reference_inputs):
    arrays = reference_inputs("udr")
    return arrays["reps"], arrays["kl"]


@pytest.mark.parametrize("kind", TOLERANCE)
def test_scores_equal_disentanglement_lib(kind, reference, models):
    expected = reference("udr")[f"udr_{kind}_filter_True"]["values"]
    scores = udr(*models, kind=kind)
    details = scores["details"]
    pairwise = np.array(expected["pairwise_disentanglement_scores"])[..., 0]
    np.testing.assert_allclose(details["pairwise_scores"], pairwise, atol=TOLERANCE[kind])
    np.testing.assert_allclose(
        details["model_scores"], expected["model_scores"], atol=TOLERANCE[kind]
    )
    assert scores["udr.score"] == pytest.approx(np.mean(details["model_scores"]))
    assert details["informative_latents"] == [[0, 1, 2, 3, 4]] * 3 + [[2, 3, 4]]


@pytest.mark.parametrize("kind", TOLERANCE)
def test_correlations_equal_disentanglement_lib(kind, reference, models):
    expected = reference("udr")[f"udr_{kind}_filter_True"]["values"]["raw_correlations"]
    details = udr(*models, kind=kind)["details"]
    assert len(details["correlations"]) == 12
    for entry in details["correlations"]:
        i, j = entry["models"]
        kept = np.ix_(details["informative_latents"][i], details["informative_latents"][j])
        matrix = np.array(expected[i][j], dtype=float)[kept]
        np.testing.assert_allclose(entry["matrix"], matrix, atol=TOLERANCE[kind])


@pytest.mark.parametrize("kind", TOLERANCE)
def test_pooled_variant(kind, reference, models):
    expected = reference("udr")["udr_pooled_variant"]["values"]
    details = udr(*models, kind=kind, pooled=True)["details"]
    pairwise = np.array(expected[f"{kind}_pooled_pairwise"])
    np.testing.assert_allclose(details["pairwise_scores"], pairwise, atol=TOLERANCE[kind])
    np.testing.assert_allclose(
        details["model_scores"], expected[f"{kind}_pooled_model_scores"], atol=TOLERANCE[kind]
    )


def test_relative_strength(reference):
    for entry in reference("udr")["relative_strength"]["values"].values():
        assert relative_strength(entry["matrix"]) == pytest.approx(entry["score"], abs=1e-6)
    assert relative_strength(np.zeros((3, 2))) == 0
    assert relative_strength(np.zeros((3, 0)), pooled=True) == 0
    # Columns 1, 1; rows 1, 1, 0.
    assert relative_strength([[1, 0], [0, 1], [0, 0]], pooled=True) == pytest.approx(4 / 5)


@pytest.mark.parametrize("kind", TOLERANCE)
def test_order_sign_and_scale_of_latents_do_not_matter(kind):
    codes = np.random.default_rng(0).normal(size=(500, 3))
    other = codes[:, [2, 0, 1]] * [1e300, -1e-300, 7]
    scores = udr([codes, other], np.ones((2, 3)), kind=kind)
    # The lasso's penalty leaves 0.9 of a standardised coefficient.
    expected = {"spearman": 1.0, "lasso": 0.9}[kind]
    assert scores["udr.score"] == pytest.approx(expected, abs=0.12)
    assert scores["udr.score"] == pytest.approx(
        udr([codes, codes], np.ones((2, 3)), kind=kind)["udr.score"], abs=1e-3
    )
    assert json.loads(json.dumps(scores)) == scores


def test_models_of_different_sizes():
    codes = np.random.default_rng(0).normal(size=(500, 4))
    scores = udr([codes, codes[:, :3]], [np.ones(4), np.ones(3)])
    assert scores["settings"]["code_counts"] == [4, 3]
    assert 0.7 < scores["udr.score"] < 0.95


@pytest.mark.parametrize("kind", TOLERANCE)
def test_model_without_informative_latents_scores_0(kind, models):
    codes, kl = models
    kl = np.array([*kl[:3], np.full(5, 0.01)])
    with pytest.warns(MetricWarning, match="no active latent dimension.*: 3") as record:
        scores = udr(codes, kl, kind=kind)
    assert record[0].filename == __file__
    assert scores["details"]["model_scores"][3] == 0
    assert scores["details"]["pairwise_scores"][0][3] == 0
    assert scores["details"]["model_scores"][0] > 0


def test_constant_latent_is_not_informative_whatever_its_kl(models):
    codes, kl = models
    stuck = codes.copy()
    stuck[0, :, 1] = 0.1
    lower = kl.copy()
    lower[0, 1] = 0
    expected = udr(codes, lower)
    assert udr(stuck, kl)["details"] == expected["details"]


def test_two_models_that_are_alike_and_one_that_is_not():
    random = np.random.default_rng(0)
    codes, noise = random.normal(size=(2, 400, 3))
    scores = udr([codes, codes, codes, noise], np.ones((4, 3)))["details"]["model_scores"]
    # The correlations of independent latents in 400 samples take a little of the score.
    assert min(scores[:3]) > 0.9 and scores[3] < 0.1


def test_lasso_that_does_not_converge_warns():
    random = np.random.default_rng(0)
    codes = random.normal(size=(50, 1)) + 1e-6 * random.normal(size=(50, 40))
    targets = random.normal(size=(50, 40))
    with pytest.warns(MetricWarning, match="lasso of udr did not converge"):
        udr([codes, targets], np.ones((2, 40)), kind="lasso", lasso_alpha=1e-12)


CODES = np.random.default_rng(0).normal(size=(2, 6, 3))
KL = np.ones((2, 3))


@pytest.mark.parametrize(
    ("codes", "kl", "keywords", "message"),
    [
        (CODES[:1], KL[:1], {}, "1 models, with 6 images"),
        ([], [], {}, "0 models"),
        ([CODES[0], CODES[1][:5]], KL, {}, "5 or 6 images"),
        (CODES, KL[:1], {}, "each of the 2 models. Received: 1"),
        (CODES, KL[:, :2], {}, r"`kl\[0\]`.*3 latents.*\(2,\)"),
        (CODES * np.nan, KL, {}, r"`codes\[0\]` must be finite"),
        (CODES, KL * np.inf, {}, r"`kl\[0\]` must be finite"),
        (CODES, KL, {"kind": "pearson"}, "Unknown kind of udr 'pearson'"),
        (CODES, KL, {"kl_threshold": -1}, "`kl_threshold`"),
        (CODES, KL, {"lasso_alpha": 0}, "`lasso_alpha`"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(codes, kl, keywords, message):
    with pytest.raises(UsageError, match=message):
        udr(codes, kl, **keywords)
