"""Images that a run holds out: the split of its data set, and the losses on the part held out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import data, metrics
from keras_devae.checks import Array, counted
from keras_devae.data import Dataset
from keras_devae.data.dataset import VariantDataset
from keras_devae.data.variants import SelectedDataset
from keras_devae.data.variants.random_numbers import VALIDATION, shuffled_rows
from keras_devae.errors import UsageError
from keras_devae.runs.records import check_same_images
from keras_devae.runs.stopping import watch_of

if TYPE_CHECKING:
    from keras_devae.runs.config.run_config import RunConfig
    from keras_devae.runs.folder import RunDirectory

#: Images without which nothing can be measured.
_LEAST = 2


class TrainingPart(SelectedDataset):
    """The images of a data set that a run trains on; `held_out` has the others."""

    held_out: SelectedDataset


def split(dataset: Dataset, share: float, seed: int) -> TrainingPart:
    """Holds out a share of a data set's images, drawn by a seed.

    The images of one sequence, and repeats of one image, stay together. Both parts keep the order
    of the data set.

    Raises:
        UsageError: If a part would have fewer than two images.
    """
    chosen = np.zeros(len(dataset), bool)
    groups = _groups(dataset)
    chosen[_held_out_rows(groups, share, seed)] = True
    count = int(chosen.sum())
    if not _LEAST <= count <= len(dataset) - _LEAST:
        raise UsageError(
            f"`validation_split` must leave at least {_LEAST} images to train on and {_LEAST} to "
            f"hold out. Received: {share:g}, which holds out {count} of {len(dataset):,}"
            f"{_advice(dataset, groups, share, seed)}."
        )

    def part(mask: Array, name: str) -> tuple[Any, ...]:
        entry = {"name": f"{name} part", "held_out": share, "seed": seed}
        return dataset, np.flatnonzero(mask), entry, f"{name} part, {share:.0%} held out"

    training = TrainingPart(*part(~chosen, "training"))
    training.held_out = SelectedDataset(*part(chosen, "validation"))
    return training


def _groups(dataset: Dataset) -> Array:
    """Returns, for each row, a number that rows which stay together share."""
    sequences = getattr(dataset, "sequences", None)
    if sequences is not None:
        return np.asarray(sequences)
    rows = np.arange(len(dataset))
    while isinstance(dataset, VariantDataset):
        rows = getattr(dataset, "_rows", np.arange(len(dataset)))[rows]
        dataset = dataset._base
    return rows


def _held_out_rows(groups: Array, share: float, seed: int) -> Array:
    """Returns the rows of randomly drawn groups that come nearest to a share of all rows."""
    group_of, order, reached = _drawn(groups, seed)
    count = int(np.abs(reached - share * len(groups)).argmin())
    return np.flatnonzero(np.isin(group_of, order[:count]))


def _drawn(groups: Array, seed: int) -> tuple[Array, Array, Array]:
    """Returns each row's group, the groups in random order, and how many rows the first ones have.

    These are the rows of no group, of the first, of the first two ...
    """
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = shuffled_rows(len(sizes), (seed, VALIDATION))
    return group_of, order, np.cumsum([0, *sizes[order]])


def _advice(dataset: Dataset, groups: Array, share: float, seed: int) -> str:
    """Says that images which stay together are too few to be parted so, and what share is."""
    *_, reached = _drawn(groups, seed)
    total, count = len(groups), len(reached) - 1
    if count == total:
        return ""
    is_sequence = getattr(dataset, "sequences", None) is not None
    what = "a sequence" if is_sequence else "one picture"
    noun = "sequence" if is_sequence else "picture"
    possible = reached[(reached >= _LEAST) & (reached <= total - _LEAST)]
    text = f": images of {what} stay together, and there {'is' if count == 1 else 'are'} only "
    text += counted(count, noun)
    if not len(possible):
        return text
    nearest = possible[np.abs(possible - share * total).argmin()] / total
    return f"{text}; a share of {nearest:.2g} is possible"


def held_out_images(config: RunConfig, training: Dataset, progress: Any = None) -> Dataset | None:
    """Returns the images that a run holds out, or its validation data set, or `None`.

    Raises:
        UsageError: If the images of the validation data set differ in shape from the run's.
    """
    chosen = config.validation
    if chosen.split is not None:
        return getattr(training, "held_out", None)
    if chosen.dataset is None:
        return None
    found = data.load(
        chosen.dataset,
        **_loading(config, training.image_shape[-1]),
        variants=config.data.variants,
        image_size=config.data.image_size,
        fetch=False,
        progress=progress,
    )
    if found.image_shape != training.image_shape:
        raise UsageError(
            "The images of `validation_dataset` must have the shape of the training images, "
            f"{training.image_shape}. Received: {found.image_shape}, from {found.description}."
        )
    if len(found) < _LEAST:
        raise UsageError(
            f"`validation_dataset` must have at least {_LEAST} images. Received: {len(found)}."
        )
    return found


def _loading(config, channels):
    """Returns the run's options of `keras_devae.data.load` that suit its validation data set."""
    chosen, name = config.data, config.validation.dataset
    if ":" not in name:
        return {"source": chosen.source, "data_dir": chosen.data_dir}
    factors_file = config.validation.factors_file
    own = {"factors_file": factors_file, **columns_as_in(config, name, factors_file)}
    if name.startswith("folder:"):
        of_folders = ("skip_damaged", "cache", "data_dir")
        own |= {option: getattr(chosen, option) for option in of_folders}
        own["channels"] = channels if channels in (1, 3) else None
    return own


