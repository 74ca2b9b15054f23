"""Many metrics of the same codes, with their uncertainty over fresh samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array, function_or_none, one_of
from keras_devae.errors import UsageError
from keras_devae.metrics import arguments
from keras_devae.metrics.base import (
    ESTIMATORS,
    METRICS,
    SPREAD,
    Metric,
    Score,
)
from keras_devae.metrics.choosing import check_settings, resolved_names
from keras_devae.metrics.continuous_factors import Continuous
from keras_devae.metrics.estimators.discretization import DISCRETIZERS
from keras_devae.metrics.metric_warnings import gathered
from keras_devae.metrics.rows import Sample, draw_samples
from keras_devae.metrics.sources import ArraySource, Source


@gathered()
def score_codes(
    codes: Array,
    factors: Array | None = None,
    metrics: Iterable[str] | None = None,
    *,
    settings: str = "paper",
    seed: int = 0,
    repeats: int = 1,
    samples: int | None = None,
    n_train: int | None = None,
    factor_names: Iterable[str] | None = None,
    continuous: Continuous = (),
    z_log_var: Array | None = None,
    workers: int | None = None,
    bins: int | None = None,
    discretizer: str | None = None,
    estimator: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Score:
    """Computes metrics of codes from any source.

    Each warning of the metrics is issued once, at the end: few samples (a `FewSamplesWarning`),
    factors that look continuous, codes whose outliers empty the histogram.

    Args:
        codes: `(n, d)` codes, e.g. posterior means.
        factors: `(n, f)` factors, or `None`: whole numbers, but for `continuous` ones.
        metrics: Names of metrics, keys of `METRICS`; `["all"]` for all that can be computed;
            `None` for all of `DEFAULT_METRICS` that can.
        settings: `"paper"` (default) or `"fast"`.
        seed: Seed of everything random; default 0.
        repeats: Number of repeats, each on rows drawn afresh; default 1.
        samples: Rows of a repeat. Default: all of them in their order for one repeat; for several,
            half of them, drawn without repetition, at most 15,000.
        n_train: Rows that train a predictor, the rest test it; default two thirds. It shrinks in
            proportion if a repeat has fewer rows than there are.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        continuous: Names or column numbers of the factors that are measured quantities, whose
            columns of `factors` may hold any finite numbers; or a dictionary from names to measured
            values `(n,)`, where those columns hold bins already. Default: none. DCI, SAP and
            downstream accuracy use the values themselves, by regression, and so does MIG with
            `estimator="knn"`; all other metrics use 20 bins of equal width, or those given.
        z_log_var: `(n, d)` log-variances of the posterior whose means the codes are, or `None`.
        workers: Threads of `dci`; default see there. The numbers do not depend on it.
        bins: Number of bins per code, for the metrics that put codes into bins; `None` for 20.
        discretizer: Their bins, see `mig`; `None` for `"histogram"`.
        estimator: How `mig` estimates information, see there; `None` for `"plug_in"`.
        progress: Called with the name of each metric before it is computed.

    Returns:
        A `Score`. Its `details` are by metric, from the first repeat, but for `per_factor`,
        which is the mean. Its `settings` are by metric, likewise of the first; with continuous
        factors each has `continuous`, from their names to `"native"` or `"binned"`. `repeats` has
        the flat keys of each repeat, if there are several.

    Raises:
        UsageError: If a name or a setting is wrong, `bins`, `discretizer` or `estimator` is given
            and no metric takes it, or the arrays are malformed.

    Example:
        >>> random = np.random.default_rng(0)
        >>> factors = random.integers(0, 4, (2000, 2))
        >>> codes = factors + random.normal(0, 0.1, (2000, 2))
        >>> scores = kd.metrics.score_codes(codes, factors, ["mig"], repeats=5)
        >>> round(scores.mean("mig.score"), 3)
        0.987
        >>> [round(end, 3) for end in scores.interval("mig.score")]
        [0.986, 0.989]
    """
    check_evaluation(settings, repeats, seed, workers, progress)
    present = {
        "has_factors": factors is not None,
        "has_posterior": z_log_var is not None,
        "has_images": False,
    }
    names = resolved_names(metrics, **present)
    source = ArraySource(codes, factors, factor_names, continuous, z_log_var)
    options = given_options(names, bins, discretizer, workers)
    options = with_estimator(options, estimator, bool(source.continuous_factors))
    drawn = draw_samples(len(source.codes), samples, n_train, seed, repeats)
    results = [
        {n: compute(n, source, sample, settings, options[n], progress) for n in names}
        for sample in drawn
    ]
    return combined(results)


def check_evaluation(
    settings: str,
    repeats: int,
    seed: int,
    workers: int | None,
    progress: Callable[..., None] | None,
) -> None:
    """Checks the arguments that evaluations of codes and of models share."""
    check_settings(settings)
    arguments.check_whole("repeats", repeats, 1, arguments.MOST_REPEATS)
    arguments.check_seed(seed)
    if workers is not None:
        checks.at_least("workers", workers, 1)
    function_or_none("progress", progress)


def given_options(
    names: Iterable[str], bins: int | None, discretizer: str | None, workers: int | None
) -> dict[str, dict[str, Any]]:
    """Returns the arguments that the user chose for metrics, by the metrics' names.

    A `UsageError` says that one of them is wrong, or that bins are chosen and no metric has any.
    """
    binning: dict[str, Any] = {} if bins is None else {"bins": arguments.check_bins(bins)}
    if discretizer is not None:
        binning["discretizer"] = one_of("discretizer", discretizer, DISCRETIZERS)
    if binning and not any(METRICS[name].is_binned for name in names):
        known = ", ".join(name for name, metric in METRICS.items() if metric.is_binned)
        raise UsageError(
            f"The settings {' and '.join(binning)} are for metrics that put codes into bins: "
            f"{known}. Received: {', '.join(names)}."
        )
    return {
        name: {
            **(binning if METRICS[name].is_binned else {}),
            **({"workers": workers} if METRICS[name].takes_workers else {}),
        }
        for name in names
    }


def with_estimator(
    options: dict[str, dict[str, Any]], estimator: str | None, any_continuous: bool
) -> dict[str, dict[str, Any]]:
    """Adds the estimator of mutual information that the user chose to the metrics that take it.

    A `UsageError` says that it is wrong, or that there is nothing to estimate with it.
    """
    if estimator is None:
        return options
    one_of("estimator", estimator, ESTIMATORS)
    taking = [name for name in options if METRICS[name].takes_estimator]
    if not taking:
        known = ", ".join(name for name, metric in METRICS.items() if metric.takes_estimator)
        raise UsageError(f"The setting estimator is for {known}. Received: {', '.join(options)}.")
    if estimator == "knn" and not any_continuous:
        raise UsageError(
            "The estimator 'knn' is for continuous factors, and none is continuous: leave it out."
        )
    return {
        name: {**given, **({"estimator": estimator} if name in taking else {})}
        for name, given in options.items()
    }


def compute(
    name: str,
    source: Source,
    sample: Sample,
    settings: str,
    options: Mapping[str, Any],
    progress: Callable[[str], None] | None = None,
) -> Score:
    """Computes one metric of the rows of one sample.

    The result's settings have `settings`, `"paper"` or `"fast"`, as `"preset"`. `options` are those
    of `given_options`; `progress` is called with the metric's name.
    """
    if progress is not None:
        progress(name)
    metric = METRICS[name]
    limit = None
    if settings == "fast":
        options, limit = {**metric.fast, **options}, metric.fast_rows
    score = _apply(metric, source, sample, limit, options)
    known: dict[str, Any] = {"preset": settings, "seed": sample.seed}
    for key in ("factor_names", "factor_sizes"):
        known[key] = getattr(source, key) and list(getattr(source, key))
    if metric.needs_factors and source.continuous_factors:
        known["continuous"] = dict.fromkeys(source.continuous_factors, "binned")
    return Score({**score, "settings": {**known, **score.settings}})


def _apply(
    metric: Metric, source: Source, sample: Sample, limit: int | None, options: Mapping[str, Any]
) -> Score:
    """Calls a metric with what it takes; `limit` is its `fast_rows`, or `None` for all rows."""
    rows, seeded = sample.plain[:limit], {**options, "seed": sample.seed}
    if metric.takes == "split":
        rows, n_train = sample.rows, sample.n_train
        if limit is not None and limit < n_train:
            rows = np.concatenate([rows[:limit], rows[n_train : n_train + limit // 2]])
            n_train = limit
        seeded["n_train"] = n_train
    labelled = {**seeded, "factor_names": source.factor_names}
    if metric.takes_continuous and source.continuous_factors:
        labelled["continuous"] = source.measured_of(rows)
    match metric.takes:
        case "labels" | "split":
            return metric.function(source.codes_of(rows), source.factors_of(rows), **labelled)
        case "sampler":
            return metric.function(source.sampler, **seeded)
        case "codes":
            return metric.function(source.codes_of(rows), **seeded)
        case "posterior":
            posterior = source.posterior_of(rows)
            return metric.function(*posterior, **_divergences(metric, source, rows), **options)
        case "labelled_posterior":
            posterior = source.posterior_of(rows)
            return metric.function(*posterior, source.factors_of(rows), **labelled)
        case "drawn_posterior":
            return metric.function(*source.posterior_of(rows), **seeded)
        case "elbo":
            posterior, error = source.posterior_of(rows), source.negative_log_likelihood
            seeded |= _divergences(metric, source, rows)
            return metric.function(*posterior, negative_log_likelihood=error, **seeded)
    return source.reconstruction_error()


def _divergences(metric: Metric, source: Source, rows: Array) -> dict[str, Any]:
    """Returns the argument `divergences` for a metric that takes it, if they are estimated."""
    found = source.divergences_of(rows) if metric.of_samples == "divergences" else None
    return {} if found is None else {"divergences": found}


def combined(repeats: list[dict[str, Score]]) -> Score:
    """Puts the results of several metrics together, for each repeat by name, see `score_codes`."""
    flat = [{k: v for score in r.values() for k, v in score.numbers.items()} for r in repeats]
    first, several = repeats[0], len(repeats) > 1
    numbers = dict(flat[0]) if not several else {}
    for key in flat[0] if several else ():
        numbers.update(_spread(key, [values[key] for values in flat if key in values]))
    return Score(
        numbers,
        details={name: _details([r[name].details for r in repeats]) for name in first},
        settings={name: score.settings for name, score in first.items()},
        **({"repeats": flat} if several else {}),
    )


def _details(repeats: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the details of the first repeat, with mean scores of factors that all have."""
    first = repeats[0]
    if len(repeats) == 1 or "per_factor" not in first:
        return first
    common = [name for name in first["per_factor"] if all(name in r["per_factor"] for r in repeats)]
    means = {name: float(np.mean([r["per_factor"][name] for r in repeats])) for name in common}
    return {**first, "per_factor": means}


def _spread(key: str, values: list[float]) -> dict[str, float]:
    from keras_devae.metrics.estimators.spread import spread_of

    found = spread_of(values)
    keys = [key + suffix for suffix in ("", *SPREAD)]
    return dict(zip(keys, (found.mean, found.std, found.low, found.high), strict=True))
