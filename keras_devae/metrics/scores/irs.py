"""The interventional robustness score: codes that other factors do not move."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_recorded_seed, check_share
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.scaling import unit_scaled
from keras_devae.metrics.labelled import check_labelled

METRIC = Metric(
    "irs",
    takes="labels",
    description="interventional robustness score (Suter et al. 2019)",
    numbers={
        "score": Number(
            "1 if nothing but its own factor moves a latent. Pure noise has about 0.3."
        ),
        "active_codes": Number("Number of latents that are not constant."),
    },
    place=70,
)


def irs(
    codes: Array,
    factors: Array,
    *,
    quantile: float = 0.99,
    factor_names: Iterable[str] | None = None,
    seed: int | None = 0,
) -> Score:
    """Interventional robustness score (Suter et al. 2019).

    For each code and factor: with the factor held at a value, how far the code strays from its mean
    there (the 0.99 quantile of distances), averaged over values and divided by the code's largest
    distance from its overall mean. A code's score is 1 minus that, for the factor that suits it
    best; `irs.score` is the mean over codes weighted by their largest distances, in `[0, 1]`.

    disentanglement_lib's formula, on the factors as they are: its code bins them too, which merges
    the values of factors with more than 20 (0.637 instead of 0.663 on a code of dSprites'
    factors). The score changes when single codes are rescaled, as they are its weights, not when
    all are.

    Independent codes do not score 0 but about 0.3 with Gaussian noise, since a 0.99 quantile is
    divided by a maximum; with `quantile=1.0` about 0.1. Constant codes have weight 0; where every
    code is constant the score is 0. A code that strays farther within a value than overall counts
    as 0.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        quantile: Quantile of the distances at each value, in `[0, 1]`, interpolated linearly.
        factor_names: As for `mig`.
        seed: As for `mig`.

    Returns:
        `irs.score` and `irs.active_codes`, the number of codes that are not constant. `details`:
        `irs_matrix` `(d, varying factors)` as nested lists (rows of 0 for constant codes; 1 minus
        the ratio as it is, which may be below 0), `parents`, the name of each code's best factor or
        `None` for a constant code, `per_code`, `max_deviations`, `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    quantile = check_share("quantile", quantile)
    check_recorded_seed(seed)
    labelled = check_labelled(codes, factors, factor_names)
    scaled, exponents = unit_scaled(labelled.codes)
    deviations = np.abs(scaled - scaled.mean(axis=0)).max(axis=0)
    # The mean of equal values may differ from them by rounding.
    active = np.ones(len(deviations), dtype=bool)
    active[labelled.constant_codes] = False
    active &= deviations > 0
    matrix = np.zeros((len(deviations), len(labelled.names)))
    strays = [_deviations(scaled[:, active], values, quantile) for values in labelled.factors.T]
    means = np.stack([by_value.mean(axis=1) for by_value in strays], axis=1)
    matrix[active] = 1 - means / deviations[active, None]
    per_code = np.maximum(0.0, matrix.max(axis=1))
    weights = np.where(active, np.ldexp(deviations, exponents - exponents.max()), 0.0)
    total = weights.sum()
    best = zip(active, matrix.argmax(axis=1), strict=True)
    details = {
        "irs_matrix": matrix.tolist(),
        "parents": [labelled.names[parent] if varies else None for varies, parent in best],
        "per_code": per_code.tolist(),
        "max_deviations": _unscaled(np.where(active, deviations, 0.0), exponents).tolist(),
        "constant_codes": labelled.constant_codes,
    }
    values = {
        "score": np.sum(per_code * weights) / total if total > 0 else 0.0,
        "active_codes": active.sum(),
    }
    settings = {"quantile": quantile, "seed": seed, **labelled.settings}
    return METRIC.score(values, details, settings)


def _deviations(codes: Array, factor: Array, quantile: float) -> Array:
    """Returns the quantile `(d, values)` of codes' distances from their means at each value."""
    order = np.argsort(factor, kind="stable")
    ordered = factor[order]
    # Not by their differences, which int64 may not hold.
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    sizes = np.diff(starts, append=len(order))
    grouped = np.ascontiguousarray(codes[order].T)
    means = np.add.reduceat(grouped, starts, axis=1) / sizes
    distances = np.abs(grouped - np.repeat(means, sizes, axis=1))
    groups = np.split(distances, starts[1:], axis=1)
    return np.stack([_quantile(group, quantile) for group in groups], axis=1)


def _quantile(values: Array, quantile: float) -> Array:
    """Returns the linearly interpolated quantile of each row."""
    place = quantile * (values.shape[1] - 1)
    below = min(int(place), values.shape[1] - 1)
    above = min(below + 1, values.shape[1] - 1)
    ranked = np.sort(values, axis=1)
    low, high = ranked[:, below], ranked[:, above]
    return low + (high - low) * (place - below)


def _unscaled(values: Array, exponents: Array) -> Array:
    """Multiplies by powers of two; what a float64 cannot hold becomes its largest number."""
    with np.errstate(over="ignore", under="ignore"):
        return np.minimum(np.ldexp(values, exponents), np.finfo(np.float64).max)
