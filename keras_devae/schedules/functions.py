"""Schedules: numbers that depend on the training step alone."""

from __future__ import annotations

import numbers
from typing import Any, cast

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor, at_least, finite_at_least, positive
from keras_devae.errors import UsageError


@keras.saving.register_keras_serializable(package="keras_devae")
class Schedule:
    """Base of the schedules: a pure function of the training step, without state.

    Without state, it need not be saved in checkpoints: the step determines the value. In a compiled
    function, pass a variable such as `StepCounter.step`, not a Python number, which would be frozen
    at its value in the first step. Two schedules are equal if their classes and arguments are.

    Example:
        >>> class Halving(Schedule):
        ...     def value_at(self, step: Tensor) -> Tensor:
        ...         return 0.5 ** ops.cast(step, "float32")
        >>> float(Halving()(2))
        0.25
    """

    #: Names of the constructor's arguments, which are stored as attributes of the same name.
    _arguments: tuple[str, ...] = ()

    def __call__(self, step: Tensor | int) -> Tensor:
        """Evaluates the schedule: a float32 scalar, or int32 from a `StageSchedule`.

        Args:
            step: Number of training steps done before this one: a whole number, or a scalar tensor
                or variable of an integer dtype. Numbers below 0 count as 0.
        """
        if not hasattr(step, "shape"):
            if not isinstance(step, numbers.Integral) or isinstance(step, bool):
                raise UsageError(
                    "`step` must be a whole number or a scalar of an integer dtype. "
                    f"Received: {step!r}."
                )
            step = min(max(int(step), 0), 2**31 - 1)
        step = ops.convert_to_tensor(step)
        dtype = keras.backend.standardize_dtype(step.dtype)
        if tuple(step.shape) != () or not keras.backend.is_int_dtype(dtype):
            raise UsageError(
                "`step` must be a whole number or a scalar of an integer dtype. Received: "
                f"{dtype} of shape {tuple(step.shape)}."
            )
        return self.value_at(ops.maximum(ops.cast(step, "int32"), 0))

    def value_at(self, step: Tensor) -> Tensor:
        """Computes the value at an int32 scalar tensor of at least 0; subclasses override it."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {name: getattr(self, name) for name in self._arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Schedule:
        """Rebuilds the schedule from `get_config`."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule) or type(self) is not type(other):
            return False
        return self.get_config() == other.get_config()

    def __hash__(self) -> int:
        return hash((type(self), *self.get_config().items()))

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@keras.saving.register_keras_serializable(package="keras_devae")
class ConstantSchedule(Schedule):
    """Has the same value at every step.

    Args:
        value: A finite number of at least 0.

    Example:
        >>> float(ConstantSchedule(4)(1000))
        4.0
    """

    _arguments = ("value",)

    def __init__(self, value: float):
        self.value = float(finite_at_least("value", value))

    def value_at(self, step: Tensor) -> Tensor:
        """Returns the value, whatever the step."""
        del step
        return ops.convert_to_tensor(self.value, dtype="float32")


