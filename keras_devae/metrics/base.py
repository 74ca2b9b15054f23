"""Declarations and results of metrics, and all metrics by name.

Each metric is declared in its file in `keras_devae.metrics.scores`. This module imports neither
NumPy nor the libraries that compute scores.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_devae.checks import flag, listed, one_of, shown
from keras_devae.errors import UsageError, unknown_name
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
    """Returns the `Number` of a flat key such as `"mig.score"`, or `None`."""
    name, _, number = key.partition(".")
    return METRICS[name].numbers.get(number) if name in METRICS else None


def meaning_of(key: str) -> str:
    """Explains the number of a flat key in a sentence; returns `""` for an unknown key."""
    number = number_of(key)
    return "" if number is None else number.meaning


def possible_metrics(
    has_factors: bool,
    has_posterior: bool = True,
    has_images: bool = True,
    samples_posterior: bool = False,
) -> tuple[str, ...]:
    """Returns the names of the metrics that can be computed from the available data.

    `has_factors`, `has_posterior` and `has_images` say whether there are ground-truth factors,
    log-variances of the codes, and images with their reconstructions; `samples_posterior` says
    whether there are samples of the posterior in place of log-variances.
    """
    missing = _missing(has_factors, has_posterior, has_images)
    return tuple(name for name in METRICS if not _lack(name, missing, samples_posterior))


def resolved_names(names: Iterable[str] | None, **present: bool) -> tuple[str, ...]:
    """Resolves names of metrics: `None` means the default ones, `("all",)` all possible ones.

    `present` are the keywords of `check_names`, which raises a `UsageError` for other names.
    """
    possible = possible_metrics(**present)
    if names is None:
        return tuple(name for name in DEFAULT_METRICS if name in possible)
    names = _as_names(names)
    if names == ("all",):
        return possible
    check_names(names, **present)
    return names


def check_names(
    names: Iterable[str],
    has_factors: bool,
    has_posterior: bool = True,
    has_images: bool = True,
    samples_posterior: bool = False,
) -> None:
    """Checks that metrics exist and that the data they need are available; see `possible_metrics`.

    `names` are keys of `METRICS`, or `("all",)`.

    Raises:
        UsageError: If a name is unknown (suggests close matches), or a metric needs data that are
            missing (lists the metrics that do not).
    """
    names = _as_names(names)
    if names == ("all",):
        return
    for name in names:
        if name not in METRICS:
            one_of("metric", name, [*METRICS, "all"])
            raise UsageError("'all' stands for all metrics; give it alone.")
    flag("samples_posterior", samples_posterior)
    missing = _missing(has_factors, has_posterior, has_images)
    refused = [name for name in names if _lack(name, missing, samples_posterior)]
    if refused:
        reasons = sorted({missing[METRICS[name].takes] for name in refused})
        others = ", ".join(name for name in METRICS if not _lack(name, missing, samples_posterior))
        raise UsageError(
            f"Cannot compute {', '.join(refused)}: there are no {' and no '.join(reasons)}. "
            f"Metrics that can be computed: {others}."
        )


def check_settings(settings: str) -> None:
    """Raises a `UsageError` unless the name is one of `SETTINGS`."""
    one_of("settings", settings, SETTINGS)


def _as_names(names: Iterable[str]) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(listed("metrics", names, "names"))
    for name in names:
        if not isinstance(name, str):
            raise unknown_name("metric", shown(name), [*METRICS, "all"])
    return names


def _lack(name: str, missing: Mapping[str, str], samples_posterior: bool) -> bool:
    """Tells whether a metric lacks data; `missing` is of `_missing`."""
    metric = METRICS[name]
    return metric.takes in missing and not (samples_posterior and metric.of_samples)


def _missing(has_factors: bool, has_posterior: bool, has_images: bool) -> dict[str, str]:
    """Returns the kinds of `Metric.takes` that are unavailable, and what each of them lacks."""
    missing = {}
    if not flag("has_posterior", has_posterior):
        missing.update(dict.fromkeys(NEED_POSTERIOR, "log-variances of the posterior"))
    if not flag("has_factors", has_factors):
        missing.update(dict.fromkeys(NEED_FACTORS, "ground-truth factors"))
    if not flag("has_images", has_images):
        missing["images"] = "reconstructions"
    return missing
