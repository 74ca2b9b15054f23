"""Schedules: numbers that follow from the training step alone."""

import numbers

import keras
import numpy as np
from keras import ops

from keras_devae.checks import at_least, finite_at_least, positive
from keras_devae.errors import UsageError


@keras.saving.register_keras_serializable(package="keras_devae")
class Schedule:
    """Base of the schedules: a pure function of the training step, without state.

    Since it has no state it needs no place in a checkpoint: whoever knows the step knows the value.
    Pass a variable such as `StepCounter.step`, not a Python number, where the call is compiled; a
    Python number would be frozen at its value of the first step.

    Two schedules are equal if class and arguments are.
    """

    def __call__(self, step):
        """Evaluates the schedule.

        Args:
            step: Number of training steps done before this one: a whole number, or a scalar tensor
                or variable of an integer dtype. Numbers below 0 count as 0.

        Returns:
            Float32 scalar tensor; int32 from a `StageSchedule`.

        Raises:
            UsageError: If `step` is not a scalar of an integer dtype.
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

    def value_at(self, step):
        """Computes the value at an int32 scalar tensor of at least 0; the subclasses' part."""
        raise NotImplementedError

    def get_config(self):
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config):
        """Rebuilds the schedule from `get_config`."""
        return cls(**config)

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash((type(self), *self.get_config().items()))

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@keras.saving.register_keras_serializable(package="keras_devae")
class ConstantSchedule(Schedule):
    """The same value at every step.

    Args:
        value: A finite number of at least 0.

    Raises:
        UsageError: If the argument is out of range.
    """

    def __init__(self, value):
        self.value = float(finite_at_least("value", value))

    def value_at(self, step):
        """Returns the value, whatever the step."""
        del step
        return ops.convert_to_tensor(self.value, dtype="float32")

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"value": self.value}


