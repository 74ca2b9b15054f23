"""Makes a run longer than it was planned."""

from keras_devae.checks import at_least
from keras_devae.errors import UsageError
from keras_devae.files import write_json
from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.models.options import RATE, STEPS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory


def extended_config(folder: RunDirectory, config: RunConfig, steps: int | None) -> RunConfig:
    """Returns the configuration of a run with another length, without changing anything.

    What the length set when the run began stays as it was: options of the model that scale with
    it, and schedules, which hold their last value.

    Raises:
        UsageError: If the run cannot be trained further.
    """
    if steps is None:
        return config
    at_least("steps", steps, 1)
    path, before = folder.path, config.training.steps
    if MODEL_CATALOGUE[config.model.name].fitted or config.kind != "training":
        raise UsageError(f"{path} cannot be trained for longer. Begin a new run instead.")
    if config.training.learning_rate_schedule != "constant" and steps != before:
        raise UsageError(
            f"The learning rate of {path} falls to 0 at step {before}, so that more steps would "
            "change nothing. Begin a new run with more steps instead."
        )
    if steps < before:
        raise UsageError(
            f"`steps` must be at least the run's own, which is {before}. Received: {steps}."
        )
    if folder.is_trained() and not folder.checkpoint_file(before).is_file():
        raise UsageError(
            f"{path} cannot be trained for longer: its last checkpoint, "
            f"{folder.checkpoint_file(before)}, is missing."
        )
    if (path.parent / "study.json").is_file() or (path.parent.parent / "study.json").is_file():
        raise UsageError(
            f"{path} belongs to a study, which knows its runs by their settings. Change `steps` in "
            "the study's file instead."
        )
    return config.replace(steps=steps)


def held_schedules(config: RunConfig) -> list[str]:
    """Says in a line each what a longer run keeps that was set by the length at its start."""
    options = MODEL_CATALOGUE[config.model.name].options
    held = [name for name, option in options.items() if {STEPS, RATE} & set(option.scales)]
    return [
        f"learning_rate stays at {config.training.learning_rate:g}.",
        *(f"{name} stays at {config.model.options[name]:g}, as at the start." for name in held),
    ]


def extend(folder: RunDirectory, config: RunConfig) -> None:
    """Records the new length of a claimed run, and removes what belongs to the shorter one."""
    record = folder.read_record()
    before = record["settings"]["training"]["steps"]
    if config.training.steps == before:
        return
    # The configuration is last: if this is interrupted, the shorter run is finished anew from its
    # last checkpoint.
    for file in (folder.report_file, folder.metrics_file, folder.model_file):
        file.unlink(missing_ok=True)
    record["settings"]["training"]["steps"] = config.training.steps
    write_json(folder.config_file, record, durable=True)
