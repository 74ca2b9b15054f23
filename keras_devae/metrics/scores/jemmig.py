"""The joint entropy less the mutual information gap, from the posteriors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.importance import gap_of_best_two
from keras_devae.metrics.estimators.mutual_information import entropy
from keras_devae.metrics.estimators.posterior import check_posterior
from keras_devae.metrics.labelled import check_labelled, per_factor

METRIC = Metric(
    "jemmig",
    takes="labelled_posterior",
    description="joint entropy minus the information gap; lower is better (Do and Tran 2020)",
    numbers={
        "score": Number(
            "Joint entropy of a factor and its best latent minus the mutual information gap, as a "
            "share of the largest possible value. 0: one latent holds the factor and nothing else. "
            "Lower is better.",
            title="JEMMIG",
            lower_is_better=True,
        ),
        "one_minus_score": Number(
            "1 - JEMMIG, the form in which higher is better (Carbonneau et al. 2022).",
            title="1 - JEMMIG",
        ),
        "nats": Number(
            "JEMMIG in nats, not divided by its largest possible value. Lower is better.",
            unit="nats",
            lower_is_better=True,
        ),
    },
    is_binned=True,
    place=13,
)


def jemmig(
    z_mean: Array,
    z_log_var: Array,
    factors: Array,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
    limits: Sequence[float] | None = None,
    factor_names: Iterable[str] | None = None,
    seed: int | None = None,
) -> Score:
    """Joint entropy minus mutual information gap, JEMMIG (Do and Tran 2020). Lower is better.

    For each factor y, `H(z_i, y) - I(z_i, y) + I(z_j, y)`, where z_i is the code most informative
    about y and z_j the next one, divided by its largest value `H(y) + log(bins)`; the score is the
    mean over factors, in `[0, 1]`. Unlike MIG and RMIG it also counts the information of z_i about
    anything but y, so that a code which holds several factors is bad even if it is the only one. It
    is 0 if each factor is in one code that holds nothing else, without noise.
    `jemmig.one_minus_score`, 1 - JEMMIG, is better if higher.

    Bins, their probabilities, constant factors and codes, and what it costs are as for `rmig`. The
    joint entropy depends on the number of bins: compare scores of equal bins only.

    Args:
        z_mean: Posterior means `(n, d)`, up to 10^30.
        z_log_var: Logarithms of the posterior variances `(n, d)`, between -100 and 100.
        factors: `(n, f)` whole-number factors.
        bins: As for `rmig`.
        discretizer: As for `rmig`.
        limits: As for `rmig`.
        factor_names: As for `mig`.
        seed: As for `mig`.

    Returns:
        `jemmig.score`, `jemmig.one_minus_score`, and `jemmig.nats`, the mean that is not divided.
        `details`: `per_factor`, `joint_entropies` and `gaps` (both nats) and
        `most_informative_codes` by factor name, `mutual_information` `(d, varying factors)` in nats
        as nested lists, `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    from keras_devae.metrics.estimators import posterior_bins

    check_recorded_seed(seed)
    limits = posterior_bins.check_limits(limits)
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    labelled = check_labelled(z_mean, factors, factor_names)
    information, joint = posterior_bins.binned_information(
        z_mean, z_log_var, labelled.factors, bins, discretizer, limits
    )
    best = information.argmax(axis=0)
    joint_entropies = joint[best, np.arange(len(best))]
    gaps = gap_of_best_two(information)
    found = np.maximum(0.0, joint_entropies - gaps)
    shares = np.minimum(1.0, found / (entropy(labelled.factors) + math.log(bins)))
    details = {
        "per_factor": per_factor(labelled.names, shares),
        "joint_entropies": per_factor(labelled.names, joint_entropies),
        "gaps": per_factor(labelled.names, gaps),
        "most_informative_codes": dict(zip(labelled.names, best.tolist(), strict=True)),
        "mutual_information": information.tolist(),
        "constant_codes": labelled.constant_codes,
    }
    layout = posterior_bins.layout_settings(bins, discretizer, limits)
    settings = {**layout, "seed": seed, **labelled.settings}
    score = shares.mean()
    values = {"score": score, "one_minus_score": 1 - score, "nats": found.mean()}
    return METRIC.score(values, details, settings, libraries=("scipy",))
