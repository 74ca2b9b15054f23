"""Every score has a meaning."""

import inspect
import itertools

import numpy as np
import pytest

from keras_devae import metrics
from keras_devae.metrics import METRICS, meaning_of

MEANINGS = {
    metric.key(name): number.meaning
    for metric in METRICS.values()
    for name, number in metric.numbers.items()
}
#: Arguments that make the metrics quick and leave out none of their scores.
QUICK = {
    "factor_vae_score": {"n_train": 20, "n_test": 10, "n_variance": 20, "batch_size": 4},
    "beta_vae_score": {"n_train": 20, "n_test": 10, "batch_size": 4},
    "dci": {"predictor": "lightgbm"},
    "med": {"top_k": 1},
    "downstream_accuracy": {"predictors": ("logistic_regression",), "train_sizes": (10,)},
    "elbo_decomposition": {"evaluated": 10, "negative_log_likelihood": 3.0},
    "omes": {"n_pairs": 20, "n_variance": 20},
    "dci_es": {"depths": (1, 2), "trees": 2},
}


@pytest.fixture(scope="module")
def keys():
    """All flat keys that the metrics give, computed from a few codes that hold two factors."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (60, 2))
    codes = factors + 0.1 * rng.standard_normal((60, 2))
    images = rng.random((60, 4, 4, 1))
    arguments = {
        "codes": (codes,),
        "posterior": (codes, np.zeros_like(codes)),
        "drawn_posterior": (codes, np.zeros_like(codes)),
        "labelled_posterior": (codes, np.zeros_like(codes), factors),
        "elbo": (codes, np.zeros_like(codes)),
        "images": (images, images),
    }
    found = set()
    for name, metric in METRICS.items():
        given = arguments.get(metric.takes, (codes, factors))
        options = {"likelihood": "gaussian"} if metric.takes == "images" else QUICK.get(name, {})
        found |= set(metric.function(*given, **options).numbers)
        if metric.continuous == "native":
            found |= set(metric.function(*given, continuous=[0], **options).numbers)
    return found


def test_every_score_has_a_meaning_and_every_meaning_a_score(keys):
    assert {key.split(".")[0] for key in keys} == set(METRICS)
    assert [key for key in keys if not meaning_of(key)] == []
    downstream = {key for key in MEANINGS if key.startswith("downstream_accuracy.")}
    assert set(MEANINGS) - downstream <= keys


def test_the_sizes_that_predictors_are_trained_with():
    defaults = inspect.signature(metrics.downstream_accuracy).parameters
    predictors, sizes = defaults["predictors"].default, defaults["train_sizes"].default
    for predictor, size in itertools.product(predictors, (*sizes, "sample_efficiency")):
        assert meaning_of(f"downstream_accuracy.{predictor}_{size}")


def test_each_is_a_sentence():
    for text in MEANINGS.values():
        assert text[0].isupper() or text[0].isdigit()
        assert text.endswith(".")
    assert meaning_of("another.score") == ""
