"""A run of a study: its folder, and the study's notes about it beside that folder."""

import collections
import dataclasses
import json
import math
import os
import socket
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from keras_devae.errors import FailureError, UsageError
from keras_devae.files import read_json, write_json
from keras_devae.files.reading import opened
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.config.validation import validated
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.records import Attempt, Failure, RunNote, read_record
from keras_devae.runs.run_lock import RunLock

#: The states of runs, in the order of a table.
STATES = ("done", "running", "interrupted", "failed", "waiting")
#: Lines of a run's log that are kept with the reason of its failure.
LOG_LINES = 20


def count_states(states: Iterable[str]) -> dict[str, int]:
    """Returns how often each of `STATES` occurs, in their order."""
    found = collections.Counter(states)
    return {state: found[state] for state in STATES}


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """The run `name`, in its own folder within the study's.

    Its whole state is on disk, so that no process needs to remember anything.
    """

    study: Path
    name: str

    @property
    def directory(self) -> RunDirectory:
        """Its `RunDirectory`."""
        return RunDirectory(self.study / self.name)

    @property
    def log_file(self) -> Path:
        """Log of what its process printed."""
        return self.study / "logs" / f"{self.name}.log"

    @property
    def settings_file(self) -> Path:
        """File with its key and settings."""
        return self._records / "settings.json"

    @property
    def attempts_file(self) -> Path:
        """File with a line of JSON for every start and every end of a process that executed it."""
        return self._records / "attempts.jsonl"

    @property
    def failure_file(self) -> Path:
        """File that says why it failed."""
        return self._records / "failure.json"

    @property
    def _records(self) -> Path:
        return self.study / "records" / self.name

    def write_settings(self, key: str, config: RunConfig) -> None:
        """Notes the key of the run and its configuration with absolute paths."""
        facts = json.loads(json.dumps({"key": key, "settings": config.to_dict()}))
        try:
            noted = read_json(self.settings_file)
        except FailureError:
            noted = None
        # The key does not depend on the folder of the prepared data.
        if noted != facts:
            write_json(self.settings_file, facts)

    def read_settings(self) -> tuple[str, RunConfig]:
        """Returns the key and the configuration, or raises a `FailureError`."""
        noted = read_record(self.settings_file, RunNote, "Run the study's file again.")
        try:
            return noted["key"], RunConfig.from_dict(noted["settings"])
        except UsageError as error:
            raise FailureError(
                f"{self.settings_file} does not hold the settings of a run ({error}). Run "
                "the study's file again."
            ) from None

    def lock(self) -> RunLock:
        """Returns the lock of the run, not yet acquired."""
        # Outside the run's own folder, because a run may replace that.
        return RunLock(self._records / "lock")

    def is_held(self) -> bool:
        """Returns whether a process, here or elsewhere, is working on it."""
        # It may also be trained by hand.
        return self.lock().is_held() or self.directory.is_claimed()

    def is_done(self) -> bool:
        """Returns whether it has been trained and measured; the report is written last."""
        return self.directory.metrics_file.is_file() and self.directory.report_file.is_file()

    def state(self) -> str:
        """Returns one of `STATES`."""
        if self.is_done():
            return "done"
        if self.is_held():
            return "running"
        if self.failure_file.is_file():
            return "failed"
        return "interrupted" if self.directory.config_file.is_file() else "waiting"

    def steps_done(self) -> int:
        """Returns the step of its newest checkpoint."""
        return next(iter(self.directory.checkpoint_steps()), 0)

    def note_start(self) -> None:
        """Records that a process begins, and deletes an earlier failure."""
        self.failure_file.unlink(missing_ok=True)
        self._note({"event": "start", "host": socket.gethostname(), "step": self.steps_done()})

    def note_end(self, status: int, seconds: float) -> None:
        """Records the exit status of a process, negative for a signal, and the seconds it took."""
        self._note({"event": "end", "status": status, "seconds": round(seconds, 3)})

    def attempts(self) -> list[dict[str, Any]]:
        """Returns what `note_start` and `note_end` recorded."""
        if not self.attempts_file.is_file():
            return []
        with opened(self.attempts_file) as file:
            lines = file.read().decode("utf-8", errors="replace").splitlines()
        return [attempt for line in lines if (attempt := _parse(line))]

    def seconds(self) -> float:
        """Returns the seconds of computing: the sum over all processes whose end is known."""
        return sum(attempt.get("seconds", 0) for attempt in self.attempts())

    def fail(self, reason: str, status: int | None) -> None:
        """Records why it failed, a sentence, and the exit status if it is known."""
        facts = {"reason": reason, "status": status, "time": _now(), "log": self._end_of_log()}
        write_json(self.failure_file, facts)

    def failure(self) -> Failure | None:
        """Returns what `fail` recorded, or `None`; raises a `FailureError` if it cannot be read."""
        try:
            return read_record(self.failure_file, Failure, "Remove it, and run the study again.")
        except FailureError:
            # A process that restarts the run removes the file.
            if self.failure_file.exists():
                raise
            return None

    def reason(self, state: str | None = None) -> str | None:
        """Returns why it failed, or `None`; `state` is what `state()` returned, if known."""
        failure = self.failure() if (state or self.state()) == "failed" else None
        return failure and failure["reason"]

    def _note(self, facts: dict[str, Any]) -> None:
        self.attempts_file.parent.mkdir(parents=True, exist_ok=True)
        with self.attempts_file.open("a+b") as file:
            # A process that was killed while writing leaves an incomplete line.
            begin = "\n" if _is_torn(file) else ""
            file.write(f"{begin}{json.dumps({'time': _now(), **facts})}\n".encode())

    def _end_of_log(self) -> list[str]:
        if not self.log_file.is_file():
            return []
        text = self.log_file.read_text(encoding="utf-8", errors="replace")
        return text.splitlines()[-LOG_LINES:]


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")


def _is_torn(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _parse(line: str) -> dict[str, Any] | None:
    """Returns the start or end that a line records, or `None` if the line is damaged."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    try:
        seconds = validated(Attempt, value).get("seconds", 0.0)
    except UsageError:
        return None
    return value if math.isfinite(seconds) and seconds >= 0 else None
