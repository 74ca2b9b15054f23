"""The folder of a run."""

from __future__ import annotations

import datetime
import logging
import os
import shlex
from collections.abc import Callable, Iterable
from typing import Any, cast

from keras_devae.data import Dataset
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import (
    check_folder,
    is_there,
    leftovers,
    read_table,
    write_json,
    write_table,
)
from keras_devae.presets.finding import refuse_preset
from keras_devae.runs.config.forms import VERSION, in_present_form
from keras_devae.runs.config.run_config import RunConfig, load_dataset
from keras_devae.runs.layout import FOLDERS, RunLayout
from keras_devae.runs.records import RunRecord, Scores, check_same_images, read_record
from keras_devae.runs.run_lock import LOCK_NAME, RunLock

logger = logging.getLogger("keras_devae")

#: Maximum number of files listed in a message.
_MOST_LISTED = 5


class RunDirectory(RunLayout):
    """A run's folder, with `config.json`, `history.csv`, `metrics.json`, `model.keras`, ...

    Every file is written under a temporary name and renamed, so that none is ever incomplete.

    Args:
        path: The folder.

    Example:
        >>> kd.runs.RunDirectory("runs/first").report_file.name
        'report.html'
    """

    def __init__(self, path: str | os.PathLike[str]):
        super().__init__(path)
        self._lock = RunLock(self.path / LOCK_NAME)

    @classmethod
    def create(cls, path: str | os.PathLike[str], overwrite: bool = False) -> RunDirectory:
        """Creates the folder of a new run.

        Args:
            path: The folder.
            overwrite: Whether an existing run may be removed; default false.

        Returns:
            The `RunDirectory`, empty and claimed.

        Raises:
            UsageError: See `check_free` and `claim`.
        """
        run = cls(path)
        run.check_free(overwrite)
        run.path.mkdir(parents=True, exist_ok=True)
        run.claim()
        try:
            # Another process may have created a run here meanwhile, and ended already.
            run.check_free(overwrite)
            run._empty()
        except BaseException:
            run.release()
            raise
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """Opens the folder of a run, or raises a `UsageError` if there is no run."""
        run = cls(path)
        refuse_preset(path)
        if not is_there(run.config_file):
            raise UsageError(f"There is no run in {run.path}: it has no config.json.")
        return run

    def check_free(self, overwrite: bool = False) -> None:
        """Checks that a new run may use the folder, without changing anything.

        Args:
            overwrite: Whether an existing run may be replaced; default false.

        Raises:
            UsageError: If something other than a run is there, or a run is and `overwrite` is
                false, or the folder cannot be written.
        """
        check_folder(self.path, "Choose another folder with --runs-dir.")
        # Left by a process that was killed before it wrote the configuration.
        beginnings = {*leftovers(self.path), self.path / LOCK_NAME}
        if not self.path.exists() or set(self.path.iterdir()) <= beginnings:
            return
        why_not = self._why_not_a_run()
        if why_not is not None:
            raise UsageError(
                f"{self.path} exists and is not a run: {why_not} Choose another name with --run."
            )
        if not overwrite:
            raise UsageError(
                f"The run {self.path} exists. Choose another name with --run, replace it with "
                f"--overwrite, or resume it with: {self.resume_command()}"
            )
        if others := self.irreplaceable():
            raise UsageError(
                f"The run {self.path} is not replaced: something else stands in place of what a "
                f"run writes, {_listed(others)}. Move it away, or choose another name with --run."
            )

    def _why_not_a_run(self):
        """Returns why the folder is not a run, or `None` if it is one."""
        if not self.config_file.is_file():
            return "it has no config.json."
        try:
            self.read_config()
            record = self.read_record()
        except (FailureError, UsageError) as error:
            reason = str(error).rstrip(".")
            return f"its config.json is not the configuration of a run ({reason})."
        # The config.json of another program may hold settings, too, or be empty.
        written = isinstance(record.get("environment"), dict) and isinstance(record["data"], dict)
        settings = record["settings"]
        if not (written and "name" in settings["model"] and "dataset" in settings["data"]):
            return "its config.json is not the configuration of a run."
        return None

    def _empty(self):
        """Removes the files that a run writes, and nothing else."""
        self.remove_leftovers()
        # The configuration goes last: if this is interrupted, the rest is still a run.
        for file in sorted(self.own_files(), key=lambda file: file == self.config_file):
            file.unlink(missing_ok=True)
        for folder in reversed(FOLDERS):
            if (self.path / folder).is_dir() and not any((self.path / folder).iterdir()):
                (self.path / folder).rmdir()
        if others := self.foreign_files():
            logger.warning("Left in %s, as no run wrote it: %s", self.path, _listed(others))

    def claim(self) -> None:
        """Claims the run for this process, so that no other one trains it.

        The claim ends with `release`, with this object, or when the process ends in any way.

        Raises:
            ClaimedError: If another process, or another object in this one, has claimed it.
            UsageError: If nothing can be written into the run's folder.
        """
        check_folder(self.path, "Make the run's folder writable, or copy it to one that is.")
        self._lock.acquire()

    def release(self) -> None:
        """Ends the claim, if there is one."""
        self._lock.release()

    def is_claimed(self) -> bool:
        """Tells whether any process has claimed the run."""
        return self._lock.is_held()

    def check_places(self) -> None:
        """Checks, before any work, that nothing is in the way of the run's files.

        Raises:
            FailureError: If `misplaced` returns anything.
        """
        if found := self.misplaced():
            raise FailureError(
                f"Something else stands at {', '.join(map(str, found))}, where the run writes. "
                f"Move it away, or have it renamed with: {self.repair_command()}"
            )

    def read_record(self) -> RunRecord:
        """Returns the content of `config.json`, converted to this version's format.

        Raises:
            FailureError: If it is damaged, or a newer version wrote it.
        """
        record = read_record(self.config_file, RunRecord, "Train the run again.")
        try:
            return cast(RunRecord, in_present_form(record, self.config_file))
        except UsageError as error:
            raise self._unusable(error) from None

    def read_config(self) -> RunConfig:
        """Returns the configuration of the run.

        Raises:
            FailureError: If `config.json` is damaged.
        """
        try:
            return RunConfig.from_nested(self.read_record()["settings"])
        except UsageError as error:
            raise self._unusable(error) from None

    def _unusable(self, error):
        return FailureError(
            f"{self.config_file} does not hold the settings of a run: {error} Train the run again."
        )

    def load_dataset(
        self,
        variants: Iterable[str] | None = None,
        factors: Iterable[str] | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Dataset:
        """Loads the data set that the run was trained on.

        Args:
            variants: Variants; default the run's own.
            factors: Factors that vary; default the run's own.
            progress: Called as `progress(done, total, what)` while images load.

        Raises:
            UsageError: If an official data set is no longer available.
            FailureError: If its images differ from the run's.
        """
        config = self.read_config()
        given = {"variants": variants, "factors": factors}
        given = {name: value for name, value in given.items() if value is not None}
        # Which images a split holds out depends on the others.
        config = config.replace(**given, **({"validation_split": None} if given else {}))
        dataset = load_dataset(config, fetch=False, progress=progress)
        recorded: Any = self.read_record()["data"]
        found: Any = dataset.provenance
        if given:
            # The record lists both among the variants.
            recorded, found = ({**data, "variants": None} for data in (recorded, found))
        check_same_images(self.path, "images", recorded, found)
        return dataset

    def last_step(self, config: RunConfig) -> int:
        """Returns the step at which training ends, or ended if it stopped early."""
        return self.read_record().get("ended", {}).get("step", config.training.steps)

    def record_end(self, ended: dict[str, Any]) -> None:
        """Adds `ended` to `config.json`: where training ended, and which step was best."""
        write_json(self.config_file, {**self.read_record(), "ended": ended}, durable=True)

    def write_record(
        self, config: RunConfig, data: dict[str, Any], environment: dict[str, Any], **more: Any
    ) -> None:
        """Writes `config.json`: settings, provenance of the data, versions, machine, and `more`."""
        settings = {"version": VERSION, "settings": config.to_nested()}
        record = {**settings, "data": data, "environment": environment, **more}
        write_json(self.config_file, record, durable=True)

    def record_time(self, event: str) -> None:
        """Adds the current time to `times` in `config.json`, in UTC as ISO 8601.

        `event` is `"begun"` or `"trained"`. File dates would not do, as copying changes them.

        Raises:
            FailureError: If `config.json` is damaged.
        """
        record = self.read_record()
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        record["times"] = {**record.get("times", {}), event: now}
        write_json(self.config_file, record, durable=True)

    def record_backend(self, backend: str) -> None:
        """Records in `config.json` that the run resumes with a different backend than before.

        Raises:
            FailureError: If `config.json` is damaged.
        """
        record = self.read_record()
        before = record.get("backends", [record["settings"]["compute"]["backend"]])
        record["backends"] = [*before, backend]
        record["settings"]["compute"]["backend"] = backend
        write_json(self.config_file, record, durable=True)

    def read_metrics(self) -> Scores | None:
        """Returns the content of `metrics.json`, or `None` if there is none yet.

        Raises:
            FailureError: If it is damaged.
        """
        if not is_there(self.metrics_file):
            return None
        return read_record(self.metrics_file, Scores, f"Repair it with: {self.repair_command()}")

    def write_metrics(self, scores: dict[str, Any]) -> None:
        """Writes `metrics.json`."""
        write_json(self.metrics_file, scores)

    def read_history(self) -> list[dict[str, Any]]:
        """Returns the rows of `history.csv`: dictionaries of floats, and the integer `step`.

        Raises:
            FailureError: If it is damaged.
        """
        if not is_there(self.history_file):
            return []
        try:
            return read_table(self.history_file)
        except ValueError as error:
            raise FailureError(
                f"{self.history_file} is damaged ({error}). Repair it with: {self.repair_command()}"
            ) from None

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Writes `history.csv` so that it survives a power failure."""
        write_table(self.history_file, rows, durable=True)

    def remove_old_checkpoints(self, keep: int = 2, best: int | None = None) -> None:
        """Removes all checkpoints but the newest `keep`, and the one of the step `best`."""
        for step in set(self.checkpoint_steps()[keep:]) - {best}:
            self.checkpoint_file(step).unlink()
            self.begun_epoch_file(step).unlink(missing_ok=True)

    def resume_command(self) -> str:
        """Returns the shell command that resumes the run."""
        try:
            is_test = self.read_config().kind == "annealing test"
        except (UsageError, FailureError):
            # The command itself will say what is wrong with the configuration.
            is_test = False
        command = "annealing-test" if is_test else "train"
        return f"keras-devae {command} --resume {shlex.quote(str(self.path))}"

    def repair_command(self) -> str:
        """Returns the shell command that repairs the run."""
        return f"keras-devae doctor {shlex.quote(str(self.path))} --repair"

    def how_to_resume(self) -> str:
        """Describes in sentences what the run has saved and how to resume it."""
        if not self.config_file.is_file():
            return "Nothing is saved yet. Run the same command again."
        steps = self.checkpoint_steps()
        if self.is_trained():
            saved = "Training is done and only the evaluation is left"
        elif steps:
            saved = f"The last checkpoint is from step {steps[0]}"
        else:
            saved = "There is no checkpoint yet"
        return f"{saved}. Resume it with: {self.resume_command()}"


def _listed(paths):
    names = ", ".join(str(path) for path in paths[:_MOST_LISTED])
    more = len(paths) - _MOST_LISTED
    return names + (f" and {more} more" if more > 0 else "")
