"""The folder that holds all of a run."""

import datetime
import json
import logging
import shlex
from pathlib import Path

from keras_devae.checks import usable_path
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import (
    check_folder,
    flush_to_disk,
    is_there,
    leftovers,
    read_json,
    read_table,
    remove_temporary,
    write_json,
    write_table,
)
from keras_devae.files.reading import reason_of
from keras_devae.runs import checkpoint_files
from keras_devae.runs.config.run_config import RunConfig, load_dataset
from keras_devae.runs.config.versions import VERSION, in_present_form
from keras_devae.runs.records import RunRecord, Scores, read_record
from keras_devae.runs.run_files import FOLDERS, files_of_a_run, irreplaceable, strangers
from keras_devae.runs.run_lock import LOCK_NAME, RunLock

logger = logging.getLogger("keras_devae")

#: How many of the files that stay are named.
_NAMED = 5


class RunDirectory:
    """`runs/<name>/`: `config.json`, `history.csv`, `metrics.json`, `model.keras`, ...

    Every file is written under a temporary name and renamed, so that what stands there is whole.

    Args:
        path: The folder.
    """

    def __init__(self, path):
        self.path = usable_path("The folder of a run", path)
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
        """Removes what a run writes, and nothing else."""
        self.remove_leftovers()
        # The configuration last: what is left of a run when this is broken off is a run.
        for file in sorted(files_of_a_run(self.path), key=lambda file: file == self.config_file):
            file.unlink(missing_ok=True)
        for folder in reversed(FOLDERS):
            if (self.path / folder).is_dir() and not any((self.path / folder).iterdir()):
                (self.path / folder).rmdir()
        if others := strangers(self.path):
            logger.warning("Left in %s, as no run wrote it: %s", self.path, _listed(others))

    def claim(self):
        """Takes the run for this process, which keeps others from training it meanwhile.

        The claim ends with `release`, with this object, or with the process, however that ends.

        Raises:
            UsageError: If another process, or another object of this one, has it, or nothing can be
                written into the run's folder.
        """
        check_folder(self.path, "Make the run's folder writable, or copy it to one that is.")
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
        if not is_there(run.config_file):
            raise UsageError(f"There is no run in {run.path}: it has no config.json.")
        return run

    def read_record(self):
        """Returns what `config.json` holds, a `RunRecord`, in the form of the present version.

        Raises:
            FailureError: If it is damaged, or a newer version wrote it.
        """
        remedy = "Train the run again."
        record = read_record(self.config_file, RunRecord, remedy)
        try:
            return in_present_form(record, self.config_file)
        except UsageError as error:
            raise FailureError(
                f"{self.config_file} does not hold the settings of a run: {error} {remedy}"
            ) from None

    def read_config(self):
        """Returns the run's `RunConfig`.

        Raises:
            FailureError: If `config.json` is damaged.
        """
        try:
            return RunConfig.from_nested(self.read_record()["settings"])
        except UsageError as error:
            raise FailureError(
                f"{self.config_file} does not hold the settings of a run: {error} Train the run "
                "again."
            ) from None

    def load_dataset(self, variants=None, factors=None, progress=None):
        """Loads the data set that the run was made with.

        Args:
            variants: Variants in place of those of the run, or `None`: those of the run.
            factors: Factors that vary, in place of those of the run, or `None`: those of the run.
            progress: As for `keras_devae.runs.config.run_config.load_dataset`.

        Raises:
            UsageError: If an official set is not here any more.
            FailureError: If another one is found in its place.
        """
        config = self.read_config()
        given = {"variants": variants, "factors": factors}
        given = {name: value for name, value in given.items() if value is not None}
        config = config.replace(**given)
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
        settings = config.to_nested()
        record = {
            "version": VERSION,
            "settings": settings,
            "data": data,
            "environment": environment,
        }
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
        before = record.get("backends", [record["settings"]["compute"]["backend"]])
        record["backends"] = [*before, backend]
        record["settings"]["compute"]["backend"] = backend
        write_json(self.config_file, record, durable=True)

    def read_metrics(self):
        """Returns what `metrics.json` holds, `Scores`, or `None` before it is written.

        Raises:
            FailureError: If it is damaged.
        """
        if not is_there(self.metrics_file):
            return None
        return read_record(self.metrics_file, Scores, f"Mend it with: {repair_command(self.path)}")

    def write_metrics(self, scores):
        """Writes `metrics.json`."""
        write_json(self.metrics_file, scores)

    def read_history(self):
        """Returns the rows of `history.csv`: dictionaries of floats, and of the integer `step`.

        Raises:
            FailureError: If it is damaged.
        """
        if not is_there(self.history_file):
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
        return checkpoint_files.path_of(self.checkpoints, step)

    def checkpoint_steps(self):
        """Returns the steps of the checkpoints, newest first."""
        return checkpoint_files.steps_in(self.checkpoints)

    def remove_old_checkpoints(self, keep=2):
        """Removes all checkpoints but the newest.

        Args:
            keep: How many stay; default 2.
        """
        for step in self.checkpoint_steps()[keep:]:
            self.checkpoint_file(step).unlink()
            self._begun_epoch_file(step).unlink(missing_ok=True)

    def write_begun_epoch(self, step, state):
        """Writes what an epoch has come to that was broken off, before its checkpoint.

        Args:
            step: The step.
            state: Dictionary of `count`, the model's count of steps, and `means`, a list of the
                numbers that its metrics hold.
        """
        write_json(self._begun_epoch_file(step), state, durable=True)

    def read_begun_epoch(self, step):
        """Returns what `write_begun_epoch` wrote, or `None` where it is missing or damaged."""
        try:
            state = read_json(self._begun_epoch_file(step))
            means = [float(value) for value in state["means"]]
            return {"count": int(state["count"]), "means": means}
        except (FailureError, KeyError, TypeError, ValueError) as error:
            logger.warning("The losses of the first epoch are of its last steps only: %s", error)
            return None

    def _begun_epoch_file(self, step):
        return self.checkpoint_file(step).with_suffix(".json")

    def set_aside(self, file):
        """Renames a damaged file of the run, so that it is not taken for a good one.

        Args:
            file: Its path.

        Returns:
            The path with `.damaged` behind it, and a number where that name is taken.
        """
        aside = unused_path(file.parent, f"{file.name}{checkpoint_files.SET_ASIDE}")
        file.rename(aside)
        return aside

    def leftovers(self):
        """Returns the temporary files of killed processes, a list of paths.

        The claim on the run keeps those from counting that are being written.
        """
        folders = (self.path, *(self.path / folder for folder in FOLDERS))
        return sorted(file for folder in folders for file in leftovers(folder))

    def remove_leftovers(self):
        """Removes what `leftovers` returns."""
        for file in self.leftovers():
            remove_temporary(file)

    def is_trained(self):
        """Tells whether training is done, and at most the evaluation is left."""
        return is_there(self.model_file)

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
        is_test = RunDirectory(path).read_config().kind == "annealing test"
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
    check_folder(run.path, "Choose another folder with --runs-dir.")
    # What a process leaves that is killed before it writes the configuration.
    beginnings = {*leftovers(run.path), run.path / LOCK_NAME}
    if not run.path.exists() or set(run.path.iterdir()) <= beginnings:
        return
    why_not = _why_not_a_run(run)
    if why_not is not None:
        raise UsageError(
            f"{run.path} exists and is not a run: {why_not} Choose another name with --run."
        )
    if not overwrite:
        raise UsageError(
            f"The run {run.path} exists. Choose another name with --run, replace it with "
            f"--overwrite, or go on with it: {resume_command(run.path)}"
        )
    if others := irreplaceable(run.path):
        raise UsageError(
            f"The run {run.path} is not replaced: something else stands in place of what a run "
            f"writes, {_listed(others)}. Move it away, or choose another name with --run."
        )


