"""Chooses metrics by name and by the data that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from keras_devae.checks import flag, listed, one_of, shown
from keras_devae.errors import UsageError, unknown_name
from keras_devae.metrics.base import (
    DEFAULT_METRICS,
    METRICS,
    NEED_FACTORS,
    NEED_POSTERIOR,
    SETTINGS,
)


def possible_metrics(
    has_factors: bool,
    has_posterior: bool = True,
    has_images: bool = True,
    samples_posterior: bool = False,
) -> tuple[str, ...]:
    """Lists the metrics that can be computed from the available data.

    Args:
        has_factors: Whether there are ground-truth factors.
        has_posterior: Whether there are log-variances of the codes; default true.
        has_images: Whether there are images with their reconstructions; default true.
        samples_posterior: Whether there are samples of the posterior in place of log-variances;
            default false.

    Returns:
        Their names, in the order of `METRICS`.

    Raises:
        UsageError: If one of these is neither true nor false.
    """
    missing = _missing(has_factors, has_posterior, has_images)
    return tuple(name for name in METRICS if not _lack(name, missing, samples_posterior))


def resolved_names(names: Iterable[str] | None, **present: bool) -> tuple[str, ...]:
    """Replaces words that stand for several metrics by their names.

    Args:
        names: Names of metrics; `None` for the default ones, `("all",)` for all possible ones.
        **present: The keywords of `possible_metrics`.

    Returns:
        The names.

    Raises:
        UsageError: As `check_names`.
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
    """Checks that metrics exist and that the data they need are available.

    Args:
        names: Keys of `METRICS`, or `("all",)`.
        has_factors: As for `possible_metrics`, like all that follow.
        has_posterior: Default true.
        has_images: Default true.
        samples_posterior: Default false.

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
    """Checks the name of the settings of metrics.

    Args:
        settings: The name.

    Raises:
        UsageError: If it is not one of `SETTINGS`.
    """
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
