"""Scores of a model on a data set."""

import json
import warnings

import numpy as np
import pytest

from keras_devae import data, metrics
from keras_devae.errors import UsageError
from keras_devae.evaluation import evaluate
from keras_devae.evaluation.encoding import Encoding
from keras_devae.losses import GaussianLikelihood

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def squares():
    """A data set of 8x8 images of a square at 5x5 places, in two greys."""
    factors = np.indices((5, 5, 2)).reshape(3, -1).T
    images = np.zeros((50, 8, 8, 1), np.uint8)
    for image, (row, column, grey) in zip(images, factors, strict=True):
        image[row : row + 4, column : column + 4] = 255 - 100 * grey
    return data.from_arrays(images, factors, factor_names=("row", "column", "grey"))


@pytest.fixture(scope="module")
def model(tiny):
    return tiny("devae", likelihood="gaussian")


def test_scores_are_those_of_the_plain_functions(model, squares):
    names = ["mig", "kl", "reconstruction_error", "factor_vae_score"]
    scores = evaluate(model, squares, names, settings="fast")
    images, factors = squares.images(range(50)), squares.factors(range(50))
    for layer, row in enumerate(scores["layers"]):
        means, log_vars = model.posterior(images, layer)
        assert row["layer"] == layer
        assert row["mig.score"] == metrics.mig(means, factors)["mig.score"]
        assert row["kl.total"] == pytest.approx(metrics.kl(means, log_vars)["kl.total"])
        error = metrics.reconstruction_error(images, model.reconstruct(images, layer), "gaussian")
        key = "reconstruction_error.squared_error"
        assert row[key] == pytest.approx(error[key])
        table = metrics.CodeTable(means, factors)
        votes = metrics.factor_vae_score(table, n_train=1000, n_test=1000)
        key = "factor_vae_score.score"
        assert row[key] == pytest.approx(votes[key], abs=0.01)
    assert list(scores["details"][0]["mig"]["per_factor"]) == ["row", "column", "grey"]
    assert scores["settings"]["metrics"]["mig"]["preset"] == "fast"
    assert json.loads(json.dumps(scores)) == scores


def test_the_reconstruction_is_that_of_the_models_own_likelihood(tiny, squares):
    model = tiny("vae", likelihood=GaussianLikelihood(sigma=0.1))
    scores = evaluate(model, squares, ["reconstruction_error", "elbo_decomposition"])
    images = squares.images(range(50))
    expected = model.evaluate(images, verbose=0, return_dict=True)["reconstruction_loss"]
    (row,) = scores["layers"]
    key = "reconstruction_error.negative_log_likelihood"
    assert row[key] == pytest.approx(expected, rel=1e-5)
    # A sample costs more than the mean, and both much more than the plain squared error.
    assert (
        row["elbo_decomposition.elbo"]
        < -row[key]
        < -10 * row[key.replace("negative_log_likelihood", "squared_error")]
    )


def test_codes_can_be_samples(model, squares):
    names = ["mig", "factor_vae_score", "kl"]
    mean, *samples = (
        evaluate(model, squares, names, settings="fast", seed=seed, representation=kind)
        for kind, seed in (("mean", 3), ("sample", 3), ("sample", 3), ("sample", 4))
    )
    assert [s["settings"]["representation"] for s in (mean, samples[0])] == ["mean", "sample"]
    assert samples[0]["layers"] == samples[1]["layers"]
    gaps = [s["layers"][1]["mig.score"] for s in (mean, samples[0], samples[2])]
    assert len(set(gaps)) == 3
    # What is of the posterior is the same.
    assert mean["layers"][1]["kl.total"] == samples[0]["layers"][1]["kl.total"]
    with pytest.raises(UsageError, match="Known: mean, sample"):
        evaluate(model, squares, names, representation="median")


