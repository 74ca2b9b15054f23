"""The share of the factors' entropy that latents hold exclusively."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.discretization import binning_settings
from keras_devae.metrics.estimators.importance import gap_of_best_two
from keras_devae.metrics.estimators.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.labelled import check_labelled, per_factor

METRIC = Metric(
    "dcimig",
    takes="labels",
    description="DCIMIG or 3CharM, exclusive information of codes (Sepliarskaia et al. 2019)",
    numbers={
        "score": Number(
            "Share of the factors' entropy that single latents hold, counting only each latent's "
            "information about its best factor minus that about the second best. 1: each factor "
            "has its own latent.",
            title="DCIMIG",
        )
    },
    is_binned=True,
    place=15,
)


def dcimig(
    codes: Array,
    factors: Array,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
    factor_names: Iterable[str] | None = None,
    seed: int | None = None,
) -> Score:
    """DCIMIG, also called 3CharM (Sepliarskaia et al. 2019).

    Each code counts for the factor about which it is most informative, with the gap between its two
    largest `I(z_i, y)` over factors. Each factor has the largest gap of the codes that count for
    it, or 0 without any. The score is the sum of these over the sum of the factors' entropies, in
    `[0, 1]`. It falls if codes hold several factors and if factors are in no code, but not if
    several codes hold the same factor.

    Information is counted in bins, as in `mig`. Constant factors are dropped and constant codes
    count as uninformative, each with a `MetricWarning`; where every code is constant the score is
    0. With one factor the second best is taken as 0. Continuous factors are put into 20 bins.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        bins: As for `mig`.
        discretizer: As for `mig`.
        factor_names: As for `mig`.
        seed: As for `mig`.

    Returns:
        `dcimig.score`. `details`: `per_factor`, the share of each factor's entropy, `entropies`
        (nats) and `codes`, the code that holds the factor or `None`, by factor name; `per_code`,
        the gaps in nats; `mutual_information` `(d, varying factors)` in nats as nested lists;
        `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, no factor varies, or real codes meet
            `"identity"`.
    """
    check_recorded_seed(seed)
    labelled = check_labelled(codes, factors, factor_names)
    information = mutual_information_matrix(
        labelled.codes, labelled.factors, bins=bins, discretizer=discretizer
    )
    gaps = gap_of_best_two(information.T)
    exclusive = np.zeros_like(information)
    every = np.arange(len(gaps))
    exclusive[every, information.argmax(axis=1)] = gaps
    held = exclusive.max(axis=0)
    holders = [
        int(i) if h > 0 else None for i, h in zip(exclusive.argmax(axis=0), held, strict=True)
    ]
    entropies = entropy(labelled.factors)
    details = {
        "per_factor": per_factor(labelled.names, np.minimum(1.0, held / entropies)),
        "entropies": per_factor(labelled.names, entropies),
        "codes": dict(zip(labelled.names, holders, strict=True)),
        "per_code": gaps.tolist(),
        "mutual_information": information.tolist(),
        "constant_codes": labelled.constant_codes,
    }
    settings = {**binning_settings(bins, discretizer), "seed": seed, **labelled.settings}
    score = min(1.0, float(held.sum() / entropies.sum()))
    return METRIC.score({"score": score}, details, settings)
