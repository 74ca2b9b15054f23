"""A study: many runs in one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from keras_devae import checks, data
from keras_devae.checks import usable_path
from keras_devae.data.loading import OWN_KINDS
from keras_devae.errors import FailureError, UsageError, unknown_name
from keras_devae.files import check_writable, is_there, write_json
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.config.flat_settings import config_from_settings
from keras_devae.runs.config.run_config import RunConfig, outlined_steps
from keras_devae.runs.listing import find_runs
from keras_devae.runs.records import run_names
from keras_devae.runs.tracking import check_live_curves
from keras_devae.studies.run_keys import run_key, run_name
from keras_devae.studies.study_file import read_study_file
from keras_devae.studies.study_run import StudyRun, count_states
from keras_devae.studies.sweep import check_count


class Study:
    """Many runs in one folder, `RUNS-DIR/NAME/`.

    It holds a folder for each run, as `keras-devae train` makes it; `logs/`; `records/`, the
    study's notes about each run; and `study.json`, its list of runs.

    Args:
        folder: The folder.
        plan: Name of each run -> pair of its key and its `RunConfig`.

    Example:
        >>> settings = {"model": "beta_vae", "dataset": "dsprites", "beta": 4}
        >>> study = Study.from_settings("runs/betas", [{**settings, "seed": 0}])
        >>> study.counts()["waiting"]
        1
    """

    def __init__(self, folder: str | Path, plan: Mapping[str, tuple[str, RunConfig]]) -> None:
        self.folder = Path(folder)
        self.name = self.folder.name
        self.plan = plan
        self.runs = [StudyRun(self.folder, name) for name in plan]

    @classmethod
    def from_file(cls, path: str | Path, runs_dir: str | Path = "runs") -> Self:
        """Reads and checks a study file; writes nothing.

        Args:
            path: The file, see `keras_devae.studies.study_file.read_study_file`.
            runs_dir: Folder that contains the study's folder; default `"runs"`.

        Raises:
            UsageError: If something is wrong with the file or with one of its runs, or two of them
                are the same.
        """
        name, runs = read_study_file(path)
        return cls.from_settings(usable_path("The folder of the runs", runs_dir) / name, runs)

    @classmethod
    def from_settings(cls, folder: str | Path, runs: Sequence[Mapping[str, Any]]) -> Self:
        """Makes a study of runs that are listed one by one; writes nothing.

        Args:
            folder: The study's folder.
            runs: The flat settings of each run, see
                `keras_devae.runs.config.flat_settings.config_from_settings`.

        Raises:
            UsageError: If something is wrong with a run, or two of them are the same.
        """
        return cls(usable_path("The folder of a study", folder), _plan(runs))

    @classmethod
    def from_folder(cls, folder: str | Path) -> Self:
        """Opens the folder of a study that has been run.

        Raises:
            UsageError: If there is no study.
            FailureError: If its list of runs, or the settings of one, cannot be read.
        """
        path = usable_path("The folder of a study", folder)
        if not is_there(path / "study.json"):
            raise UsageError(f"There is no study in {path}: it has no study.json.")
        return cls(path, {name: StudyRun(path, name).read_settings() for name in run_names(path)})

    @classmethod
    def open(cls, path: str | Path, runs_dir: str | Path = "runs") -> Self:
        """Opens a study by its file or by its folder.

        Args:
            path: The file or the folder.
            runs_dir: As for `from_file`.

        Raises:
            UsageError: As for `from_file` and `from_folder`.
            FailureError: As for `from_folder`.
        """
        place = usable_path("A study", path)
        return cls.from_folder(place) if place.is_dir() else cls.from_file(place, runs_dir)

    def write(self, beside_others: bool = False) -> None:
        """Creates the folder and records the settings of each run; existing runs are kept.

        Args:
            beside_others: Whether the list of runs keeps runs of other studies in the same folder;
                by default it names only the runs of this study.

        Raises:
            UsageError: If the folder holds something else, or cannot be written.
            DiskFullError: If there is no room.
        """
        file = self.folder / "study.json"
        check_writable(file)
        if self._holds_anything() and not self._is_study():
            raise UsageError(
                f"{self.folder} exists and is not a study. Choose another `name` in the study file "
                "or another folder with --runs-dir."
            )
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        for run in self.runs:
            run.write_settings(*self.plan[run.name])
        # From the notes on each run, because two studies may write the list at the same time.
        notes = self.folder.glob("records/*/settings.json") if beside_others else ()
        others = sorted(note.parent.name for note in notes)
        names = list(dict.fromkeys([*self.plan, *others]))
        # Last, so that the settings of every run that it names exist.
        write_json(file, {"name": self.name, "runs": names})

    def _is_study(self) -> bool:
        """Returns whether the folder has the list of a study, or its notes if that is damaged."""
        if any(self.folder.glob("records/*/settings.json")):
            return True
        try:
            return bool(run_names(self.folder))
        except FailureError:
            return False

    def _holds_anything(self) -> bool:
        # A process that is killed before it has written the list of runs leaves these behind.
        beginnings = ("logs", "records")
        names = [entry.name for entry in self.folder.iterdir()] if self.folder.is_dir() else ()
        return any(not name.startswith(".") and name not in beginnings for name in names)

    def others(self) -> list[str]:
        """Returns the names of the runs in the folder that do not belong to the study."""
        return [run.name for run in find_runs(self.folder) if run.name not in self.plan]

    def steps(self, run: StudyRun) -> int:
        """Returns the number of training steps of a run; 1 for a model that is fitted in one go."""
        config = self.plan[run.name][1]
        return 1 if MODEL_CATALOGUE[config.model.name].fitted else outlined_steps(config)

    def counts(self) -> dict[str, int]:
        """Returns the number of runs in each of the `STATES`, in their order."""
        return count_states(run.state() for run in self.runs)

    def status(self) -> list[dict[str, Any]]:
        """Returns name, state, steps, seconds and reason of failure of each run.

        Raises:
            FailureError: If the reason of a failure cannot be read.
        """
        return [
            {
                "run": run.name,
                "state": (state := run.state()),
                "step": self.steps(run) if state == "done" else run.steps_done(),
                "steps": self.steps(run),
                "seconds": round(run.seconds(), 1),
                "reason": run.reason(state),
            }
            for run in self.runs
        ]


def _plan(runs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, RunConfig]]:
    check_count(len(runs), "The study")
    plan: dict[str, tuple[str, RunConfig]] = {}
    for number, settings in enumerate(runs, start=1):
        try:
            config = config_from_settings(settings)
            _check_data(config)
            check_live_curves(config)
        except UsageError as error:
            given = ", ".join(f"{name}={checks.shown(value)}" for name, value in settings.items())
            raise UsageError(f"In run {number} of {len(runs)} ({given}): {error}") from None
        key = run_key(config)
        name = run_name(config, key)
        if name in plan:
            raise UsageError(
                f"Runs {[*plan].index(name) + 1} and {number} of the study are the same ({name}). "
                "Leave one of them out."
            )
        plan[name] = (key, config.with_absolute_paths())
    return plan


def _check_data(config: RunConfig) -> None:
    settings = config.data
    kind, colon, path = settings.dataset.partition(":")
    if not colon and kind not in data.names():
        raise unknown_name("data set", kind, data.names())
    if colon and kind not in OWN_KINDS:
        raise unknown_name("kind of data", kind, OWN_KINDS)
    if colon and not Path(path).expanduser().exists():
        raise UsageError(f"There is nothing at {path}, where `dataset` looks for images.")
    if settings.factors_file and not Path(settings.factors_file).expanduser().is_file():
        raise UsageError(f"There is no file {settings.factors_file}, which `factors_file` names.")
    if settings.data_dir and not Path(settings.data_dir).expanduser().is_dir():
        raise UsageError(
            f"There is no folder {settings.data_dir}, which `data_dir` names. Make it, or leave "
            "`data_dir` out."
        )