def _why_not_a_run(run):
    """Says why a folder is not that of a run, or returns `None`."""
    if not run.config_file.is_file():
        return "it has no config.json."
    try:
        run.read_config()
        record = run.read_record()
    except (FailureError, UsageError) as error:
        return f"its config.json is not the configuration of a run ({str(error).rstrip('.')})."
    # Others write settings, too, and of anything there may be none.
    written = isinstance(record.get("environment"), dict) and isinstance(record["data"], dict)
    settings = record["settings"]
    if not (written and "name" in settings["model"] and "dataset" in settings["data"]):
        return "its config.json is not the configuration of a run."
    return None


def _listed(paths):
    names = ", ".join(str(path) for path in paths[:_NAMED])
    return names + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def find_runs(folder):
    """Returns the runs below a folder, ordered by name.

    Args:
        folder: A folder such as `runs`; it may be missing.

    Raises:
        UsageError: If it cannot be read.
    """
    folder = usable_path("The folder of the runs", folder)
    try:
        entries = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be read: {reason_of(error)}.") from None
    return [RunDirectory(entry) for entry in entries if is_there(entry / "config.json")]


def unused_path(folder, name):
    """Returns `folder/name`, with a number behind it if that is taken."""
    candidate, number = Path(folder) / name, 2
    while is_there(candidate):
        candidate, number = Path(folder) / f"{name}-{number}", number + 1
    return candidate
