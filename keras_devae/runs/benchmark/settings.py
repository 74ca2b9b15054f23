"""The settings of a benchmark."""

import dataclasses
from typing import Any

from keras_devae import checks
from keras_devae.backend.choosing import BACKENDS
from keras_devae.data.image_sizes import ImageSize
from keras_devae.errors import UsageError, unknown_name
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.config.forms import declarations
from keras_devae.runs.config.presets import PRESETS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.config.settings import PRECISIONS

#: `"mixed"` stands for float16 on an accelerator and bfloat16 on a CPU.
PRECISION_NAMES = (*PRECISIONS, "mixed")
#: Length of the run of which a small part is measured.
RUN_LENGTH = {name: PRESETS["paper"][1][name] for name in ("steps", "checkpoint_every")}


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """The settings of a benchmark; those that are not explained are settings of a `RunConfig`.

    Attributes:
        backends: Names of the backends.
        batch_sizes: Batch sizes.
        precisions: Names from `PRECISION_NAMES`.
        seconds: Shortest time of each measurement.
        rounds: How often each measurement is repeated, with all others in between.

    Raises:
        UsageError: If a name is unknown, a number out of range, or the model is not trained by
            steps.

    Example:
        >>> from keras_devae.runs.benchmark import BenchmarkSettings
        >>> BenchmarkSettings(("tensorflow",), batch_sizes=(64,)).precisions
        ('off', 'mixed')
    """

    backends: tuple[str, ...]
    model: str = "devae"
    dataset: str = "dsprites"
    source: str = "auto"
    image_size: ImageSize | None = None
    network: str | None = None
    batch_sizes: tuple[int, ...] = (64, 256)
    precisions: tuple[str, ...] = ("off", "mixed")
    seconds: float = 1.0
    rounds: int = 5
    resident: bool | None = None
    steps_per_execution: int | None = None
    jit_compile: bool | None = None

    def __post_init__(self) -> None:
        for name in ("backends", "batch_sizes", "precisions"):
            values = tuple(dict.fromkeys(getattr(self, name)))
            object.__setattr__(self, name, values)
            if not values:
                raise UsageError(f"`{name}` must not be empty. Received none.")
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

    def run_config(self, batch_size: int) -> RunConfig:
        """Returns the configuration of a training with these settings, in the default precision."""
        given = {n: v for n, v in self.to_dict().items() if n in declarations() and v is not None}
        length: dict[str, Any] = RUN_LENGTH
        if self.steps_per_execution is not None:
            checks.at_least("steps_per_execution", self.steps_per_execution, 1)
            # It must divide the length.
            length = dict.fromkeys(length, 1000 * self.steps_per_execution)
        return RunConfig(batch_size=batch_size, **length, **given)

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings as a dictionary that `json.dump` takes."""
        return dataclasses.asdict(self)