def test_samples_have_the_moments_of_the_posterior(model, squares):
    encoding = Encoding(model, squares)
    rows = np.repeat(np.arange(3), 20_000)
    means, log_vars = encoding.posterior(np.arange(3), 1)
    codes = encoding.codes(rows, 1, seed=0).reshape(3, 20_000, -1)
    assert codes.dtype == means.dtype
    deviations = np.exp(0.5 * log_vars)
    np.testing.assert_allclose(codes.mean(axis=1), means, atol=0.05 * deviations.max())
    np.testing.assert_allclose(codes.std(axis=1), deviations, rtol=0.03)


def test_one_layer_alone_has_the_same_scores(model, squares):
    whole = evaluate(model, squares, ["mig", "sap"])
    (one,) = evaluate(model, squares, ["mig", "sap"], layers=[1])["layers"]
    assert one == whole["layers"][1]


def test_an_encoding_is_used_and_added_to(model, squares):
    encoding = Encoding(model, squares)
    evaluate(model, squares, ["mig"], images=20, encoding=encoding)
    assert encoding.encoded_count == 20
    for _ in range(2):
        evaluate(model, squares, ["mig", "factor_vae_score"], images=20, encoding=encoding)
        assert encoding.encoded_count == 50


def test_repeats_give_mean_spread_and_interval(model, squares):
    scores = evaluate(model, squares, ["mig"], images=25, repeats=4)
    row = scores["layers"][0]
    single = [repeat["mig.score"] for repeat in scores["repeats"][0]]
    assert len(set(single)) == 4
    assert row["mig.score"] == pytest.approx(np.mean(single))
    assert row["mig.score.std"] == pytest.approx(np.std(single, ddof=1))
    assert row["mig.score.low"] < row["mig.score"] < row["mig.score.high"]
    # The first repeat is what one repeat alone gives.
    assert single[0] == evaluate(model, squares, ["mig"], images=25)["layers"][0]["mig.score"]


def test_the_sizes_of_factors_are_recorded_everywhere(model, squares):
    settings = evaluate(model, squares, ["mig", "kl", "factor_vae_score"], settings="fast")[
        "settings"
    ]
    for one in (settings, *settings["metrics"].values()):
        assert one["factor_names"] == ["row", "column", "grey"]
        assert one["factor_sizes"] == [5, 5, 2]
    plain = evaluate(model, data.from_arrays(squares.images(range(50))), ["kl"])["settings"]
    for one in (plain, plain["metrics"]["kl"]):
        assert one["factor_names"] is one["factor_sizes"] is None


def test_few_images_are_one_warning_for_all_metrics_layers_and_repeats(model, squares):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", metrics.FewSamplesWarning)
        evaluate(model, squares, ["mig", "sap", "kl", "reconstruction_error"], repeats=2)
    (one,) = caught
    assert str(one.message).startswith("Few samples: 25 rows") and one.filename == __file__


def test_bins_reach_the_scores_that_have_some(model, squares):
    names = ["mig", "mutual_information_score", "kl"]
    given = {"bins": 7, "discretizer": "quantile"}
    scores = evaluate(model, squares, names, layers=[0], **given)
    codes, factors = model.encode(squares.images(range(50))), squares.factors(range(50))
    assert scores["layers"][0]["mig.score"] == metrics.mig(codes, factors, **given)["mig.score"]
    for name in names[:2]:
        assert given.items() <= scores["settings"]["metrics"][name].items()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": 5}, "returns codes. Received: a value of type int"),
        ({"dataset": np.zeros((4, 8, 8, 1))}, "`dataset` must be a data set.* of type ndarray"),
        ({"names": 5}, "`metrics` must be a list of names. Received: 5"),
        ({"layers": 0}, "`layers` must be a list of numbers of latent layers.* Received: 0"),
        ({"layers": ["a"]}, "`layers` must be a whole number of at least 0. Received: a"),
        ({"images": "a"}, "`images` must be a whole number of at least 2. Received: a"),
        ({"repeats": 10**9}, "`repeats` must be a whole number from 1 to 10,000"),
        ({"seed": "a"}, "`seed` must be a whole number from 0 to"),
        ({"settings": ["fast"]}, "Unknown settings"),
        ({"representation": None}, "Unknown representation"),
        ({"workers": 0}, "`workers` must be a whole number of at least 1"),
        ({"bins": 10**9}, "`bins` must be a whole number from 2 to 10,000"),
        ({"discretizer": "equal"}, "Unknown discretizer 'equal'"),
        ({"names": ["kl"], "bins": 5}, "The settings bins are for metrics that put"),
        ({"progress": 5}, "`progress` must be a function or None"),
    ],
)
def test_wrong_arguments_are_a_sentence(model, squares, arguments, message):
    with pytest.raises(UsageError, match=message):
        evaluate(**{"model": model, "dataset": squares, "names": ["mig"], **arguments})