@keras.saving.register_keras_serializable(package="keras_devae")
class LinearSchedule(Schedule):
    """Moves from one value to another on a line, or in equal stairs, and stays there.

    `start + (end - start) min(1, step / steps)`: the capacity of Burgess et al. (2018),
    "Understanding disentangling in beta-VAE". With `stairs` the fraction is
    `floor(step stairs / steps) / stairs`: the set points of ControlVAE (Shao et al. 2020) and
    DynamicVAE (Shao et al. 2022). With `rest` below 1 the value does not jump from stair to stair:
    it rests for that part of a stair and then moves to the next one on a line.

    Args:
        start: Value at step 0, at least 0.
        end: Value from step `steps` on, at least 0; may lie below `start`.
        steps: Number of steps from one to the other, at least 1.
        stairs: Number of equal stairs, 1 to `steps`, or `None` (default) for a line. The first
            `steps / stairs` steps have the value `start`. The stairs need not divide the steps.
        rest: Part of each stair for which the value rests, 0 to 1; default 1, stairs with jumps. 0
            is a line. Without stairs it must be 1.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(self, start, end, steps, stairs=None, rest=1.0):
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

    def value_at(self, step):
        """Computes the value."""
        if self.stairs is None:
            done, of = ops.minimum(step, self.steps), self.steps
            fraction = ops.cast(done, "float32") / float(of)
        else:
            # Stair k begins at step ceil(k steps / stairs). Python computes these steps exactly;
            # `step * stairs` would overflow int32, and a quotient in float32 can miss a stair.
            first_steps = [-(-k * self.steps // self.stairs) for k in range(self.stairs + 1)]
            reached = step >= ops.convert_to_tensor(np.asarray(first_steps[1:], "int32"))
            done, of = ops.sum(ops.cast(reached, "int32")), self.stairs
            fraction = (ops.cast(done, "float32") + self._climbed(step, done, first_steps)) / of
        value = self.start + (self.end - self.start) * fraction
        # XLA's quotient of a number by itself need not be 1.
        return ops.where(done < of, value, self.end)

    def _climbed(self, step, done, first_steps):
        """Returns which part of the way from its stair to the next one a step has behind it."""
        if self.rest == 1:
            return 0.0
        widths = ops.convert_to_tensor(np.append(np.diff(first_steps), 1).astype("float32"))
        begun = ops.take(ops.convert_to_tensor(np.asarray(first_steps, "int32")), done)
        passed = ops.cast(step - begun, "float32") / ops.take(widths, done)
        return ops.clip((passed - self.rest) / (1 - self.rest), 0.0, 1.0)

    def get_config(self):
        """Returns the constructor's arguments."""
        names = ("start", "end", "steps", "stairs", "rest")
        return {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable(package="keras_devae")
class ExponentialSchedule(Schedule):
    """Grows exponentially to `end`, which it reaches `steps` steps after the warm-up, and stays.

    `clip(end exp(temperature ((step - warmup_steps) / steps - 1)), start, end)`: the KL weight of
    the annealing test of DEFT (Wu et al. 2022), which shows at which weight each factor's
    information freezes.

    Args:
        end: The largest value, at least `start`.
        steps: Number of steps of the growth, at least 1.
        start: The smallest value, at least 0; default 1.
        temperature: Logarithm of the growth over `steps` steps, above 0; default 6.
        warmup_steps: Number of steps by which the growth is put off, at least 0; default 0.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(self, end, steps, start=1.0, temperature=6.0, warmup_steps=0):
        self.start = float(finite_at_least("start", start))
        self.end = float(finite_at_least("end", end, self.start))
        self.steps = int(at_least("steps", steps, 1))
        self.temperature = float(positive("temperature", temperature))
        self.warmup_steps = int(at_least("warmup_steps", warmup_steps, 0))

    def value_at(self, step):
        """Computes the value."""
        done = ops.minimum(step - self.warmup_steps, self.steps)
        exponent = self.temperature * (ops.cast(done, "float32") / float(self.steps) - 1.0)
        return ops.clip(self.end * ops.exp(exponent), self.start, self.end)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            "end": self.end,
            "steps": self.steps,
            "start": self.start,
            "temperature": self.temperature,
            "warmup_steps": self.warmup_steps,
        }


@keras.saving.register_keras_serializable(package="keras_devae")
class GeometricSchedule(Schedule):
    """Moves from one value to another by the same factor at every step, and stays there.

    `start (end / start)^min(1, step / steps)`: on a logarithmic scale, a line.

    Args:
        start: Value at step 0, above 0.
        end: Value from step `steps` on, above 0; may lie below `start`.
        steps: Number of steps from one to the other, at least 1.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(self, start, end, steps):
        self.start = float(positive("start", start))
        self.end = float(positive("end", end))
        self.steps = int(at_least("steps", steps, 1))

    def value_at(self, step):
        """Computes the value."""
        fraction = ops.cast(ops.minimum(step, self.steps), "float32") / float(self.steps)
        value = self.start * ops.exp(fraction * (np.log(self.end) - np.log(self.start)))
        return ops.where(step < self.steps, value, self.end)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"start": self.start, "end": self.end, "steps": self.steps}


@keras.saving.register_keras_serializable(package="keras_devae")
class StageSchedule(Schedule):
    """Numbers the stages of a training in stages: 0, 1, ... and the last one for ever.

    The one schedule whose values are int32. CascadeVAE (Jeong & Song 2019) releases one latent
    dimension a stage.

    Args:
        stage_steps: Number of steps of every stage but the last, at least 1.
        num_stages: Number of stages, at least 1.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(self, stage_steps, num_stages):
        self.stage_steps = int(at_least("stage_steps", stage_steps, 1))
        self.num_stages = int(at_least("num_stages", num_stages, 1))

    def value_at(self, step):
        """Computes the stage's number."""
        return ops.minimum(ops.floor_divide(step, self.stage_steps), self.num_stages - 1)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {"stage_steps": self.stage_steps, "num_stages": self.num_stages}


def get_schedule(value, name="schedule"):
    """Turns what a model accepts for a schedule into one.

    Args:
        value: A number, which becomes a `ConstantSchedule`; a `Schedule`, which is returned; or the
            configuration of one, as `keras.saving.serialize_keras_object` returns it.
        name: The argument's name, for the message; default `"schedule"`.

    Returns:
        A `Schedule`.

    Raises:
        UsageError: If it is none of these, or a configuration of an unknown schedule, or one with
            other arguments.
    """
    if isinstance(value, Schedule):
        return value
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return ConstantSchedule(finite_at_least(name, value))
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