@keras.saving.register_keras_serializable(package="keras_devae")
class LinearSchedule(Schedule):
    """Moves from one value to another linearly, or in equal stairs, and stays there.

    `start + (end - start) min(1, step / steps)`: the capacity of Burgess et al. (2018),
    "Understanding disentangling in beta-VAE". With `stairs` the fraction is
    `floor(step stairs / steps) / stairs`: the set points of ControlVAE (Shao et al. 2020) and
    DynamicVAE (Shao et al. 2022). With `rest` below 1 the value does not jump from stair to stair:
    it stays constant for that part of a stair and then moves linearly to the next.

    Args:
        start: Value at step 0, at least 0.
        end: Value from step `steps` on, at least 0; may be below `start`.
        steps: Number of training steps from start to end, at least 1.
        stairs: Number of equal stairs, 1 to `steps`, or `None` (default) for a line. The first
            `steps / stairs` steps have the value `start`. `stairs` need not divide `steps`.
        rest: Part of each stair during which the value stays constant, 0 to 1; default 1, stairs
            with jumps. 0 is a line. Without stairs it must be 1.

    Example:
        >>> schedule = LinearSchedule(start=0, end=25, steps=100_000)
        >>> float(schedule(50_000)), float(schedule(200_000))
        (12.5, 25.0)
    """

    _arguments = ("start", "end", "steps", "stairs", "rest")

    def __init__(
        self, start: float, end: float, steps: int, stairs: int | None = None, rest: float = 1.0
    ):
        self.start = float(finite_at_least("start", start))
        self.end = float(finite_at_least("end", end))
        self.steps = int(at_least("steps", steps, 1))
        self.stairs = None if stairs is None else int(at_least("stairs", stairs, 1))
        if self.stairs is not None and self.stairs > self.steps:
            raise UsageError(
                f"`stairs` must be at most `steps`, which is {steps}. Received: {stairs}."
            )
        self.rest = float(finite_at_least("rest", rest))
        if self.rest > 1 or (self.stairs is None and self.rest != 1):
            raise UsageError(
                "`rest` must be a part of each of the `stairs`, from 0 to 1. Received: "
                f"rest={rest}, stairs={stairs}."
            )

    def value_at(self, step: Tensor) -> Tensor:
        """Computes the value."""
        if self.stairs is None:
            done, of = ops.minimum(step, self.steps), self.steps
            fraction = ops.cast(done, "float32") / float(of)
        else:
            # Stair k begins at step ceil(k steps / stairs). Python computes these steps exactly;
            # `step * stairs` could overflow int32, and a quotient in float32 could miss a stair.
            first_steps = [-(-k * self.steps // self.stairs) for k in range(self.stairs + 1)]
            reached = step >= ops.convert_to_tensor(np.asarray(first_steps[1:], "int32"))
            done, of = ops.sum(ops.cast(reached, "int32")), self.stairs
            fraction = (ops.cast(done, "float32") + self._climbed(step, done, first_steps)) / of
        value = self.start + (self.end - self.start) * fraction
        # XLA's quotient of a number by itself need not be 1.
        return ops.where(done < of, value, self.end)

    def _climbed(self, step: Tensor, done: Tensor, first_steps: list[int]) -> Tensor | float:
        """Returns how far a step has moved from its stair to the next, from 0 to 1."""
        if self.rest == 1:
            return 0.0
        widths = ops.convert_to_tensor(np.append(np.diff(first_steps), 1).astype("float32"))
        begun = ops.take(ops.convert_to_tensor(np.asarray(first_steps, "int32")), done)
        passed = ops.cast(step - begun, "float32") / ops.take(widths, done)
        return ops.clip((passed - self.rest) / (1 - self.rest), 0.0, 1.0)


@keras.saving.register_keras_serializable(package="keras_devae")
class ExponentialSchedule(Schedule):
    """Grows exponentially to `end`, reached `steps` steps after the warm-up, and stays there.

    `clip(end exp(temperature ((step - warmup_steps) / steps - 1)), start, end)`: the KL weight of
    the annealing test of DEFT (Wu et al. 2022), which shows the weight at which the information
    about each factor freezes.

    Args:
        end: The largest value, at least `start`.
        steps: Number of steps that the growth takes, at least 1.
        start: The smallest value, at least 0; default 1.
        temperature: Logarithm of the growth factor over `steps` steps, above 0; default 6.
        warmup_steps: Number of steps by which the growth is delayed, at least 0; default 0.

    Example:
        >>> schedule = ExponentialSchedule(end=100, steps=10_000)
        >>> float(schedule(0)), float(schedule(10_000))
        (1.0, 100.0)
    """

    _arguments = ("end", "steps", "start", "temperature", "warmup_steps")

    def __init__(
        self,
        end: float,
        steps: int,
        start: float = 1.0,
        temperature: float = 6.0,
        warmup_steps: int = 0,
    ):
        self.start = float(finite_at_least("start", start))
        self.end = float(finite_at_least("end", end, self.start))
        self.steps = int(at_least("steps", steps, 1))
        self.temperature = float(positive("temperature", temperature))
        self.warmup_steps = int(at_least("warmup_steps", warmup_steps, 0))

    def value_at(self, step: Tensor) -> Tensor:
        """Computes the value."""
        done = ops.minimum(step - self.warmup_steps, self.steps)
        exponent = self.temperature * (ops.cast(done, "float32") / float(self.steps) - 1.0)
        return ops.clip(self.end * ops.exp(exponent), self.start, self.end)


@keras.saving.register_keras_serializable(package="keras_devae")
class GeometricSchedule(Schedule):
    """Moves from one value to another by the same factor at every step, and stays there.

    `start (end / start)^min(1, step / steps)`: on a logarithmic scale, a line.

    Args:
        start: Value at step 0, above 0.
        end: Value from step `steps` on, above 0; may be below `start`.
        steps: Number of training steps from start to end, at least 1.

    Example:
        >>> schedule = GeometricSchedule(start=1, end=100, steps=10)
        >>> round(float(schedule(5)), 3), float(schedule(10))
        (10.0, 100.0)
    """

    _arguments = ("start", "end", "steps")

    def __init__(self, start: float, end: float, steps: int):
        self.start = float(positive("start", start))
        self.end = float(positive("end", end))
        self.steps = int(at_least("steps", steps, 1))

    def value_at(self, step: Tensor) -> Tensor:
        """Computes the value."""
        fraction = ops.cast(ops.minimum(step, self.steps), "float32") / float(self.steps)
        value = self.start * ops.exp(fraction * (np.log(self.end) - np.log(self.start)))
        return ops.where(step < self.steps, value, self.end)


@keras.saving.register_keras_serializable(package="keras_devae")
class StageSchedule(Schedule):
    """Numbers the stages of training: 0, 1, ... up to the last one, which never ends.

    The only schedule whose values are int32. CascadeVAE (Jeong & Song 2019) releases one latent
    dimension per stage.

    Args:
        stage_steps: Number of steps in every stage but the last, at least 1.
        num_stages: Number of stages, at least 1.

    Example:
        >>> schedule = StageSchedule(stage_steps=100, num_stages=3)
        >>> [int(schedule(step)) for step in (99, 100, 1000)]
        [0, 1, 2]
    """

    _arguments = ("stage_steps", "num_stages")

    def __init__(self, stage_steps: int, num_stages: int):
        self.stage_steps = int(at_least("stage_steps", stage_steps, 1))
        self.num_stages = int(at_least("num_stages", num_stages, 1))

    def value_at(self, step: Tensor) -> Tensor:
        """Computes the number of the stage."""
        return ops.minimum(ops.floor_divide(step, self.stage_steps), self.num_stages - 1)


def get_schedule(value: Any, name: str = "schedule") -> Schedule:
    """Converts a number, a schedule or a schedule's configuration to a `Schedule`.

    Args:
        value: A number, which becomes a `ConstantSchedule`; a `Schedule`, which is returned; or the
            configuration of one, as `keras.saving.serialize_keras_object` returns it.
        name: The argument's name, for error messages; default `"schedule"`.

    Returns:
        The schedule.

    Raises:
        UsageError: If it is none of these, or the configuration is of an unknown schedule or has
            wrong arguments.
    """
    if isinstance(value, Schedule):
        return value
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return ConstantSchedule(finite_at_least(name, cast(float, value)))
    if isinstance(value, dict):
        try:
            schedule = keras.saving.deserialize_keras_object(value)
        except TypeError:
            raise UsageError(
                f"`{name}` must be the configuration of a registered schedule with its arguments, "
                f"as keras.saving.serialize_keras_object returns it. Received: {value!r}."
            ) from None
        if isinstance(schedule, Schedule):
            return schedule
    raise UsageError(
        f"`{name}` must be a number, a schedule or a schedule's configuration. Received: {value!r}."
    )


def released_pressures(
    released: Tensor | int, latent_dim: int, beta_min: Tensor | float, beta_max: Tensor | float
) -> Tensor:
    """Returns the beta of every latent dimension (Jeong & Song 2019, section 3.2).

    Args:
        released: Number of dimensions released so far, an integer or integer scalar tensor.
        latent_dim: Number of latent dimensions.
        beta_min: Beta of a dimension once it is released.
        beta_max: Beta of the others.

    Returns:
        Float32 tensor `(latent_dim,)`, the released dimensions first.
    """
    is_released = ops.arange(latent_dim) < released
    return ops.where(is_released, ops.cast(beta_min, "float32"), ops.cast(beta_max, "float32"))
