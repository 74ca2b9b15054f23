"""Makes a run longer than it was planned."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_devae.checks import at_least
from keras_devae.errors import UsageError
from keras_devae.files import is_there, write_json
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.options import RATE, STEPS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.stopping import watch_of

if TYPE_CHECKING:
    from keras_devae.data import Dataset


def extended_config(
    folder: RunDirectory,
    config: RunConfig,
    steps: int | None = None,
    epochs: int | None = None,
    dataset: Dataset | None = None,
) -> RunConfig:
    """Returns the configuration of a run with another length, without changing anything.

    Options of the model that scaled with the length when the run began stay as they were.

    Args:
        folder: The run's folder.
        config: Its configuration.
        steps: Steps in total, or `None`.
        epochs: In place of steps, passes through the data set in total, or `None`.
        dataset: Its images; without them, `epochs` changes nothing yet.

    Raises:
        UsageError: If the run cannot be trained further.
    """
    if steps is None and epochs is None:
        return config
    if steps is not None and epochs is not None:
        raise UsageError(
            "`steps` and `epochs` are two ways to state the length of a run: leave one of them "
            f"out. Received: steps={steps}, epochs={epochs}."
        )
    for name, number in (("steps", steps), ("epochs", epochs)):
        if number is not None:
            at_least(name, number, 1)
    _check_extensible(folder, config)
    if epochs is not None:
        if dataset is None:
            return config
        steps = config.steps_for(dataset, epochs)
    assert steps is not None
    _check_longer(folder, config, steps, epochs)
    together = config.compute.steps_per_execution
    return config.replace(steps=steps, steps_per_execution=together and math.gcd(together, steps))


def _check_extensible(folder, config):
    """Checks what does not depend on the new length."""
    path = folder.path
    if MODEL_CATALOGUE[config.model.name].fitted or config.kind != "training":
        raise UsageError(f"{path} cannot be trained for longer. Begin a new run instead.")
    last = folder.checkpoint_file(folder.last_step(config))
    if folder.is_trained() and not last.is_file():
        raise UsageError(
            f"{path} cannot be trained for longer: its last checkpoint, {last}, is missing."
        )
    if any((place / "study.json").is_file() for place in Path(path).parents[:2]):
        raise UsageError(
            f"{path} belongs to a study, which knows its runs by their settings. Change `steps` in "
            "the study's file instead."
        )


def _check_longer(folder, config, steps, epochs):
    """Checks the new length, which may be below the plan only where training stopped early."""
    planned, done = config.training.steps, folder.last_step(config)
    least = min(done + 1, planned)
    if steps < least:
        what = f"The run has {planned:,} steps" if least == planned else f"{done:,} steps are done"
        received = steps if epochs is None else f"epochs={epochs}, which are {steps} steps"
        raise UsageError(f"{what}: `steps` must be at least {least}. Received: {received}.")


def describe_extension(config: RunConfig) -> str:
    """Says in one line what happens to the schedules of a run that was made longer."""
    options = MODEL_CATALOGUE[config.model.name].options
    parts = [
        f"{name} holds at {config.model.options[name]:g}, as set at the start"
        for name, option in options.items()
        if {STEPS, RATE} & set(option.scales)
    ]
    if config.training.learning_rate_schedule == "cosine":
        parts.insert(0, "learning_rate is rescaled to the cosine of this length")
    return f"to {config.training.steps:,} steps: " + (
        "; ".join(parts) or "no schedule depends on the length"
    )


def extend(
    folder: RunDirectory,
    config: RunConfig,
    steps: int | None,
    epochs: int | None,
    dataset: Dataset,
) -> RunConfig:
    """Records the new length of a claimed run, and removes what belongs to the shorter one.

    A run that has stopped early is trained further even if its planned length stays. Arguments are
    as for `extended_config`, which is done already as far as steps go; returns its result.
    """
    if epochs is not None:
        config = extended_config(folder, config, None, epochs, dataset)
    if steps is not None or epochs is not None:
        _record(folder, config)
    return config


def _record(folder, config):
    record = folder.read_record()
    before = record["settings"]["training"]["steps"]
    last = record.get("ended", {}).get("step", before)
    stopped = is_there(folder.model_file) and _stops(folder, config, last)
    if config.training.steps == before and not (stopped and last < before):
        return
    if stopped:
        record["continued_from"] = last
    record.pop("ended", None)
    # The configuration is last: if this is interrupted, the shorter run is finished anew from its
    # last checkpoint.
    for file in (folder.report_file, folder.metrics_file, folder.model_file):
        file.unlink(missing_ok=True)
    record["settings"]["training"]["steps"] = config.training.steps
    record["settings"]["compute"]["steps_per_execution"] = config.compute.steps_per_execution
    write_json(folder.config_file, record, durable=True)


def _stops(folder, config, step):
    """Tells whether early stopping would end the longer run at a step."""
    watch = watch_of(config, folder.read_record().get("continued_from", 0))
    if watch is None:
        return False
    return watch.stops(watch.seen(folder, history_until(folder, config, step), step))


def history_until(folder: RunDirectory, config: RunConfig, step: int) -> list[dict[str, Any]]:
    """Returns the rows of the history with which training continues at a step.

    A shorter run may have ended, with a row, within what is an epoch of the longer one; if the
    epoch can be continued, it gets its row at its end.
    """
    rows = [row for row in folder.read_history() if row["step"] <= step]
    is_within = step % config.training.checkpoint_every and step < config.training.steps
    if is_within and folder.begun_epoch_file(step).is_file():
        rows = [row for row in rows if row["step"] < step]
    return rows
