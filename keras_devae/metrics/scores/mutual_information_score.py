"""How much information codes share."""

from __future__ import annotations

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.discretization import binning_settings, discretize
from keras_devae.metrics.estimators.mutual_information import mutual_information_matrix
from keras_devae.metrics.labelled import check_unlabelled

# Pairs are counted for this many codes at a time with all that follow: half of the full matrix.
BLOCK = 64

METRIC = Metric(
    "mutual_information_score",
    takes="codes",
    description="mean mutual information of pairs of codes",
    numbers={
        "score": Number(
            "Nats that two latents share, in the mean over pairs. Lower: they are more "
            "independent.",
            unit="nats",
            lower_is_better=True,
        )
    },
    is_binned=True,
    place=130,
)


def mutual_information_score(
    codes: Array, *, bins: int = 20, discretizer: str = "histogram", seed: int | None = None
) -> Score:
    """Mean mutual information of two different codes (Locatello et al. 2019), in nats.

    The mean over all pairs of codes, discretised as for `mig`; 0 for independent codes, but for the
    upward bias of the estimate of about `(bins - 1)^2 / 2n`. A constant code carries no
    information: it makes the mean smaller, with a `MetricWarning`. With one code, or if every code
    is constant, the score is 0.

    The time grows with the square of the number of codes that vary: about 20 s on one core for 1024
    of them and 10,000 samples.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        bins: As for `mig`.
        discretizer: As for `mig`.
        seed: As for `mig`.

    Returns:
        `mutual_information_score.score`. `details`: `constant_codes`.

    Raises:
        UsageError: If the codes or a setting are wrong, or real codes meet `"identity"`.
    """
    codes, constant, settings = check_unlabelled(codes, seed)
    count = codes.shape[1]
    labels = np.delete(discretize(codes, bins, discretizer), constant, axis=1)
    pairs = count * (count - 1) / 2
    score = _sum_over_pairs(labels) / pairs if labels.shape[1] > 1 else 0.0
    settings = {**binning_settings(bins, discretizer), **settings}
    return METRIC.score({"score": score}, {"constant_codes": constant}, settings)


def _sum_over_pairs(labels: Array) -> float:
    total = 0.0
    for start in range(0, labels.shape[1], BLOCK):
        block, rest = labels[:, start : start + BLOCK], labels[:, start:]
        information = mutual_information_matrix(rest, block, discretizer="identity")
        # A row is a code after the column's, below the diagonal: every pair once.
        total += np.tril(information, -1).sum()
    return total
