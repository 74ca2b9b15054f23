"""The settings of a run, each declared once: options, checks and tables are derived from here."""

import dataclasses
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen

from keras_devae.checks import MOST_PARTS, MOST_UNITS
from keras_devae.data.image_sizes import ImageSize
from keras_devae.models.options import JACOBIAN_OPTIONS
from keras_devae.runs.config.declaring import Check, Convert, OneOf, setting
from keras_devae.runs.config.evaluation_settings import EvaluationSettings, ValidationSettings
from keras_devae.runs.config.value_types import Count, PathText, Positive, Width

PRECISIONS = ("off", "float16", "bfloat16")
#: Keras's names of the optimizers that need nothing but gradients.
OPTIMIZERS = (
    *("adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion"),
    *("nadam", "rmsprop", "sgd"),
)
#: Those with a beta_1.
AVERAGING_OPTIMIZERS = ("adam", "adamax", "adamw", "lion", "nadam")
RATE_SCHEDULES = ("constant", "cosine", "plateau")


def _default_and_help(name):
    """Returns what the declaration of an option of all models says."""
    option = JACOBIAN_OPTIONS[name]
    return option.default, option.help


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """The images and their factors."""

    dataset: str = setting(
        "shapes3d",
        "Data set: a name from `keras-devae data list`, or your own images as folder:PATH, "
        "npz:PATH or npy:PATH.",
    )
    source: Annotated[str, OneOf("source", "keras_devae.data:SOURCES")] = setting(
        "auto",
        "Images to use: official, the published file; rendered, drawn by this package; or auto, "
        "official if it is prepared.",
    )
    data_dir: PathText | None = setting(
        None,
        "Folder that holds the prepared data sets.",
        "KERAS_DEVAE_DATA, else the user's cache folder",
        "FOLDER",
        changes_result=False,
    )
    image_size: (
        Annotated[ImageSize, Convert("keras_devae.data.image_sizes:checked_size")] | None
    ) = setting(
        None,
        "Pixels per side, or HEIGHTxWIDTH; rendered data sets take 32, 64 or 128.",
        "the data set's own",
        "SIZE",
    )
    drop_duplicate_orientation: bool = setting(
        False, "Leave out the 40th orientation of dSprites, which looks like the first."
    )
    factors: tuple[str, ...] | None = setting(
        None,
        "Factors to vary, comma-separated; NAME=VALUE holds a factor fixed.",
        "all vary",
        "NAMES",
    )
    variants: Annotated[tuple[str, ...], Check("keras_devae.data.variants:check")] = setting(
        (),
        "Variant of the data set, e.g. noise or subset:1000; may be repeated. examples/datasets.md "
        "lists them.",
        metavar="VARIANT",
        option="--variant",
        repeatable=True,
    )
    factors_file: PathText | None = setting(
        None, "Factors of your own images, a CSV or .npy file.", metavar="FILE"
    )
    bins: dict[str, int] | None = setting(
        None,
        "Number of bins for continuous factors of your own images, comma-separated.",
        metavar="NAME=COUNT",
    )
    skip_damaged: bool = setting(False, "Skip damaged images in a folder instead of stopping.")
    factor_kinds: dict[str, str] | None = setting(
        None,
        "Kinds of the factors of your own images: classes, numbers, continuous or ignore, "
        "comma-separated.",
        "inferred from the values",
        "NAME=KIND",
    )
    sequence_column: str | None = setting(
        None,
        "Column of the factors that says which images belong together, such as frames of a video.",
        metavar="NAME",
    )
    channels: Annotated[int, Ge(1), Le(MOST_UNITS)] | None = setting(
        None,
        "Channels to read from a folder of pictures: 1 (grey) or 3 (colour).",
        "as in the pictures",
    )
    cache: bool | None = setting(
        None,
        "Keep the decoded pictures of a folder on disk, in --data-dir.",
        "yes",
        changes_result=False,
    )


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """The model with its networks."""

    name: str = setting("devae", "Model: a name from `keras-devae models`.", name="model")
    options: dict[str, Any] = setting({}, "Options of the model.", name="model_options", option="")
    latent_dim: Width = setting(10, "Number of latent dimensions.")
    network: str | None = setting(
        None,
        "Encoder and decoder: convolutional, mlp or residual, or your own function as "
        "MODULE:FUNCTION.",
        "convolutional",
        needs_training=True,
    )
    decoder: (
        Annotated[str, OneOf("decoder", "keras_devae.models.declarations:DECODER_NAMES")] | None
    ) = setting(
        None,
        "broadcast for the spatial broadcast decoder, which works with every network.",
        "the network's own",
        needs_training=True,
    )
    likelihood: (
        Annotated[str, OneOf("likelihood", "keras_devae.models.declarations:LIKELIHOOD_NAMES")]
        | None
    ) = setting(
        None,
        "Likelihood of the pixels: bernoulli or gaussian.",
        "bernoulli for one channel, else gaussian",
        needs_training=True,
    )
    network_units: Annotated[tuple[Width, ...], MaxLen(MOST_PARTS)] | None = setting(
        None,
        "Widths of the hidden layers of mlp, or channels of the convolutions of convolutional, "
        "comma-separated.",
        "1200,1200; 32,32,64,64,256 for 64x64 pixels",
        "NUMBERS",
    )
    likelihood_sigma: Positive | None = setting(
        None,
        "Standard deviation of the gaussian likelihood, for pixels from 0 to 1.",
        "none: the plain squared error",
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

    batch_size: Count = setting(64, "Images per training step.", needs_training=True)
    steps: Count = setting(20_000, "Total number of training steps.", needs_training=True)
    epochs: Count | None = setting(
        None,
        "Length of the training in passes through the data set, instead of --steps.",
        needs_training=True,
    )
    optimizer: Annotated[str, OneOf("optimizer", "keras_devae.runs.config.settings:OPTIMIZERS")] = (
        setting("adam", f"Optimizer: {', '.join(OPTIMIZERS)}.", needs_training=True)
    )
    learning_rate: Positive = setting(1e-4, "Learning rate.", needs_training=True)
    learning_rate_schedule: Annotated[
        str,
        OneOf("learning-rate schedule", "keras_devae.runs.config.settings:RATE_SCHEDULES"),
    ] = setting(
        "constant",
        "constant; cosine, falling to 0 at the last step; or plateau, falling when --monitor stops "
        "improving.",
        needs_training=True,
    )
    plateau_factor: Annotated[float, Gt(0), Lt(1)] = setting(
        0.1, "Factor by which plateau multiplies the learning rate.", needs_training=True
    )
    plateau_patience: Count = setting(
        10,
        "Measurements without improvement before plateau lowers the learning rate.",
        needs_training=True,
    )
    warmup_steps: Annotated[int, Ge(0), Lt(2**63)] = setting(
        0, "Steps in which the learning rate rises linearly from 0.", needs_training=True
    )
    weight_decay: Positive | None = setting(
        None,
        "Weight decay per step, multiplied by the learning rate.",
        "the optimizer's",
        needs_training=True,
    )
    beta_1: Annotated[float, Ge(0), Lt(1)] | None = setting(
        None,
        *("Decay rate of the average gradient in Adam and its relatives.", "the optimizer's"),
        needs_training=True,
    )
    clipnorm: Positive | None = setting(
        None, "Clip the gradient of each variable to this norm.", "no limit", needs_training=True
    )
    global_clipnorm: Positive | None = setting(
        None, "Clip all gradients together to this norm.", "no limit", needs_training=True
    )
    clipvalue: Positive | None = setting(
        None,
        "Clip each entry of a gradient to this absolute value.",
        "no limit",
        needs_training=True,
    )
    ema_momentum: Annotated[float, Gt(0), Lt(1)] | None = setting(
        None,
        "Momentum, such as 0.999, of an exponential moving average of the weights, which is scored "
        "and saved in their place.",
        "no average",
        needs_training=True,
    )
    ema_overwrite_frequency: Count | None = setting(
        None,
        "Steps between setting the weights themselves to their averages.",
        "never",
        needs_training=True,
    )
    init_from: PathText | None = setting(
        None,
        "Run folder, .keras file or preset whose weights to start from, wherever they fit.",
        "random weights",
        "PATH",
        needs_training=True,
    )
    seed: Annotated[int, Ge(0), Le(2**32 - 1)] = setting(
        0, "Random seed of weights, noise, layer draws, data order and evaluation."
    )
    checkpoint_every: Count = setting(
        500, "Steps between checkpoints, and between rows of history.csv.", changes_result=False
    )
    keep: Count = setting(
        2, "Number of checkpoints to keep; older ones are deleted.", changes_result=False
    )


@dataclasses.dataclass(frozen=True)
class ComputeSettings:
    """How the run computes: devices, compilation, precision and backend."""

    resident: bool | None = setting(
        None,
        "Keep the whole data set in the memory of the device.",
        "on an accelerator, if it fits",
        changes_result=False,
    )
    steps_per_execution: Count | None = setting(
        None,
        "Training steps per compiled call; must divide --steps and --checkpoint-every.",
        "1, or up to 100 on an accelerator",
        changes_result=False,
    )
    jit_compile: bool | None = setting(
        None, "Compile with XLA.", "depends on the device and the backend", changes_result=False
    )
    mixed_precision: (
        Annotated[str, OneOf("mixed precision", "keras_devae.runs.config.settings:PRECISIONS")]
        | None
    ) = setting(
        None,
        "Mixed precision: off, float16 or bfloat16.",
        "float16 on a GPU; bfloat16 with TensorFlow on a CPU with instructions for it; else off",
    )
    deterministic: bool = setting(
        False, "Make runs repeatable bit by bit; may be slower.", changes_result=False
    )
    distribute: (
        Annotated[str, OneOf("distribution", "keras_devae.backend.replicas:DISTRIBUTIONS")] | None
    ) = setting(None, "data-parallel to train on all devices.", "one device", changes_result=False)
    backend: Annotated[str, OneOf("backend", "keras_devae.backend:BACKENDS")] | None = setting(
        None, "tensorflow, jax or torch.", "the active one", option="", changes_result=False
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
