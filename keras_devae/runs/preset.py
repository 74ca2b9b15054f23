"""A preset in place of a run: read like one, and never written."""

from __future__ import annotations

import difflib
import logging
import os
from pathlib import Path
from typing import Any, NoReturn

from keras_devae.checks import run_name, usable_path
from keras_devae.data import Dataset
from keras_devae.errors import UsageError
from keras_devae.files import check_new, is_there
from keras_devae.presets.builtin import builtin_presets
from keras_devae.presets.finding import find_preset, in_place_of_run, is_address, is_builtin
from keras_devae.presets.folder import RUN, SCORES, WEIGHTS, PresetFolder
from keras_devae.runs.folder import RunDirectory

logger = logging.getLogger("keras_devae")

_HOW_TO_TRAIN = "Begin a run with its weights: keras-devae train --init-from {}."


class PresetDirectory(RunDirectory):
    """The folder of a preset, with the settings and scores of the run that it was made from.

    Args:
        path: The folder.
        name: Name of the preset; default: the folder's.
    """

    is_preset = True

    def __init__(self, path: str | os.PathLike[str], name: str | None = None):
        super().__init__(path)
        self.config_file = self.path / RUN
        self.metrics_file = self.path / SCORES
        self.model_file = self.path / WEIGHTS
        self._name = name

    @property
    def name(self) -> str:
        """Name of the preset."""
        return self._name or super().name

    def check_takes_files(self, remedy: str) -> NoReturn:
        """Raises a `UsageError`, because nothing is written into the folder of a preset."""
        raise UsageError(f"{self.name} is a preset, whose folder stays as it is. {remedy}")

    def claim(self) -> NoReturn:
        """Raises a `UsageError`: presets are not trained."""
        self.check_takes_files(_HOW_TO_TRAIN.format(self.name))

    def load_dataset(self, *arguments: Any, **options: Any) -> Dataset:
        """Loads the data set that the model was trained on, see `RunDirectory.load_dataset`.

        Raises a `UsageError` for a user's own images, which no preset holds.
        """
        dataset = self.read_config().data.dataset
        if ":" in dataset:
            raise UsageError(
                f"The preset {self.name} does not hold the images that it was trained on, "
                f"{dataset}. Name others with --dataset where there is that option, or use the run."
            )
        return super().load_dataset(*arguments, **options)


def open_directory(source: str | os.PathLike[str]) -> RunDirectory:
    """Opens what stands for a run: its folder, a preset's folder, or the name of a preset.

    A folder wins over a preset of the same name, also one in the folder `runs`, and it is logged
    which one is meant.

    Raises:
        UsageError: If there is neither.
        FailureError: If the files of the preset are damaged.
    """
    source = _meant(source)
    preset = _preset_in(source)
    close = difflib.get_close_matches(str(source), builtin_presets(), n=1, cutoff=0.7)
    if preset is None and close and not is_there(source):
        raise UsageError(
            f"There is no run in {source}, and no preset of that name. Did you mean {close[0]!r}?"
        )
    return preset or RunDirectory.open(source)


def preset_at(source: str | os.PathLike[str]) -> PresetDirectory | None:
    """Returns the preset that is meant, or `None` if it is a run or nothing.

    Raises:
        UsageError: If it was not made from a run.
        FailureError: If its files are damaged, or cannot be fetched.
    """
    return _preset_in(_meant(source))


def _preset_in(source):
    if not (is_address(source) or is_builtin(source) or PresetFolder.is_at(_path(source))):
        return None
    preset = find_preset(source)
    if not is_there(preset.path / RUN):
        raise UsageError(
            f"The preset {os.fspath(source)} was not made from a run, and records neither images "
            "nor settings. Load its model with `from_preset`, or make a preset with `keras-devae "
            "presets create`."
        )
    return PresetDirectory(preset.path, preset.name)


def _meant(source):
    """Returns the folder that wins over the preset of that name, and says so; else the source."""
    found = in_place_of_run(source)
    if isinstance(source, str) and source in builtin_presets() and is_there(found):
        logger.warning("%s is taken to be the folder %s, not the preset.", source, found)
    return found


def _path(source):
    return usable_path("The folder of a run", source)


def check_making(run: RunDirectory, folder: str | os.PathLike[str], name: str | None = None) -> str:
    """Checks, without Keras, that a run can become a preset; returns the preset's name.

    Args:
        run: The run.
        folder: The folder to write.
        name: Name of the preset; default: the folder's.

    Raises:
        UsageError: If the run is not trained to its end or a preset, the folder exists, or the name
            cannot be one.
    """
    check_new(folder)
    if run.is_preset:
        raise UsageError(f"{run.name} is already a preset. Copy its folder.")
    if not run.is_trained():
        raise UsageError(f"The run {run.path} is not trained to its end. {run.how_to_resume()}")
    return run_name("The name of a preset", Path(folder).resolve().name if name is None else name)
