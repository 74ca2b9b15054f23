"""Finds out what is wrong with a run's folder and how to fix it, without importing a backend."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import itertools
import math
import os
import shlex
import shutil
from pathlib import Path

from keras_devae.data.loading import OWN_KINDS
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import archive_damage, file_hash, write_table
from keras_devae.files.reading import NotAFileError, opened
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.tracking import TRACKED

#: Says what happens to lines that cannot be read.
_KEPT = "They are dropped, and the old table is kept with .damaged appended to its name;"
STATES = ("ok", "repaired", "problem")
#: Maximum number of steps named in a sentence.
_FEW = 5


@dataclasses.dataclass(frozen=True)
class Finding:
    """The result of examining one part of a run.

    Attributes:
        what: The file, or `"data set"`, `"disk"`, `"progress"` or `"temporary files"`.
        state: `"ok"`, `"repaired"`, or `"problem"` if something is left to do.
        sentence: What was found, and what to do.
    """

    what: str
    state: str
    sentence: str


def examine(path: str | os.PathLike[str], repair: bool = False) -> list[Finding]:
    """Examines the folder of a run and, if asked to, repairs it.

    Args:
        path: The run's folder.
        repair: Whether to repair what can be repaired: temporary files are removed; damaged files
            get `.damaged` appended to their names; tables lose unreadable lines, which a `.damaged`
            copy keeps, and rows that training will write again. Default false, which changes
            nothing.

    Raises:
        UsageError: If there is no run, or it cannot be repaired because another process is, or may
            be, training it.
    """
    run = RunDirectory.open(path)
    if not repair:
        return list(_Examination(run, False).findings())
    run.claim()
    if not run.is_claimed():
        raise UsageError(
            f"{run.path} is not repaired, as a process may be training it. Install filelock (pip "
            "install filelock), or copy the run to a file system that has locks."
        )
    try:
        return list(_Examination(run, True).findings())
    finally:
        run.release()


class _Examination:
    def __init__(self, run, repair):
        self.run, self.repair = run, repair
        self.in_use = not repair and run.is_claimed()

    def findings(self):
        """Yields a `Finding` for each part of the run, in the order they are reported."""
        try:
            self.config = self.run.read_config()
        except FailureError as error:
            yield _problem("config.json", f"{error} The run cannot resume: start it again.")
            return
        yield Finding("config.json", "ok", "It is intact.")
        for path in self.run.misplaced():
            yield self._set_aside(path, "Something else stands in its place.")
        yield from self._leftovers()
        good = yield from self._checkpoints()
        yield from self._model()
        yield from self._history(good)
        good = [step for step in good if self.run.checkpoint_file(step).is_file()]
        yield from self._tracked(good)
        yield from self._scores()
        yield self._data()
        yield self._space(good)
        yield self._progress(good)

    def _repaired(self, what, found, done, repair):
        """Repairs something with `repair` if asked to; otherwise says how to repair it."""
        if not self.repair:
            return _problem(what, f"{found} Repair it with: {self.run.repair_command()}")
        repair()
        return Finding(what, "repaired", f"{found} {done}")

    def _set_aside(self, file, found):
        what = str(file.relative_to(self.run.path))
        done = f"It is now called {file.name}.damaged."
        return self._repaired(what, found, done, lambda: self.run.set_aside(file))

    def _rewrite(self, file, rows, keeps_the_old):
        if keeps_the_old:
            self.run.set_aside(file)
        elif not rows:
            file.unlink(missing_ok=True)
        if rows:
            write_table(file, rows, durable=True)

    def _archive(self, file, found):
        """Yields a finding if an archive is damaged, and returns whether it is intact."""
        try:
            reason = archive_damage(file)
        except (FileNotFoundError, NotAFileError):
            # Training has just removed it, or it is reported already.
            return False
        except OSError as error:
            yield _problem(str(file.relative_to(self.run.path)), f"It cannot be read: {error}.")
            return False
        if reason is not None:
            yield self._set_aside(file, f"{found}: {reason}.")
        return reason is None

    def _leftovers(self):
        files = [] if self.in_use else self.run.leftovers()
        if files:
            yield self._repaired(
                "temporary files",
                f"Killed processes left {', '.join(file.name for file in files)}.",
                "They are removed.",
                self.run.remove_leftovers,
            )

    def _checkpoints(self):
        good = []
        for file in self.run.misnamed_checkpoints():
            yield _problem(
                f"checkpoints/{file.name}",
                "It is named like a checkpoint but is not a file. Remove it if you can.",
            )
        for step in self.run.checkpoint_steps():
            file = self.run.checkpoint_file(step)
            if step > self.config.training.steps:
                found = f"It belongs to a step after the run's last, {self.config.training.steps}."
                yield self._set_aside(file, found)
            elif (yield from self._archive(file, f"The checkpoint of step {step} is damaged")):
                good.append(step)
        if steps := ", ".join(map(str, good)):
            yield Finding("checkpoints", "ok", f"Those of steps {steps} are intact.")
        return good

    def _model(self):
        if (yield from self._archive(self.run.model_file, "The trained model is damaged")):
            yield Finding("model.keras", "ok", "It is intact.")

    def _history(self, good):
        if not self.run.history_file.is_file() and not any(good):
            return
        rows, unreadable = _readable_rows(self.run.history_file)
        steps = [step for step, _ in rows]
        bad = [step for step, row in rows if not math.isfinite(float(row.get("loss", 0)))]
        # Rows are written before their checkpoint; later ones will be written again.
        newest = self._newest(good)
        beyond = [] if self.in_use else [step for step in steps if step > newest]
        missing = self._missing(newest, steps)
        if missing:
            yield self._lost_history(missing, steps, good)
        if bad:
            yield _problem("history.csv", f"The loss is not finite at steps {_listed(bad)}.")
        if unreadable or beyond:
            keep = [row for step, row in rows if step <= newest]
            yield self._repaired(
                "history.csv",
                f"{unreadable} lines cannot be read, and {len(beyond)} rows belong to steps after "
                f"the newest checkpoint, {newest}.",
                f"{_KEPT if unreadable else 'They are dropped;'} training writes the steps again.",
                lambda: self._rewrite(self.run.history_file, keep, unreadable),
            )
        elif not (missing or bad):
            yield Finding("history.csv", "ok", f"It has {len(rows)} rows.")

    def _newest(self, good):
        """Returns the step up to which there must be rows."""
        is_trained = self.run.is_trained()
        return self.run.last_step(self.config) if is_trained else max(good, default=0)

    def _missing(self, newest, steps):
        """Returns the first few steps, up to the newest one, that have no row in the history."""
        every, present = self.config.training.checkpoint_every, set(steps)
        end = [newest] if newest == self.config.training.steps and newest % every else []
        grid = itertools.chain(range(every, newest + 1, every), end)
        return list(itertools.islice((step for step in grid if step not in present), _FEW + 1))

    def _lost_history(self, missing, steps, good):
        found = f"It lacks the rows of steps {_listed(missing)}."
        whole = [step for step in good if not self._missing(step, steps)]
        ahead = [step for step in good if step > max(whole, default=math.inf)]
        if self.run.is_trained() or not ahead:
            return _problem(
                "history.csv", f"{found} They are lost; train the run again to have them."
            )
        files = [self.run.checkpoint_file(step) for step in ahead]
        return self._repaired(
            "history.csv",
            found,
            f"Training resumes from step {whole[0]} and writes them again.",
            lambda: [self.run.set_aside(file) for file in files],
        )

    def _tracked(self, good):
        newest = self._newest(good)
        tables = [self.run.tracking / f"{name}.csv" for name in (*TRACKED, "metrics")]
        for file in filter(Path.is_file, tables):
            what = f"tracking/{file.name}"
            rows, unreadable = _readable_rows(file)
            if unreadable:
                keep = [row for step, row in rows if step <= newest]
                yield self._repaired(
                    what,
                    f"{unreadable} lines cannot be read.",
                    f"{_KEPT} training measures them again.",
                    lambda file=file, keep=keep: self._rewrite(file, keep, True),
                )
            else:
                yield Finding(what, "ok", f"It has {len(rows)} rows.")
        archives = [self.run.tracking / f"{name}.npz" for name in TRACKED]
        archives += sorted(self.run.codes.glob("codes-*.npz"))
        for file in filter(Path.is_file, archives):
            yield from self._archive(file, "It is damaged")

    def _scores(self):
        file, model = self.run.metrics_file, self.run.model_file
        if not file.is_file():
            return
        again = f"Compute them again with: keras-devae evaluate {shlex.quote(str(self.run.path))}"
        try:
            scores = self.run.read_metrics()
        except FailureError as error:
            found = str(error).partition(" Repair it with: ")[0]
            yield self._set_aside(file, found)
            return
        made_of = scores.get("settings", {}).get("model_sha256")
        values = [value for layer in scores["layers"] for value in layer.values()]
        if not all(value is None or math.isfinite(value) for value in values):
            yield _problem("metrics.json", f"A score is not finite. {again}")
            return
        if made_of and model.is_file() and made_of != file_hash(model):
            yield _problem("metrics.json", f"The scores belong to another model. {again}")
        else:
            yield Finding("metrics.json", "ok", "It is intact.")

    def _data(self):
        kind, colon, path = self.config.data.dataset.partition(":")
        try:
            if kind in OWN_KINDS and colon:
                return self._own_data(kind, path)
            dataset = self.run.load_dataset()
        except (FailureError, UsageError) as error:
            return _problem("data set", str(error))
        return Finding("data set", "ok", f"It is available: {dataset.description}.")

    def _own_data(self, kind, path):
        # Comparing the content means reading all of it; training does that before it starts.
        is_right = Path.is_dir if kind == "folder" else Path.is_file
        factors = self.config.data.factors_file
        missing = [] if is_right(Path(path)) else [path]
        missing += [factors] if factors and not Path(factors).is_file() else []
        if missing:
            return _problem("data set", f"{', '.join(missing)} is missing. Put it back there.")
        return Finding("data set", "ok", f"The {kind} {path} is there.")

    def _space(self, good):
        free = shutil.disk_usage(self.run.path).free
        sizes = [0]
        for step in good:
            # Training may have just removed it.
            with contextlib.suppress(FileNotFoundError):
                sizes.append(self.run.checkpoint_file(step).stat().st_size)
        # The checkpoints to keep, the one being written, and the model.
        needed = (self.config.training.keep + 2) * max(sizes)
        sentence = f"{free / 1e9:.1f} GB are free, {needed / 1e9:.2f} GB at most are needed."
        if free < needed and not self._is_finished():
            return _problem("disk", f"{sentence} Make room before you resume.")
        return Finding("disk", "ok", sentence)

    def _is_finished(self):
        # An annealing test ends with its freezing points, and has no scores.
        is_test = self.config.kind == "annealing test"
        last = self.run.freezing_file if is_test else self.run.metrics_file
        return self.run.is_trained() and last.is_file()

    def _progress(self, good):
        steps, done = self.config.training.steps, max(good, default=0)
        if self.in_use:
            sentence = f"A process is training the run, {done} of {steps} steps are saved."
            return Finding("progress", "ok", sentence)
        if self._is_finished():
            return Finding("progress", "ok", f"The run is finished, all {steps} steps.")
        saved = "" if self.run.is_trained() else f"{done} of {steps} steps are saved. "
        return _problem("progress", f"{saved}{self.run.how_to_resume()}")


def _problem(what, sentence):
    return Finding(what, "problem", sentence)


def _listed(steps):
    return ", ".join(map(str, steps[:_FEW])) + (", ..." if len(steps) > _FEW else "")


def _readable_rows(file):
    """Returns `(step, row)` pairs before the first bad line, and the number of lines from there on.

    A line is good if it has all columns, only numbers, and a whole step not below the previous one.
    """
    try:
        with opened(file) as stream:
            text = stream.read().decode("utf-8", errors="replace")
        lines = list(csv.reader(io.StringIO(text)))
    except (FileNotFoundError, NotAFileError):
        return [], 0
    except (OSError, csv.Error):
        return [], 1
    header, *body = lines or [[]]
    if "step" not in header or len(set(header)) < len(header) or "\ufffd" in str(header):
        return [], max(1, len(body))
    rows, last = [], 0
    for number, values in enumerate(body):
        try:
            row = dict(zip(header, values, strict=True))
            numbers = {name: float(value) for name, value in row.items()}
            step = int(numbers["step"])
        except (ValueError, OverflowError):
            return rows, len(body) - number
        if not last <= step == numbers["step"]:
            return rows, len(body) - number
        rows.append((step, row))
        last = step
    return rows, 0
