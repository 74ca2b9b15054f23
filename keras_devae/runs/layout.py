"""The files and folders of a run, and their names."""

import os
import re
from pathlib import Path

from keras_devae.checks import usable_path
from keras_devae.errors import UsageError
from keras_devae.files import is_there, leftovers, remove_temporary
from keras_devae.runs.run_lock import LOCK_NAME
from keras_devae.runs.tracking import TRACKED

#: Subfolders of a run, parents before children.
FOLDERS = ("checkpoints", "codes", "figures", "reproduction", "tracking", "tracking/tensorboard")
#: Names of the files in `figures/`, from reports and from `plot`.
FIGURES = (
    *("traversal", "information-map", "information-over-layers", "factor-scatter", "samples"),
    *("reconstructions", "kl", "learning-curves", "information-diffusion", "kl-diffusion"),
    *("mig-reconstruction", "freezing", "tracked-scores"),
)
#: Appended to a figure's name for its rows of pictures without texts, which the report shows.
ROWS = "-rows"
#: Pattern of what `plot` appends to a figure's name for its options.
_OPTIONS = r"(-(layer|seed|steps|index)--?\d+|-span-(range|quantiles)|-active-only-True)*"
#: Subfolder -> pattern of its file names.
_FILES = {
    ".": (
        r"(config|metrics|freezing|suggestions)\.json|(history|freezing)\.csv|model\.keras|"
        r"report\.html"
    ),
    "checkpoints": r"step-\d{8,}\.(keras|json)",
    "codes": r"codes-[0-9a-f]{12}-[0-9a-f]{16}\.npz",
    "figures": rf"({'|'.join(FIGURES)})({ROWS}|{_OPTIONS})\.png",
    "reproduction": r"(layers|top_k)\.json",
    "tracking": rf"({'|'.join(TRACKED)}|metrics)\.(csv|png|npz)|traversal-step-\d{{8,}}\.png",
    "tracking/tensorboard": r"events\.out\.tfevents\..+",
}
#: Appended to the name of a damaged file.
SET_ASIDE = ".damaged"
_SET_ASIDE = rf"({re.escape(SET_ASIDE)}(-\d+)?)?"


