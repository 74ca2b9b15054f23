"""Whether factors vary where metrics look at them, known before anything is encoded."""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from keras_devae.errors import UsageError
from keras_devae.metrics.inputs import MetricWarning
from keras_devae.metrics.registry import METRICS
from keras_devae.metrics.sampling import LabelledImages
from keras_devae.metrics.suite import Sample, draw_sample


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
    stacklevel: int = 3,
) -> tuple[str, ...]:
    """Checks that some factor varies among the images that each metric is computed from.

    Args:
        names: Names of metrics, keys of `METRICS`.
        dataset: The data set.
        images: Number of images, as `draw_sample` takes it.
        seed: Seed of their choice; default 0.
        repeats: Number of repeats; default 1.
        chosen: Whether the user has named these metrics. Others are left out with a warning.
        argument: Name of the caller's argument that gives the number of images; default
            `"images"`.
        stacklevel: See `warnings.warn`; default 3.

    Returns:
        The names that remain.

    Raises:
        UsageError: If `chosen`, and no factor varies for one of the metrics.

    Warns:
        MetricWarning: If metrics are left out.
    """
    names = tuple(names)
    lost = [] if dataset.factor_names is None else _lost(names, dataset, images, seed, repeats)
    if not lost:
        return names
    remedy = (
        f"Take more images with `{argument}`"
        if factors_vary(dataset)
        else "Give each factor more than one value"
    )
    reason = (
        f"no factor has more than one value among the {min(images, len(dataset)):,} of "
        f"{len(dataset):,} images that are measured"
    )
    if chosen:
        raise UsageError(
            f"Cannot compute {', '.join(lost)}: {reason}. {remedy}, or choose metrics that need "
            "no factors."
        )
    warnings.warn(
        f"Left out: {', '.join(lost)}, because {reason}. {remedy}.",
        MetricWarning,
        stacklevel=stacklevel,
    )
    return tuple(name for name in names if name not in lost)


def _lost(
    names: Sequence[str], dataset: LabelledImages, images: int, seed: int, repeats: int
) -> list[str]:
    """Returns the names of metrics for which no factor varies."""
    kinds = {METRICS[name].takes for name in names}
    samples = [draw_sample(len(dataset), images, seed, i, repeats) for i in range(repeats)]
    lost = {
        kind
        for kind in kinds & {"labels", "split"}
        if not all(_vary(dataset, _rows(kind, sample)) for sample in samples)
    }
    if "sampler" in kinds and not factors_vary(dataset):
        lost.add("sampler")
    return [name for name in names if METRICS[name].takes in lost]


def _rows(kind: str, sample: Sample) -> np.ndarray:
    return sample.rows[: sample.n_train] if kind == "split" else sample.plain


def _vary(dataset: LabelledImages, rows: np.ndarray) -> bool:
    if len(rows) < 2:
        return False
    factors = dataset.factors(rows)
    return bool((factors != factors[0]).any())