def columns_as_in(config: RunConfig, name: str, factors_file: str | Path | None) -> dict[str, Any]:
    """Returns what a run's settings say of columns that other images of the user's have, too.

    These are options of `keras_devae.data.load`: `bins`, `factor_kinds` and `sequence_column`.
    """
    with warnings.catch_warnings():
        # Loading the images repeats each warning.
        warnings.simplefilter("ignore")
        columns = data.outline(name, factors_file=factors_file).factor_names or ()
    found: dict[str, Any] = {}
    for option in ("bins", "factor_kinds"):
        described = getattr(config.data, option) or {}
        found[option] = {column: described[column] for column in columns if column in described}
    if config.data.sequence_column in columns:
        found["sequence_column"] = config.data.sequence_column
    return found


def checked_images(config: RunConfig, dataset: Dataset, progress: Any = None) -> Dataset | None:
    """Returns the images that a new run holds out, or `None`, after what can be checked before.

    Raises:
        UsageError: If they cannot be used, or if nothing that is watched could be compared.
    """
    watch_of(config)
    held_out = held_out_images(config, dataset, progress)
    if held_out is not None:
        check_held_out(config, held_out)
        check_tracked_on(config, held_out)
    return held_out


def recorded_images(
    folder: RunDirectory, config: RunConfig, dataset: Dataset, progress: Any = None
) -> Dataset | None:
    """Returns the images that an earlier run holds out, or `None`.

    Raises:
        FailureError: If the validation data set has changed since the run began.
    """
    held_out = held_out_images(config, dataset, progress)
    if held_out is None or config.validation.split is not None:
        return held_out  # The record of the training images says all of a split.
    recorded = folder.read_record().get("validation_data")
    if recorded is not None:
        check_same_images(folder.path, "images held out", recorded, held_out.provenance)
    return held_out


def record_of_images(config: RunConfig, held_out: Dataset | None) -> dict[str, Any]:
    """Returns what `config.json` records of a validation data set; of a split `data` says all."""
    if held_out is None or config.validation.dataset is None:
        return {}
    return {"validation_data": held_out.provenance}


class ValidationLosses:
    """Computes a model's losses on held-out images, named as Keras does: `val_loss` ...

    At most `images` of them are used, the same each time, in batches of `batch_size`; on several
    `devices` their number is a multiple of these.
    """

    def __init__(
        self, dataset: Dataset, images: int, batch_size: int, seed: int, devices: int = 1
    ) -> None:
        count = min(images, len(dataset))
        count -= count % devices
        if not count:
            raise UsageError(
                f"{devices} devices need as many images to validate. Received: {len(dataset)}."
            )
        chosen = dataset
        if count < len(dataset):
            chosen = data.variants.subset(dataset, count, seed)
        self._batches = chosen.batches(batch_size, shuffle=False)

    def __call__(self, model: Any) -> dict[str, float]:
        """Returns the losses, means over the images; what is no loss, such as beta, is left out."""
        values = model.evaluate(self._batches, verbose=0, return_dict=True)
        return {f"val_{k}": float(v) for k, v in values.items() if "loss" in k}


def check_held_out(config: RunConfig, dataset: Dataset, chosen: bool = True) -> RunConfig:
    """Returns a configuration with only the metrics that held-out images allow.

    Raises:
        UsageError: If no factor varies in them for a metric, and `chosen`: someone named it.
    """
    names = _allowed(config.evaluation.metrics or (), config, dataset, chosen)
    return config.replace(metrics=names)


def check_tracked_on(config: RunConfig, dataset: Dataset) -> None:
    """Checks that the metrics that a run tracks can be computed on held-out images.

    Those that need factors are left out if the images have none, unless one is watched.

    Raises:
        UsageError: If no factor varies in the images for a metric, or what is watched is left out.
    """
    names = [name for name in config.evaluation.track if name in metrics.METRICS]
    allowed = _allowed(names, config, dataset, chosen=True)
    watched = config.validation.monitor or ""
    name = watched.removeprefix("val_").partition(".")[0]
    if watched.startswith("val_") and name in names and name not in allowed:
        raise UsageError(
            f"`monitor` {watched} needs factors, and the images held out have none: give "
            "`validation_factors_file`, or watch another value."
        )


def _allowed(names, config, dataset, chosen):
    from keras_devae.metrics.rows import check_factors_vary

    if dataset.factor_names is None:
        possible = metrics.possible_metrics(has_factors=False)
        return tuple(name for name in names if name in possible)
    seen = (dataset, config.evaluation.images, config.training.seed)
    return check_factors_vary(names, *seen, chosen=chosen, argument="evaluation_images")
