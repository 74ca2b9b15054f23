"""What a benchmark measures."""

import dataclasses

from keras_devae import checks
from keras_devae.backend.choosing import BACKENDS
from keras_devae.errors import UsageError, unknown_name
from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.runs.config.presets import PRESETS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.config.settings import PRECISIONS

#: `"mixed"` stands for float16 on an accelerator and bfloat16 on a CPU.
PRECISION_NAMES = (*PRECISIONS, "mixed")
#: Length of the run that is measured a little of.
RUN_LENGTH = {name: PRESETS["paper"][1][name] for name in ("steps", "checkpoint_every")}


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """The settings of a benchmark.

    Attributes:
        backends: Names of the backends.
        model: Name of a model.
        dataset: As for `RunConfig`.
        source: As for `RunConfig`.
        image_size: As for `RunConfig`.
        network: As for `RunConfig`.
        batch_sizes: Numbers of images a training step.
        precisions: Names of `PRECISION_NAMES`.
        seconds: Shortest time of each measurement.
        rounds: How often each measurement is repeated, all others in between.
        resident: As for `RunConfig`, or `None`: what `train` would choose.
        steps_per_execution: As for `RunConfig`, or `None`: what `train` would choose.
        jit_compile: As for `RunConfig`.

    Raises:
        UsageError: If a name is unknown, a number out of range, or the model is not trained by
            steps.
    """

    backends: tuple[str, ...]
    model: str = "devae"
    dataset: str = "dsprites"
    source: str = "auto"
    image_size: int | None = None
    network: str | None = None
    batch_sizes: tuple[int, ...] = (64, 256)
    precisions: tuple[str, ...] = ("off", "mixed")
    seconds: float = 1.0
    rounds: int = 5
    resident: bool | None = None
    steps_per_execution: int | None = None
    jit_compile: bool | None = None

    def __post_init__(self):
        for name, values in (
            ("backends", self.backends),
            ("batch_sizes", self.batch_sizes),
            ("precisions", self.precisions),
        ):
            object.__setattr__(self, name, tuple(dict.fromkeys(values)))
            if not values:
                raise UsageError(f"`{name}` must hold at least one. Received none.")
        for kind, values, known in (
            ("backend", self.backends, BACKENDS),
            ("precision", self.precisions, PRECISION_NAMES),
        ):
            for value in values:
                if value not in known:
                    raise unknown_name(kind, value, known)
        checks.positive("seconds", self.seconds)
        checks.at_least("rounds", self.rounds, 1)
        if self.model in MODEL_CATALOGUE and MODEL_CATALOGUE[self.model].fitted:
            raise UsageError(
                f"{self.model} is fitted in one go and has no training steps. Choose another model."
            )
        for batch_size in self.batch_sizes:
            self.run_config(batch_size)

    def run_config(self, batch_size):
        """Returns the `RunConfig` of a training with these settings, in the default precision.

        Args:
            batch_size: Images a step.

        Raises:
            UsageError: If a setting is wrong.
        """
        given = {
            "image_size": self.image_size,
            "network": self.network,
            "resident": self.resident,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": self.jit_compile,
        }
        length = RUN_LENGTH
        if self.steps_per_execution is not None:
            checks.at_least("steps_per_execution", self.steps_per_execution, 1)
            # Any number divides these.
            length = dict.fromkeys(length, 1000 * self.steps_per_execution)
        return RunConfig(
            model=self.model,
            dataset=self.dataset,
            source=self.source,
            batch_size=batch_size,
            **length,
            **{name: value for name, value in given.items() if value is not None},
        )

    def to_dict(self):
        """Returns the settings as a dictionary that `json.dump` takes."""
        return dataclasses.asdict(self)
