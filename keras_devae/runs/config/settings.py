"""The settings of a run, each declared once: options, checks and tables are derived from here."""

import dataclasses
import typing
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen

from keras_devae.checks import MOST_PARTS, MOST_UNITS
from keras_devae.data.image_sizes import ImageSize
from keras_devae.models.options import JACOBIAN_OPTIONS
from keras_devae.runs.config.declaring import Check, Convert, OneOf, setting

PRECISIONS = ("off", "float16", "bfloat16")
#: Keras's names of the optimizers that need nothing but gradients.
OPTIMIZERS = (
    *("adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion"),
    *("nadam", "rmsprop", "sgd"),
)
#: Those with a beta_1.
AVERAGING_OPTIMIZERS = ("adam", "adamax", "adamw", "lion", "nadam")
RATE_SCHEDULES = ("constant", "cosine", "plateau")

#: A number of steps, images and the like, which 64 bits hold.
Count = Annotated[int, Ge(1), Lt(2**63)]
#: Units of a layer.
Width = Annotated[int, Ge(1), Le(MOST_UNITS)]
#: A number above 0; all numbers are finite.
Positive = Annotated[float, Gt(0)]
#: The path of a file or folder.
PathText = typing.NewType("PathText", str)


def _default_and_help(name):
    """Returns what the declaration of an option of all models says."""
    option = JACOBIAN_OPTIONS[name]
    return option.default, option.help


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """The images and their factors."""

    dataset: str = setting(
        "shapes3d", "See `keras-devae data list`; or npz:PATH, npy:PATH, folder:PATH."
    )
    source: Annotated[str, OneOf("source", "keras_devae.data:SOURCES")] = setting(
        "auto", "auto, official or rendered."
    )
    data_dir: PathText | None = setting(
        None, "Folder of the prepared data sets.", metavar="FOLDER", changes_result=False
    )
    image_size: (
        Annotated[ImageSize, Convert("keras_devae.data.image_sizes:checked_size")] | None
    ) = setting(
        None,
        "Pixels per side, or HEIGHTxWIDTH: 32, 64 or 128 for rendered data sets.",
        metavar="SIZE",
    )
    drop_duplicate_orientation: bool = setting(
        False, "Leave out the 40th orientation of dSprites, which repeats the first."
    )
    factors: tuple[str, ...] | None = setting(
        None, "Factors that vary, and NAME=VALUE to hold others, with commas.", "all vary", "NAMES"
    )
    variants: Annotated[tuple[str, ...], Check("keras_devae.data.variants:check")] = setting(
        (),
        "Variant of the data set, e.g. noise or subset:1000; repeatable. See examples/datasets.md.",
        metavar="VARIANT",
        option="--variant",
        repeatable=True,
    )
    factors_file: PathText | None = setting(
        None, "Factors of your own images: CSV or .npy.", metavar="FILE"
    )
    bins: dict[str, int] | None = setting(
        None, "Bins for continuous factors of your own images, with commas.", metavar="NAME=COUNT"
    )
    skip_damaged: bool = setting(False, "Leave out damaged images of a folder.")
    factor_kinds: dict[str, str] | None = setting(
        None,
        "What factors of your own images are: classes, numbers, continuous or ignore, with commas.",
        "by their values",
        "NAME=KIND",
    )
    sequence_column: str | None = setting(
        None, "Column of the factors that says which images belong together.", metavar="NAME"
    )
    channels: Annotated[int, Ge(1), Le(MOST_UNITS)] | None = setting(
        None, "Channels of the pictures in a folder: 1 for grey, 3 for colour.", "the pictures' own"
    )
    cache: bool | None = setting(
        None,
        "Keep the decoded pictures of a folder in the data folder.",
        "yes",
        changes_result=False,
    )


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """The model with its networks."""

    name: str = setting("devae", "See `keras-devae models`.", name="model")
    options: dict[str, Any] = setting({}, "Options of the model.", name="model_options", option="")
    latent_dim: Width = setting(10, "Number of latent dimensions.")
    network: str | None = setting(
        None,
        "convolutional, mlp or residual; or MODULE:FUNCTION, a function of your own.",
        "convolutional",
        needs_training=True,
    )
    decoder: (
        Annotated[str, OneOf("decoder", "keras_devae.models.declarations:DECODER_NAMES")] | None
    ) = setting(
        None,
        "broadcast, the spatial broadcast decoder, with any network.",
        "the network's own",
        needs_training=True,
    )
    likelihood: (
        Annotated[str, OneOf("likelihood", "keras_devae.models.declarations:LIKELIHOOD_NAMES")]
        | None
    ) = setting(None, "bernoulli or gaussian.", "by the number of channels", needs_training=True)
    network_units: Annotated[tuple[Width, ...], MaxLen(MOST_PARTS)] | None = setting(
        None, "Widths of the hidden layers of mlp, with commas.", "1200,1200", "NUMBERS"
    )
    likelihood_sigma: Positive | None = setting(
        None, "Standard deviation of gaussian pixels.", "the plain squared error"
    )
    jacobian_penalty: Annotated[float, Ge(0)] = setting(
        *_default_and_help("jacobian_penalty"), "off", needs_training=True
    )
    jacobian_vectors: Annotated[int, Check("keras_devae.models.options:check_jacobian_vectors")] = (
        setting(*_default_and_help("jacobian_vectors"), needs_training=True)
    )
    jacobian_step: Positive = setting(*_default_and_help("jacobian_step"), needs_training=True)


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How the model is trained."""

    batch_size: Count = setting(64, "Batch size.", needs_training=True)
    steps: Count = setting(20_000, "Training steps in total.", needs_training=True)
    epochs: Count | None = setting(
        None,
        "Passes through the data set, in place of the number of steps.",
        needs_training=True,
    )
    optimizer: Annotated[str, OneOf("optimizer", "keras_devae.runs.config.settings:OPTIMIZERS")] = (
        setting("adam", f"One of {', '.join(OPTIMIZERS)}.", needs_training=True)
    )
    learning_rate: Positive = setting(1e-4, "Learning rate.", needs_training=True)
    learning_rate_schedule: Annotated[
        str,
        OneOf("learning-rate schedule", "keras_devae.runs.config.settings:RATE_SCHEDULES"),
    ] = setting(
        "constant",
        "constant; cosine: falls to 0 at the last step; plateau: falls while the watched value "
        "does not improve.",
        needs_training=True,
    )
    plateau_factor: Annotated[float, Gt(0), Lt(1)] = setting(
        0.1, "What plateau multiplies the learning rate by.", needs_training=True
    )
    plateau_patience: Count = setting(
        10,
        "Measurements without improvement after which plateau lowers the rate.",
        needs_training=True,
    )
    warmup_steps: Annotated[int, Ge(0), Lt(2**63)] = setting(
        0, "Steps over which the learning rate rises linearly from 0.", needs_training=True
    )
    weight_decay: Positive | None = setting(
        None,
        "Weight decay per step, times the learning rate.",
        "the optimizer's",
        needs_training=True,
    )
    beta_1: Annotated[float, Ge(0), Lt(1)] | None = setting(
        None,
        *("Decay of the average of gradients in Adam and its kin.", "the optimizer's"),
        needs_training=True,
    )
    clipnorm: Positive | None = setting(
        None, "Largest norm of each variable's gradient.", "no limit", needs_training=True
    )
    global_clipnorm: Positive | None = setting(
        None, "Largest norm of all gradients together.", "no limit", needs_training=True
    )
    clipvalue: Positive | None = setting(
        None, "Largest size of each entry of a gradient.", "no limit", needs_training=True
    )
    ema_momentum: Annotated[float, Gt(0), Lt(1)] | None = setting(
        None,
        "Momentum, such as 0.999, of an exponential moving average of the weights, which is scored "
        "and saved as the model.",
        "no average",
        needs_training=True,
    )
    ema_overwrite_frequency: Count | None = setting(
        None,
        "Steps after which the weights themselves are set to their average.",
        "never",
        needs_training=True,
    )
    init_from: PathText | None = setting(
        None,
        "Folder of a run, .keras file, or preset from which to take the initial weights that fit.",
        "new weights",
        "PATH",
        needs_training=True,
    )
    seed: Annotated[int, Ge(0), Le(2**32 - 1)] = setting(
        0, "Seed of weights, noise, layer draws, data order and evaluation."
    )
    checkpoint_every: Count = setting(
        500, "Steps between checkpoints and rows of the history.", changes_result=False
    )
    keep: Count = setting(
        2, "Number of checkpoints to keep, the newest ones.", changes_result=False
    )


@dataclasses.dataclass(frozen=True)
class ComputeSettings:
    """How the run computes: devices, compilation, precision and backend."""

    resident: bool | None = setting(
        None,
        "Keep the whole data set on the device.",
        "on an accelerator, if it fits",
        changes_result=False,
    )
    steps_per_execution: Count | None = setting(
        None,
        "Steps per compiled call; must divide the other step counts.",
        "by device",
        changes_result=False,
    )
    jit_compile: bool | None = setting(None, "Compile with XLA.", "by device", changes_result=False)
    mixed_precision: (
        Annotated[str, OneOf("mixed precision", "keras_devae.runs.config.settings:PRECISIONS")]
        | None
    ) = setting(
        None,
        "off, float16 or bfloat16.",
        "float16 on a GPU; on TensorFlow, bfloat16 on a CPU with instructions for it; else off",
    )
    deterministic: bool = setting(
        False, "Compute the same bits every time, if slower.", changes_result=False
    )
    distribute: (
        Annotated[str, OneOf("distribution", "keras_devae.backend.replicas:DISTRIBUTIONS")] | None
    ) = setting(None, "data-parallel: train on all devices.", "on one", changes_result=False)
    backend: Annotated[str, OneOf("backend", "keras_devae.backend:BACKENDS")] | None = setting(
        None, "tensorflow, jax or torch.", "the active one", option="", changes_result=False
    )


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """What is measured while training and at the end."""

    metrics: (
        Annotated[tuple[str, ...], Check("keras_devae.metrics:check_names", has_factors=True)]
        | None
    ) = setting(
        None,
        "Names with commas, or all.",
        "mig, active_variables, kl, reconstruction_error",
        changes_result=False,
    )
    metric_preset: Annotated[str, Check("keras_devae.metrics:check_settings")] = setting(
        "paper", "paper or fast.", metavar="NAME", name="metric_settings"
    )
    images: Annotated[int, Ge(2), Lt(2**63)] = setting(
        10_000, "Number of images for the metrics.", name="evaluation_images"
    )
    track: Annotated[
        tuple[str, ...], Check("keras_devae.runs.tracking:check_tracked", has_factors=True)
    ] = setting(
        (),
        "Measure while training: names of metrics, information, sampled-information, kl, "
        "traversal or speed, with commas.",
        metavar="NAMES",
        changes_result=False,
    )
    track_every: Count = setting(1000, "Steps between these measurements.", changes_result=False)
    tensorboard: bool = setting(
        False, "Also write losses and measurements for TensorBoard.", changes_result=False
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
        None, "Share of the images to hold out.", "none", "SHARE", name="validation_split"
    )
    dataset: str | None = setting(
        None,
        "Other images to validate on, named as in --dataset.",
        name="validation_dataset",
        metavar="NAME",
    )
    factors_file: PathText | None = setting(
        None,
        "Factors of the validation images: CSV or .npy.",
        "",
        "FILE",
        name="validation_factors_file",
    )
    monitor: str | None = setting(
        None,
        "Loss or tracked score by which to choose the best checkpoint, to stop early, and to lower "
        "the learning rate.",
        "val_loss if images are held out, else loss",
        "NAME",
        needs_training=True,
    )
    save_best: bool = setting(
        False, "End with the best checkpoint instead of the last.", needs_training=True
    )
    early_stopping: Count | None = setting(
        None,
        "Stop after so many measurements without improvement.",
        "never",
        "COUNT",
        needs_training=True,
    )


#: Attribute of a `RunConfig` -> its class.
GROUPS = {
    "data": DataSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "compute": ComputeSettings,
    "evaluation": EvaluationSettings,
    "validation": ValidationSettings,
}
