"""Declarations and results of metrics, and all metrics by name.

Each metric is declared in its file in `keras_devae.metrics.scores`. This module imports neither
NumPy nor the libraries that compute scores.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_devae.errors import unknown_name
from keras_devae.version import __version__

#: `"paper"`: the published study's settings, which are the functions' defaults; `"fast"`: seconds
#: instead of minutes, see `Metric.fast`.
SETTINGS = ("paper", "fast")
#: Estimators of mutual information: by counting in bins, or, for continuous factors, by the
#: distances of nearest neighbours.
ESTIMATORS = ("plug_in", "knn")
#: The default metrics, which together take seconds.
DEFAULT_METRICS = ("mig", "active_variables", "kl", "reconstruction_error")

#: The kinds of `Metric.takes` that have factors, and those that have log-variances of the codes.
NEED_FACTORS = ("labels", "split", "sampler", "labelled_posterior")
NEED_POSTERIOR = ("posterior", "labelled_posterior", "drawn_posterior", "elbo")

#: Suffixes of a number's key for its deviation and interval over repeats.
SPREAD = (".std", ".low", ".high")

_SCORES = "keras_devae.metrics.scores"
#: Names of all metrics, read from the file names in `scores` without importing anything.
NAMES = tuple(
    module.name for module in pkgutil.iter_modules([str(Path(__file__).with_name("scores"))])
)
#: Keys of a `Score` that are not flat scores.
_NOT_NUMBERS = ("details", "settings", "repeats", "layer")


@dataclass(frozen=True)
class Number:
    """A number that a metric returns.

    Attributes:
        meaning: What it means, in a sentence. It is between 0 and 1 unless stated otherwise.
        title: Its name in tables and figures; `""` for its key.
        unit: Its unit, e.g. `"nats"`.
        lower_is_better: Whether lower values are better.

    Example:
        >>> kd.metrics.number_of("kl.total").label
        'KL, nats'
    """

    meaning: str
    title: str = ""
    unit: str = ""
    lower_is_better: bool = False

    @property
    def label(self) -> str:
        """The title and unit, e.g. `"KL, nats"`."""
        return ", ".join(part for part in (self.title, self.unit) if part)


class Score(dict[str, Any]):
    """The result of one or more metrics: a dictionary that `json.dump` accepts as it is.

    Its flat keys, such as `"mig.score"`, hold floats. `"details"` explains them and `"settings"`
    has everything needed to repeat them: the arguments that were used, the data's `sample_count`,
    `code_count` and, with factors, `factor_names`, `factor_sizes` and `dropped_factors`, and the
    versions of the libraries. With several metrics, both are dictionaries by metric name. With
    several repeats, a flat key holds the mean, and there are also `"mig.score.std"` (standard
    deviation, with n - 1 in the denominator), `"mig.score.low"` and `"mig.score.high"` (95 %
    interval of the mean by Student's t); `"repeats"` lists the flat keys of each repeat.

    Example:
        >>> random = np.random.default_rng(0)
        >>> factors = random.integers(0, 4, (2000, 2))
        >>> score = kd.metrics.mig(factors + random.normal(0, 0.1, (2000, 2)), factors)
        >>> score.mean() == score["mig.score"]
        True
        >>> score.interval("mig.score") == (score.mean(), score.mean())
        True
    """

    @property
    def numbers(self) -> dict[str, float]:
        """The flat keys and their numbers."""
        return {key: value for key, value in self.items() if key not in _NOT_NUMBERS}

    @property
    def details(self) -> dict[str, Any]:
        """Details on how the numbers came about."""
        return self["details"]

    @property
    def settings(self) -> dict[str, Any]:
        """Everything needed to trace and repeat the numbers."""
        return self["settings"]

    def mean(self, key: str | None = None) -> float:
        """Returns the number of a flat key, its mean over repeats; by default of the first key."""
        return self[self._key(key)]

    def deviation(self, key: str | None = None) -> float:
        """Returns the standard deviation of a flat key over repeats, 0 for a single repeat."""
        return self.get(f"{self._key(key)}.std", 0.0)

    def interval(self, key: str | None = None) -> tuple[float, float]:
        """Returns the 95 % interval of the mean; for one repeat, both ends are the number."""
        key = self._key(key)
        return self.get(f"{key}.low", self[key]), self.get(f"{key}.high", self[key])

    def _key(self, key: str | None) -> str:
        return next(iter(self.numbers)) if key is None else key


@dataclass(frozen=True)
class Metric:
    """The declaration of a metric.

    Attributes:
        name: Its name, shared by its file and its function.
        takes: `"labels"` (codes and factors), `"split"` (codes and factors, with the rows
            before `n_train` used to fit a predictor), `"sampler"` (a `Sampler`), `"codes"`,
            `"posterior"` (means and log-variances), `"labelled_posterior"` (the same and factors),
            `"drawn_posterior"` (means and log-variances, and the seed of draws from them), `"elbo"`
            (the same and the reconstruction term, if it is known) or `"images"` (images and
            reconstructions).
        description: One line for lists and help texts.
        numbers: The `Number`s that it returns, by name, the most important one first.
        fast: Arguments of the setting `"fast"` that differ from the defaults.
        fast_rows: Number of rows used by the setting `"fast"`; `None` for as many as `"paper"`.
        per_factor: What `details["per_factor"]` holds, if it is not the score itself.
        is_binned: Whether it puts codes into bins and takes `bins` and `discretizer`.
        takes_workers: Whether it takes `workers`, a number of threads.
        takes_estimator: Whether it takes `estimator`, one of `ESTIMATORS`.
        continuous: How it treats continuous factors: `"native"`, by their measured values, or
            `"binned"` (default), by their bins, which with `takes_estimator` is a choice.
        of_samples: What it takes of a posterior that is known by samples only: `"moments"`, means
            and log-variances of the samples; `"divergences"`, also the KL divergence of each image
            as `divergences`; `""` (default) for a metric that needs the posterior's density.
        place: Its position in lists; metrics with the same one are sorted by name.

    Example:
        >>> kd.metrics.METRICS["mig"].takes
        'labels'
    """

    name: str
    takes: str
    description: str
    numbers: Mapping[str, Number]
    fast: Mapping[str, Any] = field(default_factory=dict)
    fast_rows: int | None = None
    per_factor: str = ""
    is_binned: bool = False
    takes_workers: bool = False
    takes_estimator: bool = False
    continuous: str = "binned"
    of_samples: str = ""
    place: int = 1000

    @property
    def function(self) -> Callable[..., Score]:
        """The function that computes the metric."""
        return getattr(importlib.import_module(f"{_SCORES}.{self.name}"), self.name)

    @property
    def needs_factors(self) -> bool:
        """Whether it compares codes with ground-truth factors."""
        return self.takes in NEED_FACTORS

    @property
    def needs_posterior(self) -> bool:
        """Whether it needs log-variances of the codes, and not the codes alone."""
        return self.takes in NEED_POSTERIOR

    @property
    def takes_continuous(self) -> bool:
        """Whether its function takes `continuous`, the continuous factors."""
        return self.continuous == "native" or self.takes_estimator

    def key(self, number: str | None = None) -> str:
        """Returns the flat key of a number, e.g. `"mig.score"`; by default of the first one."""
        number = next(iter(self.numbers)) if number is None else number
        if number not in self.numbers:
            raise unknown_name(f"number of {self.name}", number, self.numbers)
        return f"{self.name}.{number}"

    def score(
        self,
        values: Mapping[str, Any],
        details: dict[str, Any],
        settings: Mapping[str, Any],
        libraries: tuple[str, ...] = (),
    ) -> Score:
        """Assembles a result, with the metric's name and library versions in its settings.

        `libraries` are further distributions involved, e.g. `"scikit-learn"`.
        """
        versions = {
            f"{name.replace('-', '_')}_version": importlib.metadata.version(name)
            for name in ("numpy", *libraries)
        }
        return Score(
            {f"{self.name}.{key}": float(value) for key, value in values.items()},
            details=details,
            settings={
                "metric": self.name,
                "package_version": __version__,
                **versions,
                **{name: _plain(value) for name, value in settings.items()},
            },
        )


def _plain(value: Any) -> Any:
    """Converts a NumPy scalar, such as a seed from `numpy.arange`, to a Python number."""
    return value.item() if hasattr(value, "item") else value


class _Metrics(Mapping[str, Metric]):
    """The declarations in `keras_devae/metrics/scores/`, each read on first access."""

    @functools.cached_property
    def _declared(self) -> dict[str, Metric]:
        declared = [importlib.import_module(f"{_SCORES}.{name}").METRIC for name in NAMES]
        return {one.name: one for one in sorted(declared, key=lambda one: (one.place, one.name))}

    def __getitem__(self, name: str) -> Metric:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)


#: Name -> `Metric`.
METRICS: Mapping[str, Metric] = _Metrics()


def number_of(key: str) -> Number | None:
    """Looks up what a number of a score is.

    Args:
        key: The flat key, such as `"mig.score"`.

    Returns:
        The `Number`, or `None` for an unknown key.
    """
    name, _, number = key.partition(".")
    return METRICS[name].numbers.get(number) if name in METRICS else None


def meaning_of(key: str) -> str:
    """Explains a number of a score.

    Args:
        key: The flat key, such as `"mig.score"`.

    Returns:
        A sentence; `""` for an unknown key.
    """
    number = number_of(key)
    return "" if number is None else number.meaning
