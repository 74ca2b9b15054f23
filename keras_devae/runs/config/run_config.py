"""Everything that defines a training run."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typing_extensions

from keras_devae import checks, data, metrics
from keras_devae.errors import UsageError
from keras_devae.models.catalogue import (
    MODEL_CATALOGUE,
    check_options,
    default_options,
    training_of,
)
from keras_devae.models.network_names import check_module_exists, is_function_name
from keras_devae.presets.finding import in_place_of_run, is_address, is_builtin
from keras_devae.runs.config.forms import declarations, grouped, ungrouped
from keras_devae.runs.config.network_settings import (
    check_networks,
    chosen_likelihood,
    chosen_network,
)
from keras_devae.runs.config.settings import (
    GROUPS,
    ComputeSettings,
    DataSettings,
    EvaluationSettings,
    ModelSettings,
    PathText,
    TrainingSettings,
    ValidationSettings,
)
from keras_devae.runs.config.training_checks import (
    check_fitted,
    check_optimization,
    check_steps_per_execution,
)
from keras_devae.runs.config.validation import validated
from keras_devae.runs.stopping import check_watching
from keras_devae.runs.tracking import check_measured
from keras_devae.runs.validation import split

if TYPE_CHECKING:
    from keras_devae.data.dataset import Dataset

_PATHS = frozenset(n for n, declared in declarations().items() if declared.value_type == PathText)
#: What a run may be.
KINDS = ("training", "annealing test")


@dataclasses.dataclass(frozen=True, init=False)
class RunConfig:
    """The settings of a run, complete enough to repeat it.

    They are given side by side, by the names of the options of `keras-devae train`, and read group
    by group: `data`, `model`, `training`, `compute`, `evaluation` and `validation`. Each is
    declared in `keras_devae.runs.config.settings`. `kind` is what the run is, one of `KINDS`.

    Example:
        >>> config = RunConfig(model="beta_vae", model_options={"beta": 4}, steps=100)
        >>> config.model.name, config.training.steps
        ('beta_vae', 100)
    """

    data: DataSettings
    model: ModelSettings
    training: TrainingSettings
    compute: ComputeSettings
    evaluation: EvaluationSettings
    validation: ValidationSettings
    kind: str

    def __init__(self, *, kind: str = "training", **settings: Any) -> None:
        """Creates a configuration; settings that are left out have their defaults.

        Args:
            kind: What the run is, one of `KINDS`; default `"training"`.
            **settings: Settings by name; `model_options` is the dictionary of the model's options.
                Settings that belong to the model's method, such as its optimizer, have the
                method's value by default.

        Raises:
            UsageError: If a setting is unknown, of the wrong type or out of range.
        """
        for name in settings:
            checks.one_of("setting", name, declarations())
        own = training_of(settings.get("model"), settings.get("optimizer"))
        settings = {**own, **settings}
        listed = {n: tuple(v) if isinstance(v, list) else v for n, v in settings.items()}
        for group, values in grouped(validated(_settings_type(), listed)).items():
            object.__setattr__(self, group, GROUPS[group](**values))
        object.__setattr__(self, "kind", checks.one_of("kind of run", kind, KINDS))
        self._check_paths()
        options = check_options(self.model.name, self.model.options)
        check_measured(self.evaluation, MODEL_CATALOGUE[self.model.name], has_factors=True)
        object.__setattr__(self, "model", dataclasses.replace(self.model, options=options))
        if MODEL_CATALOGUE[self.model.name].fitted:
            check_fitted(self.model, self.training, self.compute)
        check_networks(self.model)
        check_optimization(self.training)
        check_steps_per_execution(self.training, self.compute)
        check_watching(self)

    def _check_paths(self):
        paths = {
            n: v for n, v in self.to_dict().items() if declarations()[n].value_type == PathText
        }
        dataset = self.data.dataset
        for name, path in {**paths, "dataset": dataset.partition(":")[2] or dataset}.items():
            if path is not None:
                checks.path_of(name, path)

    def resolved(self, dataset: Dataset) -> RunConfig:
        """Returns the configuration with everything that depends on the data set filled in.

        Raises:
            UsageError: If a metric needs factors that the data set lacks, or that do not vary.

        Warns:
            MetricWarning: If metrics that nobody named are left out, because no factor varies.
        """
        declaration = MODEL_CATALOGUE[self.model.name]
        fitted, has_factors = declaration.fitted, dataset.factor_names is not None
        check_measured(self.evaluation, declaration, has_factors)
        chosen = metrics.resolved_names(
            self.evaluation.metrics, has_factors=has_factors, **declaration.metric_inputs
        )
        chosen = self._with_varying_factors(chosen, dataset)
        self._check_pairs(dataset)
        steps = self.steps_for(dataset)
        length = {"steps": steps, "epochs": None}
        if fitted:  # In one go.
            length = {"steps": 1, "checkpoint_every": 1, "steps_per_execution": 1}
        # The names of official and rendered images are sources; names of files are not.
        source = dataset.provenance["source"]
        return self.with_absolute_paths().replace(
            **length,
            source=source if source in data.SOURCES else self.data.source,
            model_options={
                **default_options(self.model.name, dataset.image_shape, steps),
                **self.model.options,
            },
            network=chosen_network(self.model, dataset.image_shape),
            likelihood=chosen_likelihood(self.model, dataset.image_shape),
            image_size=dataset.image_shape[:2],
            channels=dataset.provenance.get("channels", 3) if source == "folder" else None,
            metrics=chosen,
        )

    def _check_pairs(self, dataset):
        """Checks that a model that takes pairs finds some in the data set."""
        if not MODEL_CATALOGUE[self.model.name].takes_pairs:
            return
        from keras_devae.data.partners import check_pairs

        defaults = MODEL_CATALOGUE[self.model.name].defaults
        check_pairs(dataset, {**defaults, **self.model.options}["changed_factors"])

    def steps_for(self, dataset: Dataset, epochs: int | None = None) -> int:
        """Returns the number of training steps; a last batch that is not full counts as one.

        `epochs` are passes through the data set, by default as in the settings.
        """
        epochs = epochs or self.training.epochs
        if epochs is None:
            return self.training.steps
        return math.ceil(epochs * len(dataset) / self.training.batch_size)

    def _with_varying_factors(self, chosen, dataset):
        """Returns the metrics for which some factor varies; refuses others that were named."""
        if dataset.factor_names is None:
            return chosen
        # Imported late, so that what is refused earlier is refused at once.
        from keras_devae.metrics.rows import check_factors_vary, factors_vary

        seen = (dataset, self.evaluation.images, self.training.seed)
        named = self.evaluation.metrics not in (None, ("all",))
        tracked = [name for name in self.evaluation.track if name in metrics.METRICS]
        check_factors_vary(tracked, *seen, chosen=True, argument="evaluation_images")
        read = [name for name in self.evaluation.track if name.endswith("information")]
        if read and not factors_vary(dataset):
            raise UsageError(
                f"Cannot track {', '.join(read)}: no factor has more than one value in "
                f"{dataset.description}. Give each factor more than one value."
            )
        return check_factors_vary(chosen, *seen, chosen=named, argument="evaluation_images")

    if not TYPE_CHECKING:  # Type checkers should see only the groups.

        def __getattr__(self, name: str) -> Any:
            """Returns a setting by the name that it had as an attribute in version 0.1.0."""
            declared = declarations().get(name)
            if declared is None or name in GROUPS:
                raise AttributeError(f"'RunConfig' object has no attribute {name!r}")
            place = f"{declared.group}.{declared.attribute}"
            message = f"`RunConfig.{name}` is deprecated; read `RunConfig.{place}` instead."
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            return getattr(getattr(self, declared.group), declared.attribute)

    def with_absolute_paths(self) -> RunConfig:
        """Returns a copy whose paths are valid from any working directory."""
        given = self.to_dict()
        paths = {n: given[n] for n in _PATHS if given[n] is not None}
        named = {"dataset": self.data.dataset, "validation_dataset": self.validation.dataset}
        return self.replace(
            **{name: _absolute(path) for name, path in paths.items()},
            **{name: _absolute_name(value) for name, value in named.items()},
            variants=data.variants.canonical(self.data.variants),
        )

    def replace(self, **settings: Any) -> RunConfig:
        """Returns a copy in which some settings have other values."""
        return RunConfig(kind=self.kind, **{**self.to_dict(), **settings})

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as a flat, JSON-serializable dictionary."""
        return ungrouped({group: dataclasses.asdict(getattr(self, group)) for group in GROUPS})

    def to_nested(self) -> dict[str, Any]:
        """Returns the settings group by group, and the `kind`, as `config.json` has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> RunConfig:
        """Rebuilds a configuration from `to_dict`; raises a `UsageError` if it is invalid."""
        if not isinstance(settings, dict):
            raise UsageError(f"Settings must be a table. Received: {checks.shown(settings)}.")
        return cls(**settings)

    @classmethod
    def from_nested(cls, settings: dict[str, Any]) -> RunConfig:
        """Rebuilds a configuration from `to_nested`, see `from_dict`."""
        groups = {name: part for name, part in settings.items() if name != "kind"}
        return cls(kind=settings.get("kind", KINDS[0]), **ungrouped(groups))


@functools.cache
def _settings_type():
    """Returns the type of all settings side by side, none of which has to be there."""
    hints = {name: declared.type for name, declared in declarations().items()}
    kind = typing_extensions.TypedDict("Settings", hints, total=False)  # type: ignore[misc]
    kind.__pydantic_config__ = {"allow_inf_nan": False}
    return kind


def _absolute(path):
    path = in_place_of_run(path)
    if is_address(path) or is_builtin(path):
        return path
    return str(Path(path).expanduser().resolve())


def _absolute_name(dataset):
    """Returns the name of a data set with its path, if it has one, made absolute."""
    kind, colon, path = (dataset or "").partition(":")
    return f"{kind}:{_absolute(path)}" if colon else dataset


def outlined_steps(config: RunConfig) -> int:
    """Returns the number of training steps, without reading images."""
    if config.training.epochs is None:
        return config.training.steps
    return config.steps_for(data.outline(config.data.dataset, **_loading(config)))


def check_before_loading(config: RunConfig) -> None:
    """Checks a new run as far as its settings and the headers of its files allow.

    It raises a `UsageError` if they do not fit together, a `FailureError` if a file is damaged.
    """
    if is_function_name(config.model.network):
        check_module_exists(config.model.network)
    with warnings.catch_warnings():
        # The same warnings come with the images.
        warnings.simplefilter("ignore")
        outline = data.outline(config.data.dataset, **_loading(config))
        config.resolved(_part_of(outline, config))


def load_dataset(
    config: RunConfig, fetch: bool = True, progress: Callable[[int, int, str], None] | None = None
) -> Dataset:
    """Loads the images that a run trains on, without its `validation_split`.

    Arguments and errors are as for `keras_devae.data.load`.
    """
    loading = {**_loading(config), "fetch": fetch, "progress": progress}
    key = str(config.data)
    if _loaded is None or key not in _loaded:
        dataset = data.load(config.data.dataset, **loading)
        if _loaded is None:
            return _part_of(dataset, config)
        _loaded[key] = dataset
    return _part_of(_loaded[key], config)


#: Settings -> the data set loaded with them; `None` outside of `loading_once`.
_loaded: dict[str, Dataset] | None = None


@contextlib.contextmanager
def loading_once() -> Iterator[None]:
    """Lets runs with the same data set share it, inside a `with` block."""
    global _loaded
    _loaded = {}
    try:
        yield
    finally:
        _loaded = None


def _part_of(dataset, config):
    share = config.validation.split
    return dataset if share is None else split(dataset, share, config.training.seed)


def _loading(config):
    """Returns the arguments of `keras_devae.data.load` and `outline` besides the name."""
    arguments = dataclasses.asdict(config.data)
    del arguments["dataset"]
    return arguments
