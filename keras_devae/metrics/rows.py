"""Draws the rows that metrics are computed from, and checks that factors vary there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.base import METRICS
from keras_devae.metrics.labelled import check_n_train
from keras_devae.metrics.metric_warnings import warn
from keras_devae.metrics.samplers import LabelledImages

#: The published study's number of samples; predictors are tested on half as many more.
SAMPLES = 10_000


class Sample(NamedTuple):
    """The rows of one repeat: of `rows`, those before `n_train` train and the rest test.

    `plain` are for the metrics that train nothing; `seed` is for the metrics' own random draws.
    """

    rows: Array
    n_train: int
    plain: Array
    seed: int


def draw_sample(
    row_count: int, images: int, seed: int, repeat: int = 0, repeats: int = 1
) -> Sample:
    """Draws the rows of one repeat from a large table.

    `images` rows train, and as many serve the metrics that train nothing; half as many more test.
    If there are fewer, all are used, two thirds of them to train. Each of several repeats draws at
    most half of the rows, so that they differ.
    """
    checks.at_least("images", images, 2)
    checks.at_least("seed", seed, 0)
    if repeats > 1:
        images = min(images, max(2, row_count // 2))
    rng = np.random.default_rng(seed if repeat == 0 else [seed, repeat])
    plain = np.arange(row_count)
    if images < row_count:
        plain = rng.choice(row_count, images, replace=False)
    tested = images // 2
    if images + tested <= row_count:
        others = np.delete(np.arange(row_count), plain)
        rows = np.concatenate([plain, rng.choice(others, tested, replace=False)])
        n_train = images
    else:
        rows, n_train = rng.permutation(row_count), 2 * row_count // 3
    return Sample(rows, n_train, plain, _seed_of(seed, repeat))


def draw_samples(
    row_count: int, samples: int | None, n_train: int | None, seed: int, repeats: int
) -> list[Sample]:
    """Draws the rows of all repeats from codes in memory, whose order says which rows train.

    `samples` is how many rows a repeat has; `None` for all of them for one repeat, else for half of
    them, at most 15,000. Of the codes the first `n_train` rows train; `None` for two thirds.
    """
    if samples is None:
        samples = row_count if repeats == 1 else min(SAMPLES * 3 // 2, max(2, row_count // 2))
    checks.at_least("samples", samples, 2)
    samples = min(samples, row_count)
    n_train = check_n_train(n_train, row_count) * samples // row_count
    n_train = check_n_train(n_train, samples)
    drawn = []
    for repeat in range(repeats):
        rows = np.arange(row_count)
        if samples < row_count:
            rng = np.random.default_rng([seed, repeat])
            rows = rng.choice(row_count, samples, replace=False)
        drawn.append(Sample(rows, n_train, rows, _seed_of(seed, repeat)))
    return drawn


def _seed_of(seed: int, repeat: int) -> int:
    """Returns the seed of a repeat's metrics: for the first the given one, if they can take it."""
    if repeat == 0 and seed < 2**31:
        return seed
    return int(np.random.default_rng([seed, repeat]).integers(2**31))


def factors_vary(dataset: LabelledImages) -> bool:
    """Tells whether a data set has a factor with more than one value."""
    return dataset.factor_names is not None and _vary(dataset, np.arange(len(dataset)))


def check_factors_vary(
    names: Iterable[str],
    dataset: LabelledImages,
    images: int,
    seed: int = 0,
    repeats: int = 1,
    *,
    chosen: bool,
    argument: str = "images",
) -> tuple[str, ...]:
    """Checks, before anything is encoded, that a factor varies where each metric looks.

    The images are drawn by `draw_sample`. Returns the metrics that can be computed. Others raise
    a `UsageError` if the user has `chosen` them, else are left out with a `MetricWarning`.
    `argument` is the caller's name for the number of images.
    """
    names = tuple(names)
    lost = [] if dataset.factor_names is None else _lost(names, dataset, images, seed, repeats)
    if not lost:
        return names
    remedy = "Give each factor more than one value"
    if factors_vary(dataset):
        remedy = f"Take more images with `{argument}`"
    reason = (
        f"no factor has more than one value among the {min(images, len(dataset)):,} of "
        f"{len(dataset):,} images that are measured"
    )
    if chosen:
        raise UsageError(
            f"Cannot compute {', '.join(lost)}: {reason}. {remedy}, or choose metrics that need "
            "no factors."
        )
    warn(f"Left out: {', '.join(lost)}, because {reason}. {remedy}.")
    return tuple(name for name in names if name not in lost)


def _lost(
    names: Sequence[str], dataset: LabelledImages, images: int, seed: int, repeats: int
) -> list[str]:
    """Returns the names of the metrics for which no factor varies."""
    kinds = {METRICS[name].takes for name in names}
    samples = [draw_sample(len(dataset), images, seed, i, repeats) for i in range(repeats)]
    rows = {
        "labels": [sample.plain for sample in samples],
        "labelled_posterior": [sample.plain for sample in samples],
        "split": [sample.rows[: sample.n_train] for sample in samples],
        "sampler": [np.arange(len(dataset))],
    }
    lost = {
        kind
        for kind in kinds & rows.keys()
        if not all(_vary(dataset, chosen) for chosen in rows[kind])
    }
    return [name for name in names if METRICS[name].takes in lost]


def _vary(dataset: LabelledImages, rows: Array) -> bool:
    if len(rows) < 2:
        return False
    factors = dataset.factors(rows)
    return bool((factors != factors[0]).any())
