"""The settings of a run, each declared once: type, range, default, help and what it changes.

Whatever else knows of settings follows from here: the options of `train`, the checks of a
configuration, the keys of studies, the groups of a comparison and the table in a report.
"""

import dataclasses
import functools
import types
import typing
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from keras_devae.checks import MOST_UNITS, expanded_path, shown, widths
from keras_devae.errors import UsageError, unknown_name
from keras_devae.models.declarations import LIKELIHOOD_NAMES
from keras_devae.runs.config.declaring import Check, Setting, one_of_names

#: Most precise to least; the second and third beside weights in float32.
PRECISIONS = ("off", "float16", "bfloat16")


def _path(name, value):
    expanded_path(f"`{name}`", value)


def _dataset(name, value):
    _path(name, value.partition(":")[2] or value)


def _sources():
    from keras_devae import data

    return data.SOURCES


def _variants(name, value):
    from keras_devae import data

    data.variants.check(value)


def _distributions():
    from keras_devae.backend.replicas import DISTRIBUTIONS

    return DISTRIBUTIONS


def _backends():
    from keras_devae.backend import BACKENDS

    return BACKENDS


def _metrics(name, value):
    from keras_devae import metrics

    metrics.check_names(value, has_factors=True)


def _metric_settings(name, value):
    from keras_devae import metrics

    metrics.check_settings(value)


def _tracked(name, value):
    from keras_devae.runs.tracking import check_tracked

    check_tracked(value, has_factors=True)


#: A number of steps, images and the like, which 64 bits hold.
Count = Annotated[int, Ge(1), Lt(2**63)]
#: A number above 0; all numbers are finite.
Positive = Annotated[float, Gt(0)]
#: The path of a file or folder.
PathText = Annotated[str, Check(_path)]


@dataclasses.dataclass(frozen=True)
class DataSettings:
    """The images and their factors."""

    dataset: Annotated[
        str,
        Check(_dataset),
        Setting("See `keras-devae data list`; or npz:PATH, npy:PATH, folder:PATH."),
    ] = "shapes3d"
    source: Annotated[
        str, one_of_names("source", _sources), Setting("auto, official or rendered.")
    ] = "auto"
    data_dir: Annotated[
        PathText | None,
        Setting("Folder of the prepared data sets.", metavar="FOLDER", changes_result=False),
    ] = None
    image_size: Annotated[
        int | None, Setting("Height and width in pixels: 32, 64 or 128 for rendered data sets.")
    ] = None
    drop_duplicate_orientation: Annotated[
        bool, Setting("Leave out the 40th orientation of dSprites, which repeats the first.")
    ] = False
    factors: Annotated[
        tuple[str, ...] | None,
        Setting(
            "Factors that vary, and NAME=VALUE to hold others, with commas.", "all vary", "NAMES"
        ),
    ] = None
    variants: Annotated[
        tuple[str, ...],
        Check(_variants),
        Setting(
            "Variant of the data set, e.g. noise or subset:1000; repeatable. See the README.",
            metavar="VARIANT",
            option="--variant",
            repeatable=True,
        ),
    ] = ()
    factors_file: Annotated[
        PathText | None, Setting("Factors of your own images: CSV or .npy.", metavar="FILE")
    ] = None
    bins: Annotated[
        dict[str, int] | None,
        Setting(
            "Bins for continuous factors of your own images, with commas.", metavar="NAME=COUNT"
        ),
    ] = None
    skip_damaged: Annotated[bool, Setting("Leave out damaged images of a folder.")] = False


@dataclasses.dataclass(frozen=True)
class ModelSettings:
    """The model with its networks."""

    name: Annotated[str, Setting("See `keras-devae models`.", name="model")] = "devae"
    options: Annotated[
        dict[str, Any], Setting("Options of the model.", name="model_options", option="")
    ] = dataclasses.field(default_factory=dict)
    latent_dim: Annotated[int, Ge(1), Le(MOST_UNITS), Setting("Number of latent dimensions.")] = 10
    network: Annotated[
        str | None, Setting("convolutional or mlp.", "convolutional", needs_training=True)
    ] = None
    likelihood: Annotated[
        str | None,
        one_of_names("likelihood", lambda: LIKELIHOOD_NAMES),
        Setting("bernoulli or gaussian.", "by the number of channels", needs_training=True),
    ] = None
    network_units: Annotated[
        tuple[int, ...] | None,
        Check(widths),
        Setting("Widths of the hidden layers of mlp, with commas.", "1200,1200", "NUMBERS"),
    ] = None
    likelihood_sigma: Annotated[
        Positive | None,
        Setting("Standard deviation of gaussian pixels.", "the plain squared error"),
    ] = None


@dataclasses.dataclass(frozen=True)
class TrainingSettings:
    """How the model is trained."""

    batch_size: Annotated[Count, Setting("Batch size.", needs_training=True)] = 64
    steps: Annotated[Count, Setting("Training steps in total.", needs_training=True)] = 20_000
    learning_rate: Annotated[Positive, Setting("Adam learning rate.", needs_training=True)] = 1e-4
    seed: Annotated[
        int,
        Ge(0),
        Le(2**32 - 1),
        Setting("Seed of weights, noise, layer draws, data order and evaluation."),
    ] = 0
    checkpoint_every: Annotated[
        Count,
        Setting("Steps between checkpoints and rows of the history.", changes_result=False),
    ] = 500
    keep: Annotated[
        Count,
        Setting("Number of checkpoints to keep, the newest ones.", changes_result=False),
    ] = 2