class RunLayout:
    """Names, finds and removes the files in a run's folder, without reading them.

    Args:
        path: The folder.
    """

    #: Whether this is a preset, which is only read, in place of a run.
    is_preset = False

    def __init__(self, path: str | os.PathLike[str]):
        self.path: Path = usable_path("The folder of a run", path)
        self.config_file = self.path / "config.json"
        self.history_file = self.path / "history.csv"
        self.metrics_file = self.path / "metrics.json"
        self.model_file = self.path / "model.keras"
        self.report_file = self.path / "report.html"
        self.freezing_file = self.path / "freezing.json"
        self.suggestions_file = self.path / "suggestions.json"
        self.checkpoints = self.path / "checkpoints"
        self.figures = self.path / "figures"
        self.codes = self.path / "codes"
        self.tracking = self.path / "tracking"

    @property
    def name(self) -> str:
        """Name of the folder, even if the path is `.`."""
        return self.path.resolve().name

    def check_takes_files(self, remedy: str) -> None:
        """Raises a `UsageError` that ends with `remedy` if nothing may be written here."""

    def checkpoint_file(self, step: int) -> Path:
        """Returns the path of the checkpoint written at a step."""
        return self.checkpoints / f"step-{step:08d}.keras"

    def begun_epoch_file(self, step: int) -> Path:
        """Returns the path of the file with the mean losses of an epoch interrupted at a step."""
        return self.checkpoint_file(step).with_suffix(".json")

    def checkpoint_steps(self) -> list[int]:
        """Returns the steps of the checkpoints, newest first."""
        return sorted((s for _, s in self._checkpoint_names() if s is not None), reverse=True)

    def misnamed_checkpoints(self) -> list[Path]:
        """Returns paths named almost like a checkpoint, or named like one that are not files.

        File synchronisation programs write `step-00000060 (1).keras` beside `step-00000060.keras`.
        This package never reads, renames or removes these.
        """
        return sorted(file for file, step in self._checkpoint_names() if step is None)

    def _checkpoint_names(self):
        """Yields paths that begin like checkpoints, and their steps, `None` if misnamed."""
        for file in self.checkpoints.glob("step-*"):
            match = re.fullmatch(r"step-([0-9]{8,19})\.keras", file.name)
            step = None if match is None else int(match[1])
            if re.fullmatch(r"step-[0-9]{8,19}\.json", file.name):
                continue  # The losses of a begun epoch, beside its checkpoint.
            if step is not None and file == self.checkpoint_file(step) and file.is_file():
                yield file, step
            elif SET_ASIDE not in file.name:
                yield file, None

    def is_trained(self) -> bool:
        """Tells whether training has ended, so that at most the evaluation remains."""
        return is_there(self.model_file)

    def trained_model_file(self) -> Path:
        """Returns the finished model, or else the newest checkpoint.

        Raises:
            UsageError: If there is neither.
        """
        if self.is_trained():
            return self.model_file
        steps = self.checkpoint_steps()
        if not steps:
            raise UsageError(f"The run {self.path} has neither a model nor a checkpoint yet.")
        return self.checkpoint_file(steps[0])

    def leftovers(self) -> list[Path]:
        """Returns the temporary files that killed processes left behind.

        Claim the run first; otherwise files that a training process is still writing are included.
        """
        folders = (self.path, *(self.path / folder for folder in FOLDERS))
        return sorted(file for folder in folders for file in leftovers(folder))

    def remove_leftovers(self) -> None:
        """Removes the files that `leftovers` returns."""
        for file in self.leftovers():
            remove_temporary(file)

    def set_aside(self, file: Path) -> None:
        """Appends `.damaged` to the name of a damaged file, and a number if that name is taken."""
        file.rename(unused_path(file.with_name(f"{file.name}{SET_ASIDE}")))

    def misplaced(self) -> list[Path]:
        """Returns the paths of the run's files and folders at which there is something else.

        A link to a file counts as a file; a broken link does not.
        """
        files = [self.history_file, self.metrics_file, self.model_file]
        files += [self.report_file, self.freezing_file]
        folders = (self.checkpoints, self.figures, self.codes, self.tracking)
        return [
            *(file for file in files if is_there(file) and not file.is_file()),
            *(folder for folder in folders if is_there(folder) and not folder.is_dir()),
        ]

    def own_files(self) -> list[Path]:
        """Returns the files that a run writes, and no others."""
        return [entry for entry in self._named() if _is_file(entry)]

    def foreign_files(self) -> list[Path]:
        """Returns the relative paths of entries that no run writes, including in subfolders."""
        own = {self.path / LOCK_NAME, *(self.path / folder for folder in FOLDERS), *self._named()}
        found = [entry for folder in self._folders() for entry in sorted(folder.iterdir())]
        return [entry.relative_to(self.path) for entry in found if entry not in own]

    def irreplaceable(self) -> list[Path]:
        """Returns the relative paths of entries that have a run's names but must not be removed.

        Examples are a link in place of a folder, as its files belong to another folder, and a
        folder in place of a file.
        """
        places = [self.path / folder for folder in FOLDERS if os.path.lexists(self.path / folder)]
        wrong = [place for place in places if place.is_symlink() or not place.is_dir()]
        wrong += [entry for entry in self._named() if not _is_file(entry)]
        return [entry.relative_to(self.path) for entry in wrong]

    def _named(self):
        """Returns the entries named like a file that a run writes."""
        found = []
        for folder in self._folders():
            pattern = f"({_FILES[folder.relative_to(self.path).as_posix()]}){_SET_ASIDE}"
            found += [e for e in sorted(folder.iterdir()) if re.fullmatch(pattern, e.name)]
        return found

    def _folders(self):
        """Returns the existing folders of the run, except links, which lead out of it."""
        below = (self.path / folder for folder in FOLDERS)
        return [self.path, *(f for f in below if f.is_dir() and not self._is_linked(f))]

    def _is_linked(self, folder):
        ways = (folder, *folder.parents)
        return any(way.is_symlink() for way in ways if self.path in way.parents)


def _is_file(entry):
    # A link can be removed like a file; its target stays.
    return entry.is_symlink() or entry.is_file()


def unused_path(path: str | os.PathLike[str]) -> Path:
    """Returns a path or, if it is taken, the first free one with a number appended."""
    path = candidate = Path(path)
    number = 2
    while is_there(candidate):
        candidate, number = path.with_name(f"{path.name}-{number}"), number + 1
    return candidate
