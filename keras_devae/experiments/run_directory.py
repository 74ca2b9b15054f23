"""The folder that holds all of a run."""

import dataclasses
import datetime
import json
import os
import shlex
import shutil
from pathlib import Path

from keras_devae.errors import FailureError, UsageError
from keras_devae.experiments.config import RunConfig, load_dataset
from keras_devae.experiments.run_lock import LOCK_NAME, RunLock
from keras_devae.files import (
    flush_to_disk,
    leftovers,
    read_json,
    read_table,
    write_json,
    write_table,
)


class RunDirectory:
    """`runs/<name>/`: `config.json`, `history.csv`, `metrics.json`, `model.keras`, ...

    Every file is written under a temporary name and renamed, so that what stands there is whole.

    Args:
        path: The folder.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.history_file = self.path / "history.csv"
        self.metrics_file = self.path / "metrics.json"
        self.model_file = self.path / "model.keras"
        self.report_file = self.path / "report.html"
        self.freezing_file = self.path / "freezing.json"
        self.checkpoints = self.path / "checkpoints"
        self.figures = self.path / "figures"
        self.codes = self.path / "codes"
        self.tracking = self.path / "tracking"
        self._lock = RunLock(self.path / LOCK_NAME)

    @property
    def name(self):
        """Name of the folder, also where the path is one like `.`."""
        return self.path.resolve().name

    @classmethod
    def create(cls, path, overwrite=False):
        """Makes the folder of a new run.

        Args:
            path: The folder.
            overwrite: Whether a run that is there already may be removed; default false.

        Returns:
            The `RunDirectory`, empty and claimed.

        Raises:
            UsageError: See `check_free` and `claim`.
        """
        check_free(path, overwrite)
        run = cls(path)
        run.path.mkdir(parents=True, exist_ok=True)
        run.claim()
        try:
            # Another process may have come first, and be done already.
            check_free(path, overwrite)
            run._empty()
        except BaseException:
            run.release()
            raise
        return run

    def _empty(self):
        # The configuration last: what is left of a run when this is broken off is a run.
        for entry in sorted(self.path.iterdir(), key=lambda entry: entry == self.config_file):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != LOCK_NAME:
                entry.unlink()

    def claim(self):
        """Takes the run for this process, which keeps others from training it meanwhile.

        The claim ends with `release`, with this object, or with the process, however that ends.

        Raises:
            UsageError: If another process, or another object of this one, has it.
        """
        self._lock.acquire()

    def release(self):
        """Ends the claim, if there is one."""
        self._lock.release()

    def is_claimed(self):
        """Tells whether somebody has claimed the run."""
        return self._lock.is_held()

    @classmethod
    def open(cls, path):
        """Opens the folder of a run.

        Raises:
            UsageError: If there is no run.
        """
        run = cls(path)
        if not run.config_file.is_file():
            raise UsageError(f"There is no run in {run.path}: it has no config.json.")
        return run

    def read_record(self):
        """Returns what `config.json` holds: `settings`, `data`, `environment`, perhaps `times`.

        Raises:
            FailureError: If it is damaged.
        """
        return read_json(self.config_file)

    def read_config(self):
        """Returns the run's `RunConfig`.

        Raises:
            FailureError: If `config.json` is damaged.
        """
        record = self.read_record()
        if not isinstance(record, dict) or not {"settings", "data"} <= set(record):
            raise FailureError(f"{self.config_file} lacks its settings. Train the run again.")
        return RunConfig.from_dict(record["settings"])

    def load_dataset(self, variants=None, factors=None, progress=None):
        """Loads the data set that the run was made with.

        Args:
            variants: Variants in place of those of the run, or `None`: those of the run.
            factors: Factors that vary, in place of those of the run, or `None`: those of the run.
            progress: As for `keras_devae.experiments.config.load_dataset`.

        Raises:
            UsageError: If an official set is not here any more.
            FailureError: If another one is found in its place.
        """
        config = self.read_config()
        given = {"variants": variants, "factors": factors}
        given = {name: value for name, value in given.items() if value is not None}
        config = dataclasses.replace(config, **given)
        dataset = load_dataset(config, fetch=False, progress=progress)
        recorded, found = self.read_record()["data"], json.loads(json.dumps(dataset.provenance))
        if given:
            # Both are among the variants of the record.
            recorded, found = ({**data, "variants": None} for data in (recorded, found))
        if found != recorded:
            raise FailureError(
                f"The run {self.path} was made with other images. Recorded: {recorded}. "
                f"Found: {found}."
            )
        return dataset

    def write_record(self, config, data, environment):
        """Writes `config.json`.

        Args:
            config: The `RunConfig`.
            data: Provenance of the data set, a dictionary.
            environment: Versions and machine, a dictionary.
        """
        record = {"settings": config.to_dict(), "data": data, "environment": environment}
        write_json(self.config_file, record, durable=True)

    def record_time(self, what):
        """Adds the present moment to the `times` of `config.json`, in UTC by ISO 8601.

        The dates of files do not tell: those of a copied folder are of the copy.

        Args:
            what: What happened: `"begun"` or `"trained"`.

        Raises:
            FailureError: If `config.json` is damaged.
        """
        record = self.read_record()
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        record["times"] = {**record.get("times", {}), what: now}
        write_json(self.config_file, record, durable=True)

    def record_backend(self, backend):
        """Notes in `config.json` that the run goes on with another backend than before.

        Raises:
            FailureError: If `config.json` is damaged.
        """
        record = self.read_record()
        before = record.get("backends", [record["settings"]["backend"]])
        record["backends"] = [*before, backend]
        record["settings"]["backend"] = backend
        write_json(self.config_file, record, durable=True)

    def read_metrics(self):
        """Returns what `metrics.json` holds, or `None` before it is written.

        Raises:
            FailureError: If it is damaged.
        """
        return read_json(self.metrics_file) if self.metrics_file.is_file() else None

    def write_metrics(self, scores):
        """Writes `metrics.json`."""
        write_json(self.metrics_file, scores)

    def read_history(self):
        """Returns the rows of `history.csv`: dictionaries of floats, and of the integer `step`.

        Raises:
            FailureError: If it is damaged.
        """
        if not self.history_file.is_file():
            return []
        try:
            return read_table(self.history_file)
        except ValueError as error:
            raise FailureError(
                f"{self.history_file} is damaged ({error}). Mend it with: "
                f"{repair_command(self.path)}"
            ) from None

    def write_history(self, rows):
        """Writes `history.csv` from dictionaries with the same keys, safe from power failures."""
        write_table(self.history_file, rows, durable=True)

    def flush_tracking(self):
        """Waits until the tables of what was measured while training are on the disk."""
        for suffix in ("csv", "npz"):
            for file in self.tracking.glob(f"[!.]*.{suffix}"):
                flush_to_disk(file)

    def checkpoint_file(self, step):
        """Returns the path of the checkpoint of a step."""
        return self.checkpoints / f"step-{step:08d}.keras"

    def checkpoint_steps(self):
        """Returns the steps of the checkpoints, newest first."""
        files = self.checkpoints.glob("step-*.keras")
        return sorted((int(file.stem.removeprefix("step-")) for file in files), reverse=True)

    def remove_old_checkpoints(self, keep=2):
        """Removes all checkpoints but the newest.

        Args:
            keep: How many stay; default 2.
        """
        for step in self.checkpoint_steps()[keep:]:
            self.checkpoint_file(step).unlink()

    def set_aside(self, file):
        """Renames a damaged file of the run, so that it is not taken for a good one.

        Args:
            file: Its path.

        Returns:
            The path with `.damaged` behind it.
        """
        aside = file.with_name(f"{file.name}.damaged")
        file.replace(aside)
        return aside

    def leftovers(self):
        """Returns the temporary files of killed processes, a list of paths.

        The claim on the run keeps those from counting that are being written.
        """
        folders = (self.path, self.tracking, self.codes, self.figures)
        # Keras has temporary files of its own, beside the checkpoint that it writes.
        unfinished = (f for p in (".step-*", "tmp*") for f in self.checkpoints.glob(p))
        return sorted({*unfinished, *(f for folder in folders for f in leftovers(folder))})

    def is_trained(self):
        """Tells whether training is done, and at most the evaluation is left."""
        return self.model_file.is_file()

    def trained_model_file(self):
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


def resume_command(path):
    """Returns the command that goes on with the run in a folder, for a shell."""
    try:
        is_test = RunDirectory(path).read_config().is_annealing_test
    except (UsageError, FailureError):
        # Whoever gives the command is told what is wrong with the configuration.
        is_test = False
    command = "annealing-test" if is_test else "train"
    return f"keras-devae {command} --resume {shlex.quote(str(path))}"


def repair_command(path):
    """Returns the command that mends the run in a folder, for a shell."""
    return f"keras-devae doctor {shlex.quote(str(path))} --repair"


def check_free(path, overwrite=False):
    """Checks that a new run may take a folder, and touches nothing.

    Args:
        path: The folder.
        overwrite: Whether a run that is there already may be replaced; default false.

    Raises:
        UsageError: If something else is there, or a run and `overwrite` is false, or the folder
            cannot be written.
    """
    run = RunDirectory(path)
    # What a process leaves that is killed before it writes the configuration.
    beginnings = {LOCK_NAME, *(file.name for file in leftovers(run.path))}
    existing = next(folder for folder in (run.path, *run.path.resolve().parents) if folder.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        raise UsageError(f"Cannot write to {existing}. Choose another folder with --runs-dir.")
    is_folder = run.path.is_dir()
    if not run.path.exists() or (is_folder and {f.name for f in run.path.iterdir()} <= beginnings):
        return
    if not run.config_file.is_file():
        raise UsageError(f"{run.path} exists and is not a run. Choose another name with --run.")
    if not overwrite:
        raise UsageError(
            f"The run {run.path} exists. Choose another name with --run, replace it with "
            f"--overwrite, or go on with it: {resume_command(run.path)}"
        )


def find_runs(folder):
    """Returns the runs below a folder, ordered by name.

    Args:
        folder: A folder such as `runs`.
    """
    return [RunDirectory(file.parent) for file in sorted(Path(folder).glob("*/config.json"))]


def unused_path(folder, name):
    """Returns `folder/name`, with a number behind it if that is taken."""
    candidate, number = Path(folder) / name, 2
    while candidate.exists():
        candidate, number = Path(folder) / f"{name}-{number}", number + 1
    return candidate
