"""The metrics of posteriors, of pairs and of forests, through `evaluate`."""

import json
import warnings

import numpy as np
import pytest

from keras_devae import data, metrics
from keras_devae.errors import UsageError
from keras_devae.evaluation import evaluate

pytestmark = [
    pytest.mark.backends,
    pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning"),
]
OF_POSTERIORS = ("rmig", "jemmig", "wsepin", "windin")
OF_CODES = ("mig_sup", "dcimig", "omes", "dci_es")


@pytest.fixture(scope="module")
def squares():
    """A data set of 8x8 images of a square at 5x5 places, in three greys."""
    factors = np.indices((5, 5, 3)).reshape(3, -1).T
    images = np.zeros((75, 8, 8, 1), np.uint8)
    for image, (row, column, grey) in zip(images, factors, strict=True):
        image[row : row + 4, column : column + 4] = 255 - 60 * grey
    return data.from_arrays(images, factors, factor_names=("row", "column", "grey"))


def test_each_layer_scores_as_its_posteriors_do(tiny, squares):
    model = tiny("devae", likelihood="gaussian")
    scores = evaluate(model, squares, [*OF_POSTERIORS, *OF_CODES], settings="fast", seed=5)
    images, factors = squares.images(range(75)), squares.factors(range(75))
    for layer, row in enumerate(scores["layers"]):
        posterior = [np.asarray(part, np.float64) for part in model.posterior(images, layer)]
        assert row["rmig.score"] == pytest.approx(metrics.rmig(*posterior, factors).mean())
        assert row["jemmig.score"] == pytest.approx(metrics.jemmig(*posterior, factors).mean())
        for function in (metrics.wsepin, metrics.windin):
            expected = function(*posterior, evaluated=500, seed=5)
            for key, value in expected.numbers.items():
                assert row[key] == pytest.approx(value, abs=1e-4), key
        assert row["dcimig.score"] == pytest.approx(metrics.dcimig(posterior[0], factors).mean())
        assert 0 <= row["omes.score"] <= 1 and -1 <= row["dci_es.explicitness"] <= 1
        assert np.isfinite(list(row.numbers.values())).all()
    assert list(scores["details"][0]["omes"]["per_factor"]) == ["row", "column", "grey"]
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_codes_without_a_posterior_have_the_others(squares):
    codes = squares.factors(range(75)) + 0.01 * np.random.default_rng(0).random((75, 3))
    scores = evaluate(codes, squares, ["all"], settings="fast")
    found = {key.split(".")[0] for key in scores["layers"][0].numbers}
    assert set(OF_CODES) < found and not found & set(OF_POSTERIORS)
    with pytest.raises(UsageError, match="Cannot compute rmig, wsepin: there are no log-variances"):
        evaluate(codes, squares, ["rmig", "mig", "wsepin"])


def test_images_without_factors_have_those_that_need_none(tiny, squares):
    plain = data.from_arrays(squares.images(range(75)))
    model = tiny("vae", likelihood="gaussian")
    scores = evaluate(model, plain, ["wsepin", "windin"], settings="fast")
    assert set(scores["layers"][0].numbers) == {
        "wsepin.score",
        "wsepin.information",
        "windin.score",
        "windin.wsep",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(
            UsageError, match="Cannot compute rmig, omes: there are no ground-truth"
        ):
            evaluate(model, plain, ["rmig", "omes"])