def test_the_seed_decides_everything(model, squares):
    names = ["mig", "sap", "factor_vae_score", "dci"]
    first = evaluate(model, squares, names, images=20, settings="fast", seed=3)
    assert first == evaluate(model, squares, names, images=20, settings="fast", seed=3)
    second = evaluate(model, squares, names, images=20, settings="fast", seed=4)
    assert first["layers"] != second["layers"]


def test_repeats_on_few_images_differ_too(model, squares):
    row = evaluate(model, squares, ["mig", "kl"], repeats=3)["layers"][0]
    assert row["mig.score.std"] > 0 and row["kl.total.low"] < row["kl.total.high"]


def test_the_elbo_is_that_of_samples_not_of_means(model, squares):
    row = evaluate(model, squares, ["elbo_decomposition", "reconstruction_error"])["layers"][0]
    images = squares.images(range(50))
    errors = [
        metrics.reconstruction_error(
            images, model.decode(model.encode(images, sample=True, seed=seed)), "gaussian"
        )["reconstruction_error.negative_log_likelihood"]
        for seed in range(30)
    ]
    expected = -np.mean(errors) - row["elbo_decomposition.kl"]
    assert row["elbo_decomposition.elbo"] == pytest.approx(expected, abs=4 * np.std(errors))


def test_a_categorical_code_is_named_and_has_no_elbo(tiny, squares):
    scores = evaluate(tiny("joint_vae"), squares, ["elbo_decomposition"])
    assert scores["settings"]["categorical_code"] == 3
    assert "elbo_decomposition.elbo" not in scores["layers"][0]


def test_progress_names_layer_and_metric(model, squares):
    seen = []
    evaluate(model, squares, ["mig", "kl"], progress=lambda *what: seen.append(what))
    assert seen == [(layer, name) for layer in range(3) for name in ("mig", "kl")]


def test_metrics_for_which_no_factor_varies_are_left_out(model, squares):
    still = data.from_arrays(squares.images(range(50)), np.zeros((50, 1), int))
    with pytest.warns(metrics.MetricWarning, match="Left out: mig, because"):
        scores = evaluate(model, still)
    assert all("mig.score" not in row and "kl.total" in row for row in scores["layers"])


def test_wrong_requests_are_refused_before_anything_is_encoded(model, squares):
    encoding = Encoding(model, squares)
    for arguments, message in (
        ({"names": ["migg"]}, "Did you mean 'mig'"),
        ({"settings": "fst"}, "Did you mean 'fast'"),
        ({"layers": [3]}, "latent layers 0 to 2. Received: 3"),
        ({"repeats": 0}, "`repeats` must be.*Received: 0"),
        ({"images": 1}, "`images` must be.*Received: 1"),
        ({"seed": -1}, "`seed` must be.*Received: -1"),
        ({"layers": ()}, "at least one latent layer"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate(model, squares, encoding=encoding, **arguments)
    assert encoding.encoded_count == 0


def test_images_without_factors_have_scores_too(model, squares):
    plain = data.from_arrays(squares.images(range(50)))
    scores = evaluate(model, plain, ["all"], settings="fast")
    metrics_found = {key.split(".")[0] for key in scores["layers"][0]} - {"layer"}
    assert metrics_found == set(metrics.possible_metrics(has_factors=False))
    with pytest.raises(UsageError, match="no ground-truth factors"):
        evaluate(model, plain, ["mig"])
