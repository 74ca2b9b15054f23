"""Everything that defines a training run."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

from keras_devae import checks, data, metrics
from keras_devae.backend import BACKENDS
from keras_devae.backend.replicas import DISTRIBUTIONS
from keras_devae.errors import UsageError, unknown_name
from keras_devae.models.declarations import (
    LIKELIHOOD_NAMES,
    MODEL_CATALOGUE,
    NETWORK_NAMES,
    check_options,
    default_options,
)
from keras_devae.runs.config.kinds import misfit
from keras_devae.runs.config.settings import (
    GROUPS,
    ComputeSettings,
    DataSettings,
    EvaluationSettings,
    ModelSettings,
    TrainingSettings,
    declarations,
    grouped,
    ungrouped,
)
from keras_devae.runs.tracking import check_tracked

#: What a run may be.
KINDS = ("training", "annealing test")

PRECISIONS = ("off", "float16", "bfloat16")
MAX_SEED = 2**32 - 1


@dataclasses.dataclass(frozen=True, init=False)
class RunConfig:
    """The settings of a run, complete enough to repeat it.

    They are given side by side, under the names of the options of `keras-devae train`, and read
    group by group: `RunConfig(model="beta_vae", steps=100).training.steps`.

    Attributes:
        data: The `DataSettings`.
        model: The `ModelSettings`.
        training: The `TrainingSettings`.
        compute: The `ComputeSettings`.
        evaluation: The `EvaluationSettings`.
        kind: What the run is, one of `KINDS`.
    """

    data: DataSettings
    model: ModelSettings
    training: TrainingSettings
    compute: ComputeSettings
    evaluation: EvaluationSettings
    kind: str

    def __init__(self, *, kind: str = "training", **settings: Any) -> None:
        """Makes a configuration; what is left out has its default.

        Args:
            kind: What the run is, one of `KINDS`; default `"training"`.
            **settings: Settings by name, see `keras_devae.runs.config.settings`; `model_options`
                is the dictionary of the model's own options, of which `resolved` fills in what is
                missing.

        Raises:
            UsageError: If a setting is unknown, of the wrong type or out of range.
        """
        grouped(settings)
        defaults = {name: declared.default for name, declared in declarations().items()}
        for group, values in grouped(_checked({**defaults, **settings})).items():
            object.__setattr__(self, group, GROUPS[group](**values))
        object.__setattr__(self, "kind", checks.one_of("kind of run", kind, KINDS))

    def resolved(self, dataset):
        """Returns the configuration with all that depends on the data set filled in.

        Args:
            dataset: The `keras_devae.data.Dataset` that the run trains on.

        Raises:
            UsageError: If a metric needs factors that the data set lacks, or that do not vary.

        Warns:
            MetricWarning: If metrics that nobody named are left out, because no factor varies.
        """
        has_factors = dataset.factor_names is not None
        chosen = metrics.resolved_names(self.evaluation.metrics, has_factors=has_factors)
        check_tracked(self.evaluation.track, has_factors)
        chosen = self._with_varying_factors(chosen, dataset)
        fitted = MODEL_CATALOGUE[self.model.name].fitted
        binary = dataset.image_shape[-1] == 1 and not fitted
        # What is fitted in one go has one step.
        network = self.model.network or _networks(self.model.name)[0]
        if network == "convolutional":
            checks.check_convolutional_size(dataset.image_shape)
        length = {"steps": 1, "checkpoint_every": 1, "steps_per_execution": 1} if fitted else {}
        return self.replace(
            **length,
            model_options={
                **default_options(self.model.name, dataset.image_shape, self.training.steps),
                **self.model.options,
            },
            network=network,
            likelihood=self.model.likelihood or ("bernoulli" if binary else "gaussian"),
            **_pinned(self, dataset.provenance),
            image_size=dataset.image_shape[0],
            metrics=chosen,
        )

    def _with_varying_factors(self, chosen, dataset):
        """Returns the metrics for which a factor varies, and refuses others that were named."""
        if dataset.factor_names is None:
            return chosen
        # Imported where it is needed: what is refused before comes at once.
        from keras_devae.metrics.variation import check_factors_vary, factors_vary

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
        return check_factors_vary(
            chosen, *seen, chosen=named, argument="evaluation_images", stacklevel=5
        )

    def replace(self, **settings: Any) -> RunConfig:
        """Returns a copy with other values of some settings, given as to the constructor."""
        return RunConfig(kind=self.kind, **{**self.to_dict(), **settings})

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings side by side, a dictionary that `json.dump` takes."""
        return ungrouped({group: dataclasses.asdict(getattr(self, group)) for group in GROUPS})

    def to_nested(self) -> dict[str, Any]:
        """Returns the settings group by group, and the `kind`, as `config.json` has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> RunConfig:
        """Rebuilds a configuration from `to_dict`.

        Raises:
            UsageError: If a setting is unknown, of the wrong type or out of range.
        """
        if not isinstance(settings, dict):
            raise UsageError(f"Settings must be a table. Received: {checks.shown(settings)}.")
        return cls(**settings)

    @classmethod
    def from_nested(cls, settings: dict[str, Any]) -> RunConfig:
        """Rebuilds a configuration from `to_nested`, see `from_dict`."""
        groups = {name: part for name, part in settings.items() if name != "kind"}
        return cls(kind=settings.get("kind", KINDS[0]), **ungrouped(groups))


def _checked(values):
    """Returns settings, all of them and side by side, in standard form, or raises an error."""
    for name, value in values.items():
        sentence = misfit(name, value, declarations()[name].type)
        if sentence:
            raise UsageError(sentence)
    for name in ("dataset", "factors_file", "data_dir"):
        if values[name] is not None:
            path = values[name]
            checks.expanded_path(f"`{name}`", path.partition(":")[2] or path)
    values["model_options"] = check_options(values["model"], values["model_options"])
    for name in ("metrics", "track", "variants", "factors"):
        values[name] = None if values[name] is None else tuple(values[name])
    if values["metrics"] is not None:
        metrics.check_names(values["metrics"], has_factors=True)
    metrics.check_settings(values["metric_settings"])
    data.variants.check(values["variants"])
    check_tracked(values["track"], has_factors=True)
    _check_names(values)
    _check_parts(values)
    _check_ranges(values)
    return values


def _check_parts(values):
    """Checks the settings of networks and likelihood that belong to one kind of them only."""
    fitted = MODEL_CATALOGUE[values["model"]].fitted
    network, likelihood = values["network"], values["likelihood"]
    if values["network_units"] is not None:
        values["network_units"] = units = checks.widths("network_units", values["network_units"])
        if not units or network != "mlp":
            raise UsageError(
                "`network_units` needs at least one width, and `network` set to mlp. "
                f"Received: {list(units)}, network {network}."
            )
    if values["likelihood_sigma"] is not None:
        checks.positive("likelihood_sigma", values["likelihood_sigma"])
        if fitted or likelihood != "gaussian":
            raise UsageError(
                "`likelihood_sigma` needs `likelihood` set to gaussian, and a model that is "
                f"trained. Received: likelihood {likelihood}, model {values['model']}."
            )


def _check_names(values):
    model = values["model"]
    if MODEL_CATALOGUE[model].fitted and values["likelihood"] == "bernoulli":
        raise UsageError(f"{model} has a Gaussian likelihood. Received: bernoulli.")
    if MODEL_CATALOGUE[model].fitted and values["distribute"] is not None:
        raise UsageError(f"{model} is fitted on one device. Leave `distribute` out.")
    for kind, name, known in (
        ("source", "source", data.SOURCES),
        ("network", "network", _networks(model)),
        ("likelihood", "likelihood", LIKELIHOOD_NAMES),
        ("mixed precision", "mixed_precision", PRECISIONS),
        ("distribution", "distribute", DISTRIBUTIONS),
        ("backend", "backend", BACKENDS),
    ):
        if values[name] is not None and values[name] not in known:
            raise unknown_name(kind, values[name], known)


def _networks(model):
    return ("linear",) if MODEL_CATALOGUE[model].fitted else NETWORK_NAMES


def _check_ranges(values):
    for name in ("latent_dim", "batch_size", "steps", "checkpoint_every", "keep"):
        checks.at_least(name, values[name], 1)
    if values["latent_dim"] > checks.MOST_UNITS:
        raise UsageError(
            f"`latent_dim` must be at most {checks.MOST_UNITS:,}. Received: "
            f"{checks.shown(values['latent_dim'])}."
        )
    checks.at_least("track_every", values["track_every"], 1)
    checks.at_least("evaluation_images", values["evaluation_images"], 2)
    checks.at_least("seed", values["seed"], 0)
    if values["seed"] > MAX_SEED:
        raise UsageError(f"`seed` must be at most {MAX_SEED}. Received: {values['seed']}.")
    checks.positive("learning_rate", values["learning_rate"])
    if values["steps_per_execution"] is not None:
        _check_steps_per_execution(values)


def _check_steps_per_execution(values):
    at_a_time = checks.at_least("steps_per_execution", values["steps_per_execution"], 1)
    for name in ("steps", "checkpoint_every"):
        if values[name] % at_a_time:
            raise UsageError(
                f"`steps_per_execution` must divide `{name}`. Received: "
                f"steps_per_execution={at_a_time}, {name}={values[name]}."
            )


def _pinned(config, provenance):
    """Returns the settings that say where the images come from, good from any other folder."""
    if ":" in config.data.dataset:
        return absolute_paths(config)
    source = provenance["source"]
    return {
        **absolute_paths(config),
        "source": source if source in data.SOURCES else config.data.source,
    }


def absolute_paths(config):
    """Returns the settings that name files or folders, good from any other folder.

    Args:
        config: A `RunConfig`.

    Returns:
        Dictionary of settings for `dataclasses.replace`.
    """
    kind, colon, path = config.data.dataset.partition(":")
    return {
        "dataset": f"{kind}:{_absolute(path)}" if colon else config.data.dataset,
        "variants": data.variants.canonical(config.data.variants),
        "factors_file": config.data.factors_file and _absolute(config.data.factors_file),
        "data_dir": config.data.data_dir and _absolute(config.data.data_dir),
    }


def _absolute(path):
    return str(Path(path).expanduser().resolve())


def check_before_loading(config):
    """Checks all of a new run that follows from its settings and from the headers of its files.

    Args:
        config: The `RunConfig`.

    Raises:
        UsageError: If the settings, the files and the networks do not go together.
        FailureError: If a file is damaged.
    """
    with warnings.catch_warnings():
        # They come again with the images.
        warnings.simplefilter("ignore")
        config.resolved(data.outline(config.data.dataset, **_loading(config)))


def load_dataset(config, fetch=True, progress=None):
    """Loads the data set of a run.

    Args:
        config: The `RunConfig`.
        fetch: Whether an official set that is not here may be fetched; default true.
        progress: Called with what is done, what is to do, and what it is, if that takes long.

    Returns:
        A `keras_devae.data.Dataset`.

    Raises:
        UsageError: If the name or a path is wrong.
        FailureError: If a file is damaged or cannot be fetched.
    """
    return data.load(config.data.dataset, **_loading(config), fetch=fetch, progress=progress)


def _loading(config):
    """Returns the arguments of `keras_devae.data.load` and `outline` that the settings give."""
    arguments = dataclasses.asdict(config.data)
    del arguments["dataset"]
    return arguments