@dataclasses.dataclass(frozen=True)
class ComputeSettings:
    """What the run computes with; none of it changes what is computed, up to rounding."""

    resident: Annotated[
        bool | None,
        Setting(
            "Keep the whole data set on the device.",
            "on an accelerator, if it fits",
            changes_result=False,
        ),
    ] = None
    steps_per_execution: Annotated[
        Count | None,
        Setting(
            "Steps per compiled call; must divide the other step counts.",
            "by device",
            changes_result=False,
        ),
    ] = None
    jit_compile: Annotated[
        bool | None, Setting("Compile with XLA.", "by device", changes_result=False)
    ] = None
    mixed_precision: Annotated[
        str | None,
        one_of_names("mixed precision", lambda: PRECISIONS),
        Setting(
            "off, float16 or bfloat16.",
            "float16 on a GPU; on TensorFlow, bfloat16 on a CPU with instructions for it; else off",
        ),
    ] = None
    deterministic: Annotated[
        bool, Setting("Compute the same bits every time, if slower.", changes_result=False)
    ] = False
    distribute: Annotated[
        str | None,
        one_of_names("distribution", _distributions),
        Setting("data-parallel: train on all devices.", "on one", changes_result=False),
    ] = None
    backend: Annotated[
        str | None,
        one_of_names("backend", _backends),
        Setting("tensorflow, jax or torch.", "the active one", option="", changes_result=False),
    ] = None


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """What is measured while training and at the end."""

    metrics: Annotated[
        tuple[str, ...] | None,
        Check(_metrics),
        Setting(
            "Names with commas, or all.",
            "mig, active_variables, kl, reconstruction_error",
            changes_result=False,
        ),
    ] = None
    metric_settings: Annotated[
        str, Check(_metric_settings), Setting("paper or fast.", metavar="NAME")
    ] = "paper"
    images: Annotated[
        int,
        Ge(2),
        Lt(2**63),
        Setting("Number of images for the metrics.", name="evaluation_images"),
    ] = 10_000
    track: Annotated[
        tuple[str, ...],
        Check(_tracked),
        Setting(
            "Measure while training: names of metrics, information, sampled-information, kl, "
            "traversal or speed, with commas.",
            metavar="NAMES",
            changes_result=False,
        ),
    ] = ()
    track_every: Annotated[
        Count, Setting("Steps between these measurements.", changes_result=False)
    ] = 1000
    tensorboard: Annotated[
        bool, Setting("Also write them for TensorBoard.", changes_result=False)
    ] = False


#: Attribute of a `RunConfig` -> its class.
GROUPS = {
    "data": DataSettings,
    "model": ModelSettings,
    "training": TrainingSettings,
    "compute": ComputeSettings,
    "evaluation": EvaluationSettings,
}


@dataclasses.dataclass(frozen=True)
class Declaration:
    """A declared setting.

    Attributes:
        name: What users call it.
        group: Name of the group that it belongs to.
        attribute: Its name within the group.
        type: Its type, with all that it is annotated with.
        default: Its default.
        setting: The `Setting` that it is annotated with.
    """

    name: str
    group: str
    attribute: str
    type: Any
    default: Any
    setting: Setting

    @property
    def value_type(self) -> Any:
        """Its type where it is given: without `None` and ranges; paths are `PathText`."""
        kind = self.type.__origin__
        if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
            (kind,) = (part for part in typing.get_args(kind) if part is not types.NoneType)
        is_range = typing.get_origin(kind) is Annotated and kind != PathText
        return kind.__origin__ if is_range else kind

    @property
    def default_text(self) -> str:
        """Its default in words, empty where there is nothing to say."""
        if self.setting.default_help or self.default in (None, (), {}) or self.default is False:
            return self.setting.default_help
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


@functools.cache
def declarations() -> dict[str, Declaration]:
    """Returns every declared setting by the name that users give it, the model first."""
    found = {}
    for group, cls in GROUPS.items():
        hints, defaults = typing.get_type_hints(cls, include_extras=True), cls()
        for field in dataclasses.fields(cls):
            hint, default = hints[field.name], getattr(defaults, field.name)
            (setting,) = (part for part in hint.__metadata__ if isinstance(part, Setting))
            name = setting.name or field.name
            found[name] = Declaration(name, group, field.name, hint, default, setting)
    return {"model": found["model"], "model_options": found["model_options"], **found}


def grouped(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Turns settings side by side into those of each group.

    Args:
        settings: Values by the names that users give them.

    Returns:
        The values of every group, by attribute.

    Raises:
        UsageError: If a name is unknown.
    """
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for name, value in settings.items():
        if name not in declarations():
            raise unknown_name("setting", name, declarations())
        declared = declarations()[name]
        groups[declared.group][declared.attribute] = value
    return groups


def ungrouped(groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Turns the settings of each group into settings side by side, see `grouped`."""
    names = {(d.group, d.attribute): name for name, d in declarations().items()}
    settings = {}
    for group, values in groups.items():
        if group not in GROUPS:
            raise unknown_name("group of settings", group, GROUPS)
        if not isinstance(values, dict):
            raise UsageError(f"`{group}` must be a table. Received: {shown(values)}.")
        for attribute, value in values.items():
            if (group, attribute) not in names:
                raise unknown_name(
                    f"{group} setting", attribute, [a for g, a in names if g == group]
                )
            settings[names[group, attribute]] = value
    return {name: settings[name] for name in declarations() if name in settings}
