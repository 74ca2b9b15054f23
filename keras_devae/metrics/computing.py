"""One metric of one sample, whatever it is computed from."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np

from keras_devae.metrics.registry import METRICS
from keras_devae.metrics.sampling import Sampler

NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


class Sample(NamedTuple):
    """The rows of one repeat.

    Attributes:
        rows: Row numbers; those before `n_train` train, the rest test.
        n_train: How many train.
        plain: Row numbers for the metrics that train nothing.
        seed: Seed of what metrics draw themselves.
    """

    rows: np.ndarray
    n_train: int
    plain: np.ndarray
    seed: int


class Source(Protocol):
    """What metrics are computed from: a table of which rows can be asked for.

    Attributes:
        factor_names: A name for each factor, or `None`.
        factor_sizes: The number of values of each factor, or `None`.
        sampler: A `Sampler` over the whole table, or `None` without factors.
        negative_log_likelihood: Reconstruction term in nats, or `None` if unknown.
    """

    factor_names: tuple[str, ...] | None
    factor_sizes: tuple[int, ...] | None
    sampler: Sampler | None
    negative_log_likelihood: float | None

    def codes_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns the codes `(n, d)` of rows."""

    def factors_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns the factors `(n, f)` of rows."""

    def posterior_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the means and log-variances `(n, d)` of rows."""

    def reconstruction_error(self) -> dict:
        """Returns the result of `keras_devae.metrics.reconstruction_error`."""


def compute(
    name: str,
    source: Source,
    sample: Sample,
    settings: str = "paper",
    options: Mapping[str, object] = NO_OPTIONS,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Computes one metric of one sample.

    Args:
        name: A key of `METRICS`.
        source: The codes.
        sample: The rows.
        settings: `"paper"` (default) or `"fast"`.
        options: Further arguments of the metric, see `given_options`; default none.
        progress: Called with the metric's name.

    Returns:
        The metric's result; its settings say `"preset"`, the name of the settings.
    """
    if progress is not None:
        progress(name)
    metric = METRICS[name]
    fast = settings == "fast"
    options = {**(metric.fast if fast else {}), **options}
    rows = metric.fast_rows if fast else None
    result = _APPLY[metric.takes](metric.function, source, sample, rows, options)
    known = {"preset": settings, "seed": sample.seed}
    for key in ("factor_names", "factor_sizes"):
        known[key] = getattr(source, key) and list(getattr(source, key))
    return {**result, "settings": {**known, **result["settings"]}}


def _from_labels(function, source, sample, limit, options):
    rows = sample.plain[:limit]
    codes, factors = source.codes_of(rows), source.factors_of(rows)
    named = {"factor_names": source.factor_names, "seed": sample.seed}
    return function(codes, factors, **named, **options)


def _from_split(function, source, sample, limit, options):
    rows, n_train = sample.rows, sample.n_train
    if limit is not None and limit < n_train:
        rows = np.concatenate([rows[:limit], rows[n_train : n_train + limit // 2]])
        n_train = limit
    codes, factors = source.codes_of(rows), source.factors_of(rows)
    named = {"factor_names": source.factor_names, "seed": sample.seed}
    return function(codes, factors, n_train=n_train, **named, **options)


def _from_sampler(function, source, sample, limit, options):
    del limit
    return function(source.sampler, seed=sample.seed, **options)


def _from_codes(function, source, sample, limit, options):
    return function(source.codes_of(sample.plain[:limit]), seed=sample.seed, **options)


def _from_posterior(function, source, sample, limit, options):
    del options
    return function(*source.posterior_of(sample.plain[:limit]))


def _from_elbo(function, source, sample, limit, options):
    posterior = source.posterior_of(sample.plain[:limit])
    error = source.negative_log_likelihood
    return function(*posterior, negative_log_likelihood=error, seed=sample.seed, **options)


def _from_images(function, source, sample, limit, options):
    del function, sample, limit, options
    return source.reconstruction_error()


_APPLY = {
    "labels": _from_labels,
    "split": _from_split,
    "sampler": _from_sampler,
    "codes": _from_codes,
    "posterior": _from_posterior,
    "elbo": _from_elbo,
    "images": _from_images,
}
