"""The settings of a run that say what is measured, and on which images held out."""

import dataclasses
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from keras_devae.runs.config.declaring import Check, setting
from keras_devae.runs.config.value_types import Count, PathText


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """What is measured while training and at the end."""

    metrics: (
        Annotated[tuple[str, ...], Check("keras_devae.metrics:check_names", has_factors=True)]
        | None
    ) = setting(
        None,
        "Metrics to compute, comma-separated, or all; `keras-devae metrics` lists them.",
        "mig, active_variables, kl, reconstruction_error",
        changes_result=False,
    )
    metric_preset: Annotated[str, Check("keras_devae.metrics:check_settings")] = setting(
        "paper",
        "Settings of the metrics: paper, as published, or fast, with fewer samples.",
        metavar="NAME",
        name="metric_settings",
    )
    images: Annotated[int, Ge(2), Lt(2**63)] = setting(
        10_000, "Number of images to compute the metrics on.", name="evaluation_images"
    )
    track: Annotated[
        tuple[str, ...], Check("keras_devae.runs.tracking:check_tracked", has_factors=True)
    ] = setting(
        (),
        "What to measure during training, comma-separated: names of metrics, information, "
        "sampled-information, kl, traversal or speed.",
        metavar="NAMES",
        changes_result=False,
    )
    track_every: Count = setting(
        1000, "Steps between the measurements of --track.", changes_result=False
    )
    tensorboard: bool = setting(
        False, "Also log losses and measurements to TensorBoard.", changes_result=False
    )
    mlflow: bool = setting(
        False, "Also log losses and measurements to MLflow.", changes_result=False
    )
    wandb: bool = setting(
        False, "Also log losses and measurements to Weights & Biases.", changes_result=False
    )


@dataclasses.dataclass(frozen=True)
class ValidationSettings:
    """Images held out, the best checkpoint and early stopping."""

    split: Annotated[float, Gt(0), Lt(1)] | None = setting(
        None, "Fraction of the images to hold out.", "none", "FRACTION", name="validation_split"
    )
    dataset: str | None = setting(
        None,
        "Other images to validate on, written as for --dataset.",
        name="validation_dataset",
        metavar="NAME",
    )
    factors_file: PathText | None = setting(
        None,
        "Factors of the validation images, a CSV or .npy file.",
        "",
        "FILE",
        name="validation_factors_file",
    )
    monitor: str | None = setting(
        None,
        "Loss or tracked score that decides on the best checkpoint, early stopping and plateau.",
        "val_loss if images are held out, else loss",
        "NAME",
        needs_training=True,
    )
    save_best: bool = setting(
        False, "Keep the best checkpoint as the model instead of the last one.", needs_training=True
    )
    early_stopping: Count | None = setting(
        None,
        "Stop after this many measurements without improvement.",
        "never",
        "COUNT",
        needs_training=True,
    )
