"""Runs a benchmark from start to end: processes, rounds, rows."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_devae.backend.choosing import SHARED_MEMORY
from keras_devae.runs.benchmark.settings import BenchmarkSettings
from keras_devae.runs.config.run_config import load_dataset
from keras_devae.runs.environment import describe_machine

_WORKER = "keras_devae.runs.benchmark.worker"


def run_benchmark(
    settings: BenchmarkSettings, progress: Callable[[str], object] = lambda text: None
) -> dict[str, Any]:
    """Measures every backend, batch size and precision.

    Each of these configurations has its own process, which only waits while another one measures.
    The configurations of a backend take turns in rounds, so that a slow spell of the machine does
    not affect only one of them.

    Args:
        settings: What to measure.
        progress: Called with a description of what is being done.

    Returns:
        A dictionary that `json.dump` takes, of `machine`; `settings`; `data`, a sentence;
        `choices`, what `train` would choose on each backend; `fastest`, the row with the most
        images per second, or `None`; and `rows`, a dictionary for each configuration. What is
        measured in rounds has `median` and quartiles, `low` and `high`. A configuration that could
        not be measured has a `failure`, a sentence.

    Raises:
        UsageError: If the data set is wrong.
        FailureError: If its file is damaged.
    """
    # Before anything adds to the load of the machine.
    machine = describe_machine()
    dataset = load_dataset(settings.run_config(settings.batch_sizes[0]), fetch=False)
    rows: list[dict[str, Any]] = []
    choices: dict[str, str] = {}
    accelerator = None
    for backend in settings.backends:
        measured = _measure_backend(backend, settings, progress)
        for row in measured:
            choices.setdefault(backend, row.pop("choices", None))
            accelerator = row.pop("accelerator", None) or accelerator
        rows += measured
    return {
        "machine": {**machine, "accelerator": accelerator},
        "settings": settings.to_dict(),
        "data": dataset.description,
        "choices": {name: choice for name, choice in choices.items() if choice},
        "fastest": _fastest(rows),
        "rows": rows,
    }


def _measure_backend(
    backend: str, settings: BenchmarkSettings, progress: Callable[[str], object]
) -> list[dict[str, Any]]:
    """Returns the rows of a backend's configurations."""
    with contextlib.ExitStack() as stack:
        workers = []
        for batch_size in settings.batch_sizes:
            for precision in settings.precisions:
                workers.append(_Worker(backend, batch_size, precision, settings))
                stack.callback(workers[-1].end)
                progress(f"{workers[-1].name}: starting")
                workers[-1].listen()
        for word, rounds in (("train", settings.rounds), ("encode", settings.rounds)):
            for number in range(rounds):
                for worker in workers:
                    progress(f"{worker.name}: {word}, round {number + 1} of {rounds}")
                    worker.ask(word)
            for worker in workers:
                worker.tell("stop")
        return [worker.row() for worker in workers]


class _Worker:
    """The process of one configuration."""

    def __init__(
        self, backend: str, batch_size: int, precision: str, settings: BenchmarkSettings
    ) -> None:
        self.name = f"{backend}, batch {batch_size}, {precision}"
        self._row: dict[str, Any] = {
            "backend": backend,
            "batch_size": batch_size,
            "precision": precision,
        }
        self._answers: list[dict[str, Any]] = []
        given = {
            "config": settings.run_config(batch_size).to_dict(),
            "precision": precision,
            "seconds": settings.seconds,
        }
        # A file, open as long as the process: a pipe would fill up and block it.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _WORKER, json.dumps(given)],
            env={**SHARED_MEMORY, **os.environ, "KERAS_BACKEND": backend},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )

    def tell(self, word: str) -> None:
        """Writes a word to the process, if it is still there."""
        if "failure" in self._row:
            return
        with contextlib.suppress(OSError):
            print(word, file=self._process.stdin, flush=True)

    def listen(self) -> None:
        """Waits for an answer and keeps it, or notes how the process failed."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"failure": self._failure_text()}
        if "failure" in answer:
            self._row["failure"] = answer["failure"]
        elif "settings" in answer:
            self._row.update(answer)
        else:
            self._answers.append(answer)

    def ask(self, word: str) -> None:
        """Writes a word and waits for its answer."""
        self.tell(word)
        if "failure" not in self._row:
            self.listen()

    def row(self) -> dict[str, Any]:
        """Returns what was measured."""
        row = dict(self._row)
        for name in dict.fromkeys(name for answer in self._answers for name in answer):
            values = [answer[name] for answer in self._answers if name in answer]
            quartiles = np.percentile(values, [50, 25, 75]).tolist()
            row[name] = dict(zip(("median", "low", "high"), quartiles, strict=True))
        if "steps_per_second" in row:
            # The peak is the best of all rounds.
            peak = row["peak_gigaflops"] = max(a.get("peak_gigaflops", 0) for a in self._answers)
            reached = row["step_gigaflop"] * row["steps_per_second"]["median"]
            row["peak_share"] = reached / peak
        return row

    def end(self) -> None:
        """Ends the process."""
        self._process.kill()
        # Closing its input flushes words that a dead process has not read.
        with contextlib.suppress(OSError), self._process:
            pass
        self._errors.close()

    def _failure_text(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        how = f"ended by signal {-code}, perhaps for lack of memory" if code < 0 else last
        return how or f"ended with code {code}"


def _fastest(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Returns the configuration that trains on the most images per second."""
    measured = [row for row in rows if "steps_per_second" in row]
    if not measured:
        return None
    rates = [row["images_per_step"] * row["steps_per_second"]["median"] for row in measured]
    row, rate = measured[int(np.argmax(rates))], max(rates)
    names = ("backend", "batch_size", "precision")
    return {**{name: row[name] for name in names}, "images_per_second": rate}
