"""Finds the runs in a folder and lists them in a table."""

from __future__ import annotations

import logging
import os
from typing import Any

from keras_devae.checks import usable_path
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import is_there
from keras_devae.files.reading import reason_of
from keras_devae.presets.folder import PresetFolder
from keras_devae.runs.folder import RunDirectory

logger = logging.getLogger("keras_devae")


def find_runs(folder: str | os.PathLike[str]) -> list[RunDirectory]:
    """Finds the runs in a folder.

    Args:
        folder: The folder, such as `runs`.

    Returns:
        The runs, sorted by name; an empty list if there is no such folder.

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
    return [
        RunDirectory(entry)
        for entry in entries
        if is_there(entry / "config.json") and not PresetFolder.is_at(entry)
    ]


def parse_condition(text: str | None) -> dict[str, str]:
    """Parses `name=value,name=value`; empty text or `None` gives no conditions.

    Raises:
        UsageError: If a part has no equals sign.
    """
    parts = [part.split("=", 1) for part in text.split(",")] if text else []
    if any(len(part) != 2 for part in parts):
        raise UsageError(f"A filter reads name=value,name=value. Received: {text}.")
    return {name.strip(): value.strip() for name, value in parts}


def list_of_runs(
    folder: str | os.PathLike[str], condition: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Describes the runs whose settings and model options match a condition.

    Returns:
        Dictionaries of name, model, data set, seed, steps done and planned, and the scores of
        layer 0. Damaged runs are left out, with a warning.
    """
    rows = []
    for run in find_runs(folder):
        try:
            config = run.read_config()
            settings = {**config.to_dict(), **config.model.options}
            if all(_equal(settings.get(k), v) for k, v in (condition or {}).items()):
                rows.append(_row(run, config))
        except (FailureError, UsageError) as error:
            logger.warning("Leaving out the run %s: %s", run.name, error)
    return rows


def _equal(value, text):
    try:
        return value is not None and float(value) == float(text)
    except (TypeError, ValueError):
        return str(value) == text


def _row(run, config):
    from keras_devae.metrics import METRICS

    scores = run.read_metrics()
    first = next((row for row in scores["layers"] if row["layer"] == 0), {}) if scores else {}
    steps = config.training.steps
    done = (
        run.last_step(config) if run.model_file.is_file() else next(iter(run.checkpoint_steps()), 0)
    )
    return {
        "run": run.name,
        "model": config.model.name,
        "dataset": config.data.dataset,
        "seed": config.training.seed,
        "steps": f"{done}/{steps}",
        "mig": _rounded(first.get(METRICS["mig"].key())),
        "kl": _rounded(first.get(METRICS["kl"].key())),
        "active": first.get(METRICS["active_variables"].key()),
    }


def _rounded(value):
    return None if value is None else round(value, 3)
