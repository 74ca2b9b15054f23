"""Measurements taken while a run trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from keras_devae import metrics
from keras_devae.checks import require_extra
from keras_devae.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from keras_devae.data import Dataset
    from keras_devae.models.declarations import ModelDeclaration
    from keras_devae.runs.config.run_config import RunConfig
    from keras_devae.runs.config.settings import EvaluationSettings
    from keras_devae.runs.folder import RunDirectory

#: What can be tracked besides metrics.
TRACKED = ("information", "sampled-information", "kl", "traversal", "speed")
_NEED_POSTERIOR, _NEED_DECODER = ("sampled-information", "kl"), ("traversal",)


def check_tracked(
    names: Iterable[str],
    has_factors: bool,
    has_posterior: bool = True,
    has_images: bool = True,
    samples_posterior: bool = False,
) -> None:
    """Checks that names are among `TRACKED` or the metrics, and can be measured.

    The flags are as in `keras_devae.metrics.check_names`.

    Raises:
        UsageError: If a name is unknown, or needs ground-truth factors that the data set lacks, or
            a posterior or a decoder that the model lacks.
    """
    for name in names:
        if name not in TRACKED and name not in metrics.METRICS:
            raise unknown_name("thing to track", name, {*TRACKED, *metrics.METRICS})
    for what, is_there, needing in (
        ("posterior", has_posterior or samples_posterior, _NEED_POSTERIOR),
        ("decoder", has_images, _NEED_DECODER),
    ):
        refused = [name for name in names if name in needing and not is_there]
        if refused:
            raise UsageError(f"Cannot track {', '.join(refused)}: the model has no {what}.")
    # Information about factors needs what MIG needs.
    needed = ["mig" if name.endswith("information") else name for name in names]
    scores = [name for name in needed if name in metrics.METRICS]
    metrics.check_names(scores, has_factors, has_posterior, has_images, samples_posterior)


def check_measured(
    evaluation: EvaluationSettings, declaration: ModelDeclaration, has_factors: bool
) -> None:
    """Checks that a model has what metrics and tracked measurements need, see `check_tracked`."""
    present = {"has_factors": has_factors, **declaration.metric_inputs}
    if evaluation.metrics is not None:
        metrics.check_names(evaluation.metrics, **present)
    check_tracked(evaluation.track, **present)


def check_live_curves(config: RunConfig) -> None:
    """Checks that the packages are there that show a run while it trains, if it asks for them.

    Raises:
        UsageError: If one is not installed.
    """
    wanted = config.evaluation
    if wanted.tensorboard:
        require_extra("Writing for TensorBoard", "tensorboardX", "tensorboard")
    if wanted.mlflow:
        require_extra("Logging to MLflow", "mlflow", "mlflow")
    if wanted.wandb:
        require_extra("Logging to Weights & Biases", "wandb", "wandb")


def tracking_callbacks(
    config: RunConfig,
    run: RunDirectory,
    dataset: Dataset,
    start_step: int = 0,
    held_out: Dataset | None = None,
    loggers: Sequence[Callable[[str, dict[str, Any]], None]] = (),
) -> list[Any]:
    """Creates the Keras callbacks that measure a run and write to its folder `tracking`.

    Metrics are also computed on the images `held_out`, if any. Each of the `loggers` is called with
    the name of a callback and a row that it measured.
    """
    from keras_devae import callbacks

    kinds = {
        "information": callbacks.InformationCallback,
        "sampled-information": callbacks.SampledInformationCallback,
        "kl": callbacks.KLCallback,
        "traversal": callbacks.TraversalCallback,
    }
    common: dict[str, Any] = {
        "every_steps": config.evaluation.track_every,
        "directory": run.tracking,
        "tensorboard": run.tracking / "tensorboard" if config.evaluation.tensorboard else None,
    }
    seen = {**common, "seed": config.training.seed}
    made = [kinds[name](dataset, **seen) for name in config.evaluation.track if name in kinds]
    scored = [name for name in config.evaluation.track if name not in TRACKED]
    if scored:
        images = config.evaluation.images
        made.append(
            callbacks.MetricsCallback(
                dataset, scored, images=images, validation_dataset=held_out, **seen
            )
        )
    if "speed" in config.evaluation.track:
        made.append(callbacks.SpeedCallback(**common))
    for callback in made:
        callback.start_step, callback.loggers = start_step, loggers
    return made


def scores_at(tracked: Iterable[Any], step: int) -> dict[str, float]:
    """Returns the scores that the callbacks of `tracking_callbacks` measured at a step, if any."""
    return {
        name: float(value)
        for callback in tracked
        if callback.name == "metrics"
        for row in callback.rows
        if row["step"] == step and not row["layer"]
        for name, value in row.items()
        if name not in ("step", "layer")
    }
