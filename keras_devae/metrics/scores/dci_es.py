"""DCI with explicitness and size: how much capacity it takes to read factors off the codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.metrics.arguments import (
    MOST_SEED_OF_A_FIT,
    MOST_TREES,
    check_depths,
    check_seed,
    check_whole,
)
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.continuous_factors import Continuous
from keras_devae.metrics.estimators.importance import importance_scores
from keras_devae.metrics.labelled import Split, check_labelled, per_factor, split_rows

METRIC = Metric(
    "dci_es",
    takes="split",
    description="DCI with explicitness and size, by random forests (Eastwood et al. 2023)",
    numbers={
        "explicitness": Number(
            "How early shallow predictors do as well as deep ones: 1 if the shallowest are as good "
            "as any, 0 if the loss falls steadily with depth, down to -1. Noise has 1 too: read it "
            "with informativeness.",
            title="DCI-ES explicitness",
        ),
        "size": Number(
            "Number of factors over the number of latents. 1: there are no more latents than "
            "factors.",
            title="DCI-ES size",
        ),
        "disentanglement": Number(
            "1 if each latent matters for one factor only, by the importances of the best forests."
        ),
        "completeness": Number(
            "1 if each factor is predicted from one latent only, by the best forests."
        ),
        "informativeness": Number(
            "Mean over factors of the best forests' accuracy, or R squared of continuous ones, on "
            "other images. Higher: the codes hold more of the factors."
        ),
    },
    fast={"depths": (1, 2, 4, 8, 16, 32), "trees": 20},
    fast_rows=2000,
    per_factor="explicitness",
    takes_workers=True,
    continuous="native",
    place=42,
)


def dci_es(
    codes: Array,
    factors: Array,
    *,
    depths: Sequence[int] = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32),
    trees: int = 100,
    n_train: int | None = None,
    continuous: Continuous = (),
    factor_names: Iterable[str] | None = None,
    seed: int = 0,
    workers: int | None = None,
) -> Score:
    """Explicitness and size beside DCI (Eastwood et al. 2023).

    Predictors of growing capacity, here random forests of growing depth as in the authors'
    configuration, predict each factor from all codes. A factor's loss at a depth is the smallest
    test error up to that depth: 1 less the accuracy, or 1 less R squared of a continuous factor.
    The area between this curve and its minimum, over the depths, is divided by half of the depths'
    range times the loss of guessing (1 - 1/values, or 1 of a continuous factor): the factor's
    explicitness is 1 less that, and the mean over factors is the score. It is 1 where the lowest
    capacity is enough, 0 for a straight fall to loss 0, and -1 where only the highest is.

    A curve that never falls has explicitness 1, be the codes good or useless; informativeness, the
    mean test score at the depth where that is best, tells which. Disentanglement and completeness
    come from the importances of the forests at that depth, weighted as in `dci`. Size is the
    number of factors that vary over the number of codes.

    Constant codes are left out of the predictors and count in size only. Where every code is
    constant, explicitness, disentanglement and completeness are 0, with a `MetricWarning`.

    A forest is grown for each factor and depth, up to the depth at which no tree is cut off any
    more; at most 4 at a time, as deep ones of many values take hundreds of megabytes.

    Args:
        codes: `(n, d)` codes, usually posterior means. Trees compare them in float32.
        factors: `(n, f)` whole-number factors.
        depths: Largest depths of the trees, at least two different whole numbers from 1; default
            the authors', from 1 to 32. They count in ascending order.
        trees: Trees of a forest, 1 to 10,000; default 100.
        n_train: Number of rows that train, the first ones; `None` for two thirds.
        continuous: Names or column numbers of the factors that are measured quantities, see
            `score_codes`. Default: none.
        factor_names: As for `mig`.
        seed: Seed of the forests, from 0 to 2^32 - 1; default 0.
        workers: Number of threads, of which at most 4 are used; `None` for as many as there are
            usable processors. The result does not depend on it.

    Returns:
        `dci_es.explicitness`, `dci_es.size`, `dci_es.disentanglement`, `dci_es.completeness`,
        `dci_es.informativeness`. `details`: `per_factor` (explicitness), `losses`, the curves by
        factor name, `best_depth`, `importance_matrix` `(d, varying factors)` and `per_code` as
        lists, `completeness` by factor name, `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    from keras_devae.metrics.estimators.forests import grow_forests

    depths, trees = check_depths(depths), check_whole("trees", trees, 1, MOST_TREES)
    check_seed(seed, MOST_SEED_OF_A_FIT)
    if workers is not None:
        checks.at_least("workers", workers, 1)
    split = split_rows(check_labelled(codes, factors, factor_names, continuous=continuous), n_train)
    count = split.train_codes.shape[1]
    varying = np.delete(np.arange(count), split.constant_codes)
    # Trees need a code, even if it is a constant one.
    used = varying if len(varying) else [0]
    fitted = split._replace(
        train_codes=split.train_codes[:, used], test_codes=split.test_codes[:, used]
    )
    scores, importances = grow_forests(fitted, depths, trees, seed, workers)
    best = int(scores.mean(axis=1).argmax())
    matrix = np.zeros((count, len(split.names)))
    matrix[used] = importances[best]
    values, details = importance_scores(matrix, split.names, split.constant_codes)
    losses = np.minimum.accumulate(1 - scores, axis=0)
    explicitness = explicitness_of(depths, losses, _guessing_losses(split))
    if not len(varying):
        explicitness = np.zeros_like(explicitness)
    values |= {
        "explicitness": explicitness.mean(),
        "size": len(split.names) / count,
        "informativeness": scores[best].mean(),
    }
    details["completeness"] = details.pop("per_factor")
    details["per_factor"] = per_factor(split.names, explicitness)
    details["losses"] = dict(zip(split.names, losses.T.tolist(), strict=True))
    details["best_depth"] = depths[best]
    settings = {"depths": list(depths), "trees": trees, "seed": seed, **split.settings}
    ordered = {name: values[name] for name in METRIC.numbers}
    return METRIC.score(ordered, details, settings, libraries=("scikit-learn",))


def explicitness_of(capacities: Sequence[float], losses: Array, guessing: Array) -> Array:
    """Returns 1 less twice the area between curves and their minimum, as a share of the largest.

    Losses are `(capacities, f)`; the largest area is the capacities' range times the loss of
    guessing `(f,)`. Returns `(f,)`.
    """
    above = losses - losses.min(axis=0)
    areas = np.trapezoid(above, capacities, axis=0)
    return 1 - 2 * areas / ((capacities[-1] - capacities[0]) * guessing)


def _guessing_losses(split: Split) -> Array:
    sizes = [len(np.unique(column)) for column in split.train_factors.T]
    named = zip(split.names, sizes, strict=True)
    return np.array([1.0 if n in split.train_measured else 1 - 1 / size for n, size in named])
