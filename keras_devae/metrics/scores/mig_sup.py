"""The mutual information gap of each latent over factors: MIG's supplement."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.discretization import binning_settings
from keras_devae.metrics.estimators.importance import gap_of_best_two
from keras_devae.metrics.estimators.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.estimators.scaling import standard_deviations
from keras_devae.metrics.labelled import check_labelled
from keras_devae.metrics.metric_warnings import warn

METRIC = Metric(
    "mig_sup",
    takes="labels",
    description="mutual information gap of each latent over factors, MIG-sup (Li et al. 2020)",
    numbers={
        "score": Number(
            "How far the factor that a latent is most informative about is ahead of the next one, "
            "as shares of the factors' entropies, in the mean over latents that vary. 1: each "
            "latent holds one whole factor. It complements MIG.",
            title="MIG-sup",
        ),
        "active_codes": Number("Number of latents that vary enough to count."),
    },
    is_binned=True,
    place=14,
)


def mig_sup(
    codes: Array,
    factors: Array,
    *,
    threshold: float = 0.01,
    bins: int = 20,
    discretizer: str = "histogram",
    factor_names: Iterable[str] | None = None,
    seed: int | None = None,
) -> Score:
    """Supplement of the mutual information gap, MIG-sup (Li et al. 2020).

    For each code, the gap between its two largest shares `I(z_i, y) / H(y)` over factors y; the
    score is the mean over codes that vary, in `[0, 1]`. MIG penalises a factor that is spread over
    several codes; MIG-sup penalises a code that holds several factors. Information is
    counted in bins, as in `mig`, where the authors draw from the posteriors.

    Codes with a variance of at most the threshold do not count, as in the authors' code, so that
    the scale of codes matters there. Where none is left, the score is 0, with a `MetricWarning`. A
    constant code never counts, whatever the threshold. Constant factors are dropped, with a
    `MetricWarning`. With one factor the second best is taken as 0. Continuous factors are put into
    20 bins.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        threshold: Variance up to which a code is left out; default 0.01.
        bins: As for `mig`.
        discretizer: As for `mig`.
        factor_names: As for `mig`.
        seed: As for `mig`.

    Returns:
        `mig_sup.score`, and `mig_sup.active_codes`, how many codes count. `details`: `per_code`,
        the gap of each code that counts and `None` for others, `best_factors`, the name of the
        factor that each code is most informative about, likewise, `mutual_information` `(d, varying
        factors)` in nats as nested lists, `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, no factor varies, or real codes meet
            `"identity"`.
    """
    check_recorded_seed(seed)
    threshold = float(checks.finite_at_least("threshold", threshold, 0))
    labelled = check_labelled(codes, factors, factor_names)
    information = mutual_information_matrix(
        labelled.codes, labelled.factors, bins=bins, discretizer=discretizer
    )
    shares = information / entropy(labelled.factors)
    gaps = np.minimum(1.0, gap_of_best_two(shares.T))
    active = _active(labelled.codes, threshold)
    if not active.any() and len(labelled.constant_codes) < len(active):
        warn(f"No code has a variance above {threshold:g}, and mig_sup is 0.")
    best = [labelled.names[i] for i in shares.argmax(axis=1)]
    details = {
        "per_code": [float(gap) if used else None for gap, used in zip(gaps, active, strict=True)],
        "best_factors": [name if used else None for name, used in zip(best, active, strict=True)],
        "mutual_information": information.tolist(),
        "constant_codes": labelled.constant_codes,
    }
    settings = {
        "threshold": threshold,
        **binning_settings(bins, discretizer),
        "seed": seed,
        **labelled.settings,
    }
    score = gaps[active].mean() if active.any() else 0.0
    return METRIC.score({"score": score, "active_codes": active.sum()}, details, settings)


def _active(codes: Array, threshold: float) -> Array:
    """Returns which codes have a variance above the threshold, boolean `(d,)`."""
    of_scaled, exponents = standard_deviations(codes)
    with np.errstate(over="ignore", under="ignore"):
        return (of_scaled > 0) & (np.ldexp(of_scaled, exponents) > np.sqrt(threshold))
