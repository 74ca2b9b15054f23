"""Everything that defines a training run."""

import dataclasses
import functools
import warnings
from pathlib import Path
from typing import Any, get_type_hints

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
from keras_devae.runs.tracking import check_tracked

PRECISIONS = ("off", "float16", "bfloat16")
MAX_SEED = 2**32 - 1


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The settings of a run, complete enough to repeat it.

    Attributes:
        model: Name of a model, see `keras_devae.models.declarations`.
        model_options: Options of the model; what is missing is filled in by `resolved`.
        dataset: Name of a built-in data set, `"npz:PATH"`, `"npy:PATH"` or `"folder:PATH"`.
        source: `"auto"`, `"official"` or `"rendered"`.
        data_dir: Folder of prepared data sets, or `None` for the default one.
        image_size: Height and width in pixels, or `None`: 64 for built-in data sets, the file's own
            for `npz:`.
        drop_duplicate_orientation: Whether dSprites goes without its 40th orientation, which is the
            same picture as the first.
        factors: Factors that vary, and `"name=value"` for those held at a value, see
            `keras_devae.data.load`; or `None`: all vary.
        variants: Variants of the data set, see `keras_devae.data.variants.apply`.
        factors_file: File of the factors of one's own images, or `None`.
        bins: Numbers of bins of continuous factors of one's own images, by name, or `None`.
        skip_damaged: Whether the damaged pictures of a folder are left out.
        resident: Whether the whole data set is kept on the device while training, or `None`: on an
            accelerator with room for it.
        latent_dim: Number of latent dimensions.
        network: `"convolutional"`, `"mlp"`, or `None`: convolutional, or linear for PCA and ICA.
        likelihood: `"bernoulli"`, `"gaussian"`, or `None`: Bernoulli for one channel, Gaussian for
            more and for PCA and ICA.
        network_units: Widths of the hidden layers of encoder and decoder with `"mlp"`, or `None`:
            1200 and 1200.
        likelihood_sigma: Standard deviation of a pixel with `"gaussian"`, or `None`: the
            reconstruction term is the plain squared error.
        batch_size: Images a step.
        steps: Steps in all.
        learning_rate: Of Adam (0.9, 0.999).
        seed: Of weights, noise, layer draws, the order of the data and the evaluation.
        checkpoint_every: Steps between checkpoints; also between rows of the history.
        keep: Checkpoints kept, the newest ones.
        steps_per_execution: Steps inside one compiled call; divides `steps` and `checkpoint_every`.
            `None`: 1 on a CPU, as many as suit on an accelerator.
        jit_compile: XLA on or off, or `None`: what suits backend and device.
        mixed_precision: `"off"`, `"float16"`, `"bfloat16"`, or `None`: float16 on an
            accelerator, bfloat16 on a CPU that has instructions for it, on TensorFlow.
        deterministic: Whether only such operations are used as give the same bits every time.
        distribute: `"data-parallel"`: every device computes its part of each batch, see
            `keras_devae.backend.replicas.data_parallel`; or `None`: one device.
        backend: Keras backend, or `None`: the one that is active.
        metrics: Names of metrics to compute at the end, `("all",)`, or `None`: those of
            `keras_devae.metrics.DEFAULT_METRICS` that the data allow.
        metric_settings: `"paper"` or `"fast"`, see `keras_devae.metrics.score_codes`.
        evaluation_images: Images that the codes of the metrics are computed from.
        track: What is measured while training: names of metrics, `"information"`, `"kl"`,
            `"speed"`, `"traversal"`.
        track_every: Steps between these measurements.
        tensorboard: Whether they are written for TensorBoard too.
    """

    model: str = "devae"
    model_options: dict[str, Any] = dataclasses.field(default_factory=dict)
    dataset: str = "shapes3d"
    source: str = "auto"
    data_dir: str | None = None
    image_size: int | None = None
    drop_duplicate_orientation: bool = False
    factors: tuple[str, ...] | None = None
    variants: tuple[str, ...] = ()
    factors_file: str | None = None
    bins: dict[str, int] | None = None
    skip_damaged: bool = False
    resident: bool | None = None
    latent_dim: int = 10
    network: str | None = None
    likelihood: str | None = None
    network_units: tuple[int, ...] | None = None
    likelihood_sigma: float | None = None
    batch_size: int = 64
    steps: int = 20_000
    learning_rate: float = 1e-4
    seed: int = 0
    checkpoint_every: int = 500
    keep: int = 2
    steps_per_execution: int | None = None
    jit_compile: bool | None = None
    mixed_precision: str | None = None
    deterministic: bool = False
    distribute: str | None = None
    backend: str | None = None
    metrics: tuple[str, ...] | None = None
    metric_settings: str = "paper"
    evaluation_images: int = 10_000
    track: tuple[str, ...] = ()
    track_every: int = 1000
    tensorboard: bool = False

    def __post_init__(self):
        self._check_kinds()
        self._check_paths()
        object.__setattr__(self, "model_options", check_options(self.model, self.model_options))
        if self.metrics is not None:
            object.__setattr__(self, "metrics", tuple(self.metrics))
            metrics.check_names(self.metrics, has_factors=True)
        metrics.check_settings(self.metric_settings)
        for name in ("track", "variants"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.factors is not None:
            object.__setattr__(self, "factors", tuple(self.factors))
        data.variants.check(self.variants)
        check_tracked(self.track, has_factors=True)
        self._check_names()
        self._check_parts()
        self._check_ranges()

    def _check_kinds(self):
        for name, kind in _kinds().items():
            sentence = misfit(name, getattr(self, name), kind)
            if sentence:
                raise UsageError(sentence)

    def _check_paths(self):
        for name in ("dataset", "factors_file", "data_dir"):
            if getattr(self, name) is not None:
                path = getattr(self, name)
                checks.expanded_path(f"`{name}`", path.partition(":")[2] or path)

    def _check_parts(self):
        """Checks the settings of networks and likelihood that belong to one kind of them only."""
        fitted = MODEL_CATALOGUE[self.model].fitted
        if self.network_units is not None:
            units = checks.widths("network_units", self.network_units)
            object.__setattr__(self, "network_units", units)
            if not units or self.network != "mlp":
                raise UsageError(
                    "`network_units` needs at least one width, and `network` set to mlp. "
                    f"Received: {list(units)}, network {self.network}."
                )
        if self.likelihood_sigma is not None:
            checks.positive("likelihood_sigma", self.likelihood_sigma)
            if fitted or self.likelihood != "gaussian":
                raise UsageError(
                    "`likelihood_sigma` needs `likelihood` set to gaussian, and a model that is "
                    f"trained. Received: likelihood {self.likelihood}, model {self.model}."
                )

    def _check_names(self):
        if MODEL_CATALOGUE[self.model].fitted and self.likelihood == "bernoulli":
            raise UsageError(f"{self.model} has a Gaussian likelihood. Received: bernoulli.")
        if MODEL_CATALOGUE[self.model].fitted and self.distribute is not None:
            raise UsageError(f"{self.model} is fitted on one device. Leave `distribute` out.")
        for kind, value, known in (
            ("source", self.source, data.SOURCES),
            ("network", self.network, self._networks()),
            ("likelihood", self.likelihood, LIKELIHOOD_NAMES),
            ("mixed precision", self.mixed_precision, PRECISIONS),
            ("distribution", self.distribute, DISTRIBUTIONS),
            ("backend", self.backend, BACKENDS),
        ):
            if value is not None and value not in known:
                raise unknown_name(kind, value, known)

    def _networks(self):
        return ("linear",) if MODEL_CATALOGUE[self.model].fitted else NETWORK_NAMES

    def _check_ranges(self):
        for name in ("latent_dim", "batch_size", "steps", "checkpoint_every", "keep"):
            checks.at_least(name, getattr(self, name), 1)
        if self.latent_dim > checks.MOST_UNITS:
            raise UsageError(
                f"`latent_dim` must be at most {checks.MOST_UNITS:,}. Received: "
                f"{checks.shown(self.latent_dim)}."
            )
        checks.at_least("track_every", self.track_every, 1)
        checks.at_least("evaluation_images", self.evaluation_images, 2)
        checks.at_least("seed", self.seed, 0)
        if self.seed > MAX_SEED:
            raise UsageError(f"`seed` must be at most {MAX_SEED}. Received: {self.seed}.")
        checks.positive("learning_rate", self.learning_rate)
        if self.steps_per_execution is not None:
            self._check_steps_per_execution()

    def _check_steps_per_execution(self):
        at_a_time = checks.at_least("steps_per_execution", self.steps_per_execution, 1)
        for name in ("steps", "checkpoint_every"):
            if getattr(self, name) % at_a_time:
                raise UsageError(
                    f"`steps_per_execution` must divide `{name}`. Received: "
                    f"steps_per_execution={at_a_time}, {name}={getattr(self, name)}."
                )

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
        chosen = metrics.resolved_names(self.metrics, has_factors=has_factors)
        check_tracked(self.track, has_factors)
        chosen = self._with_varying_factors(chosen, dataset)
        fitted = MODEL_CATALOGUE[self.model].fitted
        binary = dataset.image_shape[-1] == 1 and not fitted
        # What is fitted in one go has one step.
        network = self.network or self._networks()[0]
        if network == "convolutional":
            checks.check_convolutional_size(dataset.image_shape)
        length = {"steps": 1, "checkpoint_every": 1, "steps_per_execution": 1} if fitted else {}
        return dataclasses.replace(
            self,
            **length,
            model_options={
                **default_options(self.model, dataset.image_shape, self.steps),
                **self.model_options,
            },
            network=network,
            likelihood=self.likelihood or ("bernoulli" if binary else "gaussian"),
            **_pinned(self, dataset.provenance),
            image_size=dataset.image_shape[0],
            metrics=chosen,
        )

    def _with_varying_factors(self, chosen, dataset):
        """Returns the metrics for which a factor varies, and refuses others that were named."""
        if dataset.factor_names is None:
            return chosen
        # Imported where it is needed: what is refused before comes at once.
        from keras_devae.metrics.rows import check_factors_vary, factors_vary

        seen = (dataset, self.evaluation_images, self.seed)
        named = self.metrics not in (None, ("all",))
        tracked = [name for name in self.track if name in metrics.METRICS]
        check_factors_vary(tracked, *seen, chosen=True, argument="evaluation_images")
        read = [name for name in self.track if name.endswith("information")]
        if read and not factors_vary(dataset):
            raise UsageError(
                f"Cannot track {', '.join(read)}: no factor has more than one value in "
                f"{dataset.description}. Give each factor more than one value."
            )
        return check_factors_vary(
            chosen, *seen, chosen=named, argument="evaluation_images", stacklevel=5
        )

    @property
    def is_annealing_test(self):
        """Whether the run is that of an annealing test: beta falls, and information is read."""
        beta = self.model_options.get("beta")
        falls = isinstance(beta, dict) and beta.get("class_name") == "GeometricSchedule"
        return falls and "sampled-information" in self.track

    def to_dict(self):
        """Returns the settings as a dictionary that `json.dump` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, settings):
        """Rebuilds a configuration from `to_dict`.

        Raises:
            UsageError: If a setting is unknown, of the wrong kind or out of range.
        """
        if not isinstance(settings, dict):
            raise UsageError(f"Settings must be a table. Received: {checks.shown(settings)}.")
        known = [field.name for field in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                raise unknown_name("setting", name, known)
        return cls(**settings)


@functools.cache
def _kinds():
    return get_type_hints(RunConfig)


def _pinned(config, provenance):
    """Returns the settings that say where the images come from, good from any other folder."""
    if ":" in config.dataset:
        return absolute_paths(config)
    source = provenance["source"]
    return {
        **absolute_paths(config),
        "source": source if source in data.SOURCES else config.source,
    }


def absolute_paths(config):
    """Returns the settings that name files or folders, good from any other folder.

    Args:
        config: A `RunConfig`.

    Returns:
        Dictionary of settings for `dataclasses.replace`.
    """
    kind, colon, path = config.dataset.partition(":")
    return {
        "dataset": f"{kind}:{_absolute(path)}" if colon else config.dataset,
        "variants": data.variants.canonical(config.variants),
        "factors_file": config.factors_file and _absolute(config.factors_file),
        "data_dir": config.data_dir and _absolute(config.data_dir),
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
        config.resolved(data.outline(config.dataset, **_loading(config)))


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
    return data.load(config.dataset, **_loading(config), fetch=fetch, progress=progress)


def _loading(config):
    """Returns the arguments of `keras_devae.data.load` and `outline` that the settings give."""
    names = (
        *("source", "data_dir", "image_size", "drop_duplicate_orientation", "factors", "variants"),
        *("factors_file", "bins", "skip_damaged"),
    )
    return {name: getattr(config, name) for name in names}
