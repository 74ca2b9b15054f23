"""Wrong arguments to every public function: a sentence, or a result, but no foreign exception."""

import inspect
import json
import warnings

import numpy as np
import pytest

from keras_devae import metrics
from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning

FACTORS = np.random.default_rng(0).integers(0, [2, 3], size=(60, 2))
CODES = FACTORS @ [[1.0, 0.3, 0.0], [0.0, 0.5, 1.0]]
CODES = CODES + 0.1 * np.random.default_rng(1).normal(size=(60, 3))
LOG_VAR = np.full((60, 3), -2.0)
IMAGES = np.zeros((4, 2, 2, 1), np.uint8)
LABELLED = {"codes": CODES, "factors": FACTORS}
POSTERIOR = {"z_mean": CODES, "z_log_var": LOG_VAR}
VOTES = {"sampler": CODES, "factors": FACTORS, "n_train": 30, "n_test": 20}


class Squares:
    """As much of a data set as an `EncodedDataset` needs."""

    name, factor_names = "squares", ("a", "b")

    def __len__(self):
        return len(FACTORS)

    def images(self, rows):
        return CODES[rows]

    def factors(self, rows):
        return FACTORS[rows]


#: What is right for each function of the package; its other arguments have defaults.
RIGHT = {
    "mig": LABELLED,
    "factor_vae_score": {**VOTES, "n_variance": 50},
    "beta_vae_score": VOTES,
    "dci": {**LABELLED, "predictor": "lightgbm"},
    "dci_es": {**LABELLED, "depths": (1, 2), "trees": 2},
    "omes": {"sampler": CODES, "factors": FACTORS, "n_pairs": 20, "n_variance": 50},
    "mig_sup": LABELLED,
    "dcimig": LABELLED,
    "rmig": {**POSTERIOR, "factors": FACTORS},
    "jemmig": {**POSTERIOR, "factors": FACTORS},
    "wsepin": {**POSTERIOR, "evaluated": 10},
    "windin": {**POSTERIOR, "evaluated": 10},
    "sap": LABELLED,
    "modularity_explicitness": LABELLED,
    "irs": LABELLED,
    "med": {**LABELLED, "informativeness": False},
    "infomec": LABELLED,
    "downstream_accuracy": {
        **LABELLED,
        "predictors": "logistic_regression",
        "train_sizes": [10],
    },
    "gaussian_total_correlation": {"codes": CODES},
    "wasserstein_correlation": {"codes": CODES},
    "mutual_information_score": {"codes": CODES},
    "active_variables": POSTERIOR,
    "kl": POSTERIOR,
    "elbo_decomposition": {**POSTERIOR, "evaluated": 10},
    "reconstruction_error": {"images": IMAGES, "reconstructions": IMAGES},
    "udr": {"codes": [CODES, CODES[:, ::-1]], "kl": np.ones((2, 3))},
    "kl_per_dimension": POSTERIOR,
    "signal_per_dimension": POSTERIOR,
    "active_dimensions": {"signal": np.ones(3)},
    "entropy": {"values": FACTORS},
    "pairwise_entanglement": {"importance_matrix": np.eye(3)},
    "modularity_of": {"matrix": np.eye(3)},
    "mutual_information_matrix": LABELLED,
    "histogram_discretize": {"codes": CODES},
    "quantile_discretize": {"codes": CODES},
    "CodeTable": LABELLED,
    "EncodedDataset": {"dataset": Squares(), "encode": lambda images: images},
    "score_codes": {**LABELLED, "metrics": ["mig"], "settings": "fast"},
    "check_names": {"names": ["mig"], "has_factors": True},
    "check_settings": {"settings": "fast"},
    "resolved_names": {"names": ["mig"], "has_factors": True},
}
#: Makes one of each, since a generator serves once.
WRONG = {
    "none": lambda: None,
    "zero": lambda: 0,
    "negative": lambda: -1,
    "fraction": lambda: 2.5,
    "nan": lambda: float("nan"),
    "infinite": lambda: float("inf"),
    "huge": lambda: 10**9,
    "beyond_int64": lambda: 2**70,
    "beyond_float": lambda: 10**400,
    "digits": lambda: -(10**5000),
    "true": lambda: True,
    "complex": lambda: 1j,
    "word": lambda: "a",
    "empty_word": lambda: "",
    "bytes": lambda: b"mig",
    "empty_list": list,
    "numbers": lambda: [5, 5],
    "words": lambda: ["a", "b"],
    "nested": lambda: [["a"], ["b"]],
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "nones": lambda: [None, None],
    "mapping": lambda: {"mig": 1},
    "set": lambda: {"a", "b"},
    "generator": lambda: (name for name in ("a", "b")),
    "object": object,
    "type": lambda: dict,
    "function": lambda: len,
    "datetime": lambda: np.array([["2020-01-01"]] * 60, "datetime64[D]"),
    "object_array": lambda: np.array([[None, 1]] * 60, dtype=object),
    "empty_array": lambda: np.zeros((0, 2)),
    "scalar_array": lambda: np.array(3),
    "row": lambda: np.arange(60),
    "cube": lambda: np.zeros((60, 2, 2)),
    "record_array": lambda: np.zeros(60, [("a", "f4")]),
    "masked": lambda: np.ma.masked_array(np.arange(120).reshape(60, 2), np.eye(60, 2)),
    "array": lambda: np.arange(6.0).reshape(3, 2),
}
#: What may fail by itself when it is called; and numbers of threads that only take time.
RIGHT_FOR = {
    "progress": ("type", "function"),
    "encode": ("type", "function"),
    "workers": ("huge", "beyond_int64", "beyond_float"),
}
NO_ARGUMENTS = {"present"}
PARAMETERS = [
    (name, parameter)
    for name in RIGHT
    for parameter in inspect.signature(getattr(metrics, name)).parameters
    if parameter not in NO_ARGUMENTS
]


