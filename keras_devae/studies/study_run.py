"""A run of a study: its folder, and what the study notes of it beside that folder."""

import collections
import dataclasses
import json
import math
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from keras_devae.errors import FailureError, UsageError
from keras_devae.files import read_json, write_json
from keras_devae.files.reading import opened
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.config.validation import validated
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.records import Attempt, Failure, RunNote, read_record
from keras_devae.runs.run_lock import RunLock

#: What can be said of a run, in the order of a table.
STATES = ("done", "running", "interrupted", "failed", "waiting")
#: Lines of a run's log that go with the reason of its failure.
LOG_LINES = 20


def count_states(states):
    """Returns how often each of `STATES` is among some, a dictionary in their order."""
    found = collections.Counter(states)
    return {state: found[state] for state in STATES}


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """A run of a study.

    All that is known of it is on disk: no process needs to remember anything.

    Attributes:
        study: Folder of the study.
        name: Name of the run, and of its folder in there.
    """

    study: Path
    name: str

    @property
    def directory(self):
        """Its `RunDirectory`."""
        return RunDirectory(self.study / self.name)

    @property
    def log_file(self):
        """What its process printed."""
        return self.study / "logs" / f"{self.name}.log"

    @property
    def lock_file(self):
        """Held by the process that runs it; outside the folder that a run may replace."""
        return self._records / "lock"

    @property
    def settings_file(self):
        """Its key and settings."""
        return self._records / "settings.json"

    @property
    def attempts_file(self):
        """One line of JSON for every start and every end of a process that ran it."""
        return self._records / "attempts.jsonl"

    @property
    def failure_file(self):
        """Why it failed."""
        return self._records / "failure.json"

    @property
    def _records(self):
        return self.study / "records" / self.name

    def write_settings(self, key, config):
        """Notes what the run is.

        Args:
            key: See `keras_devae.studies.keys.run_key`.
            config: Its `RunConfig`, with absolute paths.
        """
        facts = json.loads(json.dumps({"key": key, "settings": config.to_dict()}))
        try:
            noted = read_json(self.settings_file)
        except FailureError:
            noted = None
        # The same key may come with data prepared in another folder.
        if noted != facts:
            write_json(self.settings_file, facts)

    def read_settings(self):
        """Returns the pair of the key and the `RunConfig`.

        Raises:
            FailureError: If they cannot be read.
        """
        noted = read_record(self.settings_file, RunNote, "Run the study's file again.")
        try:
            return noted["key"], RunConfig.from_dict(noted["settings"])
        except UsageError as error:
            raise FailureError(
                f"{self.settings_file} does not hold the settings of a run ({error}). Run "
                "the study's file again."
            ) from None

    def lock(self):
        """Returns the lock of the run, a `RunLock`, not yet acquired."""
        return RunLock(self.lock_file)

    def is_held(self):
        """Tells whether a process, here or elsewhere, is working on it."""
        # Somebody may train it by hand, too.
        return self.lock().is_held() or self.directory.is_claimed()

    def is_done(self):
        """Tells whether it has been trained and measured; the report is written last."""
        return self.directory.metrics_file.is_file() and self.directory.report_file.is_file()

    def state(self):
        """Returns one of `STATES`."""
        if self.is_done():
            return "done"
        if self.is_held():
            return "running"
        if self.failure_file.is_file():
            return "failed"
        return "interrupted" if self.directory.config_file.is_file() else "waiting"

    def steps_done(self):
        """Returns the step of its newest checkpoint."""
        return next(iter(self.directory.checkpoint_steps()), 0)

    def note_start(self):
        """Notes that a process begins, and forgets an earlier failure."""
        self.failure_file.unlink(missing_ok=True)
        self._note({"event": "start", "host": socket.gethostname(), "step": self.steps_done()})

    def note_end(self, status, seconds):
        """Notes that a process has ended.

        Args:
            status: Its exit status, negative for a signal.
            seconds: How long it ran.
        """
        self._note({"event": "end", "status": status, "seconds": round(seconds, 3)})

    def attempts(self):
        """Returns what `note_start` and `note_end` noted, a list of dictionaries."""
        if not self.attempts_file.is_file():
            return []
        with opened(self.attempts_file) as file:
            lines = file.read().decode("utf-8", errors="replace").splitlines()
        return [attempt for line in lines if (attempt := _parsed(line))]

    def seconds(self):
        """Returns how long it was worked on: the sum over all processes whose end is known."""
        return sum(attempt.get("seconds", 0) for attempt in self.attempts())

    def fail(self, reason, status):
        """Notes why it failed.

        Args:
            reason: One sentence.
            status: Exit status, negative for a signal, or `None`: not known.
        """
        facts = {"reason": reason, "status": status, "time": _now(), "log": self._end_of_log()}
        write_json(self.failure_file, facts)

    def failure(self):
        """Returns what `fail` noted, or `None`.

        Raises:
            FailureError: If it cannot be read.
        """
        try:
            return read_record(self.failure_file, Failure, "Remove it, and run the study again.")
        except FailureError:
            # A process that takes the run up again removes it.
            if self.failure_file.exists():
                raise
            return None

    def reason(self, state=None):
        """Returns why it failed, or `None` if it did not, or is at it again.

        Args:
            state: What `state` returned, or `None`: it is asked now.

        Raises:
            FailureError: If the reason cannot be read.
        """
        failure = self.failure() if (state or self.state()) == "failed" else None
        return failure and failure["reason"]

    def _note(self, facts):
        self.attempts_file.parent.mkdir(parents=True, exist_ok=True)
        with self.attempts_file.open("a+b") as file:
            # A process that was killed while it wrote leaves a part of a line.
            begin = "\n" if _is_torn(file) else ""
            file.write(f"{begin}{json.dumps({'time': _now(), **facts})}\n".encode())

    def _end_of_log(self):
        if not self.log_file.is_file():
            return []
        text = self.log_file.read_text(encoding="utf-8", errors="replace")
        return text.splitlines()[-LOG_LINES:]


def _now():
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")


def _is_torn(file):
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _parsed(line):
    """Returns what a line says of an attempt, or `None` where it is damaged."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    try:
        seconds = validated(Attempt, value).get("seconds", 0.0)
    except UsageError:
        return None
    return value if math.isfinite(seconds) and seconds >= 0 else None