def call(name, **changed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        return getattr(metrics, name)(**{**RIGHT[name], **changed})


def test_every_public_function_is_tried():
    functions = {
        name for name in metrics.__all__ if callable(getattr(metrics, name)) and name not in RIGHT
    }
    classes = {"Metric", "Number", "Score", "MetricWarning", "FewSamplesWarning", "Sampler"}
    assert functions == classes | {"possible_metrics", "meaning_of", "number_of"}
    for name in RIGHT:
        call(name)


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS)
def test_a_wrong_argument_is_a_sentence_or_has_a_result(name, parameter):
    refused = 0
    for kind, make in WRONG.items():
        if kind in RIGHT_FOR.get(parameter, ()):
            continue
        try:
            result = call(name, **{parameter: make()})
        except UsageError as error:
            refused += 1
            assert "\n" not in str(error) and len(str(error)) < 800, kind
            continue
        if isinstance(result, dict):
            assert json.loads(json.dumps(result, allow_nan=False)), kind
    assert refused > len(WRONG) / 4


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("mig", {"bins": 10**9}, "`bins` must be a whole number from 2 to 10,000. Received: 1000"),
        ("mig", {"bins": 0}, "`bins` must be a whole number from 2 to 10,000. Received: 0"),
        ("mig", {"bins": 2.5}, "`bins` must be a whole number from 2 to 10,000. Received: 2.5"),
        ("mig", {"seed": -1}, "`seed` must be a whole number from 0 to .* Received: -1"),
        ("mig", {"seed": "a"}, "`seed` must be a whole number from 0 to .* Received: 'a'"),
        ("mig", {"factor_names": 5}, "`factor_names` must be a list of names. Received: 5"),
        ("mig", {"factor_names": "ab"}, "`factor_names` must be a list of names. Received: 'ab'"),
        (
            "mig",
            {"discretizer": ["x"]},
            "Unknown discretizer.*Known: histogram, identity, quantile",
        ),
        ("dci", {"workers": 0}, "`workers` must be a whole number of at least 1. Received: 0"),
        ("infomec", {"seed": 2**32}, "`seed` must be a whole number from 0 to 4,294,967,295"),
        ("irs", {"quantile": "a"}, "`quantile` must be a number between 0 and 1. Received: 'a'"),
        ("med", {"informativeness": "no"}, "`informativeness` must be true or false"),
        ("beta_vae_score", {"n_train": 10**9}, "must ask for at most 100,000,000 samples"),
        ("udr", {"codes": 5}, "`codes` must be a list of arrays, one a model. Received: 5"),
        (
            "downstream_accuracy",
            {"train_sizes": 5},
            "`train_sizes` must be a list of whole numbers",
        ),
        ("score_codes", {"metrics": 5}, "`metrics` must be a list of names. Received: 5"),
        ("score_codes", {"metrics": [5]}, "Unknown metric '5'"),
        ("score_codes", {"samples": 0}, "`samples` must be a whole number of at least 2"),
        ("score_codes", {"samples": -3}, "`samples` must be a whole number of at least 2"),
        ("score_codes", {"workers": 0}, "`workers` must be a whole number of at least 1"),
        ("score_codes", {"progress": 5}, "`progress` must be a function or None. Received: 5"),
        ("score_codes", {"bins": 1}, "`bins` must be a whole number from 2 to 10,000. Received: 1"),
        (
            "score_codes",
            {"metrics": ["irs"], "bins": 5},
            "The settings bins are for metrics that",
        ),
        ("EncodedDataset", {"encode": 5}, "`encode` must be a function of images"),
        ("EncodedDataset", {"dataset": CODES}, "`dataset` must be a data set with factors"),
        ("modularity_of", {"matrix": -np.eye(2)}, "at least 0. Received: -1"),
    ],
)
def test_what_to_pass_is_said(name, arguments, message):
    with pytest.raises(UsageError, match=message):
        call(name, **arguments)


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda images: images[:-1], "one row of codes per image. Received: 59 rows for 60 images"),
        (lambda images: images[:, 0], "`encode\\(images\\)` must be a numeric array"),
        (lambda images: None, "`encode\\(images\\)` must be.*Received: a value of type NoneType"),
    ],
)
def test_codes_of_another_form_than_an_encoders_are_refused(encode, message):
    table = metrics.EncodedDataset(Squares(), encode)
    with pytest.raises(UsageError, match=message):
        metrics.factor_vae_score(table, n_train=500, n_test=200)


def test_names_of_factors_may_be_a_generator():
    scores = call("score_codes", metrics=["mig", "sap"], factor_names=(name for name in "ab"))
    assert list(scores["details"]["mig"]["per_factor"]) == ["a", "b"]
    assert list(scores["details"]["sap"]["per_factor"]) == ["a", "b"]
