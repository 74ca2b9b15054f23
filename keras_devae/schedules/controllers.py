"""Controllers that adjust the KL term's weight so that the KL divergence meets a set point."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor, at_least, finite_at_least, flag
from keras_devae.errors import UsageError


class _PIController(keras.layers.Layer):
    """Base of the controllers: gains, limits and a float32 state that checkpoints keep."""

    #: Names of the constructor's arguments, which are stored as attributes of the same name.
    _arguments: tuple[str, ...] = ("proportional_gain", "integral_gain")
    _arguments += ("beta_min", "beta_max", "reference_compat", "beta_init")

    def __init__(
        self,
        proportional_gain: float,
        integral_gain: float,
        beta_min: float,
        beta_max: float | None,
        reference_compat: bool,
        **kwargs: Any,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.proportional_gain = float(finite_at_least("proportional_gain", proportional_gain))
        self.integral_gain = float(finite_at_least("integral_gain", integral_gain))
        self.beta_min = float(finite_at_least("beta_min", beta_min))
        self.beta_max = None if beta_max is None else float(finite_at_least("beta_max", beta_max))
        if self.beta_max is not None and self.beta_max <= self.beta_min:
            raise UsageError(
                f"`beta_max` must be above `beta_min`, which is {beta_min}. Received: {beta_max}."
            )
        self.reference_compat = flag("reference_compat", reference_compat)

    def _first_beta(self, beta_init: float) -> float:
        """Returns the beta before the first step, after checking that it is within the limits."""
        beta_init = float(finite_at_least("beta_init", beta_init, self.beta_min))
        if self.beta_max is not None and beta_init > self.beta_max:
            raise UsageError(
                f"`beta_init` must be at most `beta_max`, which is {self.beta_max}. "
                f"Received: {beta_init}."
            )
        return beta_init

    def _add_state(self, name: str, value: float, shape: tuple = ()) -> keras.Variable:
        """Adds a variable that is float32 even under mixed precision."""
        return self.add_weight(
            shape=shape,
            initializer=keras.initializers.Constant(value),
            dtype="float32",
            trainable=False,
            autocast=False,
            name=name,
        )

    def _clamp(self, value: Tensor) -> Tensor:
        value = ops.maximum(value, self.beta_min)
        return value if self.beta_max is None else ops.minimum(value, self.beta_max)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self._arguments}}


@keras.saving.register_keras_serializable(package="keras_devae")
class PositionPIController(_PIController):
    """Controls beta as ControlVAE does (Shao et al. 2020): beta is the sum of two terms.

    With the error `e = target - KL`:

        P = proportional_gain / (1 + exp(e))
        I = I_previous - integral_gain e
        beta = clip(beta_min + P + I, beta_min, beta_max)

    so that beta rises while KL is above the target. The gains are positive here; the authors'
    integral gain has the opposite sign.

    Difference from the authors' code: theirs freezes the integral in every step that follows one
    whose `beta_min + P + I` was below `beta_min`, whatever the sign of the error. Once it is frozen
    below `-proportional_gain`, which a single step with a large error can cause, beta stays at its
    minimum forever, whatever KL does. Here the integral is frozen only if the last output was at or
    beyond a limit and the error would push it further.

    Args:
        proportional_gain: At least 0; default 0.01.
        integral_gain: At least 0; default 0.001.
        beta_min: The base of the sum and the smallest beta, at least 0; default 1.
        beta_max: The largest beta, above `beta_min`; `None` (default) for no limit.
        reference_compat: Whether to follow the authors' rule, including the lock-up; the integral
            then has no stop at `beta_max`. Default false.
        beta_init: Beta before the first step, between the limits; the integral starts at
            `beta_init - beta_min`. `None` (default) for `beta_min`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        beta: The last output, float32 scalar variable; `beta_init` before the first step.
        integral: I, float32 scalar variable.
        stored: The last output before it was clamped, float32 scalar variable.

    Example:
        >>> controller = PositionPIController()
        >>> betas = [float(controller.update(kl=20.0, target=18.0)) for _ in range(3)]
        >>> betas == sorted(betas)  # KL is above its target: beta rises
        True
    """

    def __init__(
        self,
        proportional_gain: float = 0.01,
        integral_gain: float = 0.001,
        beta_min: float = 1.0,
        beta_max: float | None = None,
        reference_compat: bool = False,
        beta_init: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            proportional_gain, integral_gain, beta_min, beta_max, reference_compat, **kwargs
        )
        first = self.beta_min if beta_init is None else self._first_beta(beta_init)
        self.beta_init = None if beta_init is None else first
        self.beta = self._add_state("beta", first)
        self.integral = self._add_state("integral", first - self.beta_min)
        self.stored = self._add_state("stored", first)
        self.built = True

    def update(self, kl: Tensor | float, target: Tensor | float) -> Tensor:
        """Updates beta by one step of the controller.

        Args:
            kl: The step's KL divergence in nats, scalar tensor of any float dtype.
            target: The set point in nats, a number or scalar tensor. In a compiled function, a
                Python number is a constant.

        Returns:
            The new beta, float32 scalar tensor without a gradient.
        """
        error = _scalar("target", target) - _scalar("kl", kl)
        stored = ops.convert_to_tensor(self.stored)
        if self.reference_compat:
            held = stored < self.beta_min
        else:
            held = ops.logical_and(stored <= self.beta_min, error > 0)
            if self.beta_max is not None:
                above = ops.logical_and(stored >= self.beta_max, error < 0)
                held = ops.logical_or(held, above)
        integral = self.integral - ops.where(held, 0.0, self.integral_gain * error)
        stored = self.beta_min + self.proportional_gain * ops.sigmoid(-error) + integral
        beta = self._clamp(stored)
        self.integral.assign(integral)
        self.stored.assign(stored)
        self.beta.assign(beta)
        return beta


@keras.saving.register_keras_serializable(package="keras_devae")
class IncrementalPIController(_PIController):
    """Controls beta as DynamicVAE does (Shao et al. 2022): beta moves by the sum of two terms.

    With the error `e = target - mean of the last KL values` and `e = 0` before the first step:

        P = proportional_gain (1 / (1 + exp(e)) - 1 / (1 + exp(e_previous)))
        I = -integral_gain e
        beta = clip(beta_previous + P + I, beta_min, beta_max)

    so that beta rises while KL is above the target. As in the authors' code, the mean is over a
    buffer that starts with zeros. The gains are positive here; the authors' integral gain has the
    opposite sign.

    Difference from the authors' code: theirs stores `beta_previous + P + I` before clamping, and
    omits I while this is below `beta_min`. Then only P, which sums to at most `proportional_gain`
    over time, can raise it again, and beta can stay at its minimum forever, whatever KL does. Here
    the clamped beta is stored.

    The state is float32: at a beta of 150, increments below 7.6e-6 are lost.

    Args:
        proportional_gain: As in `PositionPIController`.
        integral_gain: As in `PositionPIController`.
        beta_max: As in `PositionPIController`.
        **kwargs: As in `PositionPIController`.
        beta_init: Beta before the first step, between the limits; default 150.
        beta_min: The smallest beta, at least 0; default 0.1.
        window: Number of steps over which the KL divergence is averaged, at least 1 (no
            smoothing); default 5.
        reference_compat: Whether to follow the authors' rule, including the lock-up; default false.

    Attributes:
        beta: The last output, float32 scalar variable; `beta_init` before the first step.
        stored: The value to which the next increment is added: beta, or with `reference_compat`
            beta before it was clamped. Float32 scalar variable.
        previous_error: The last error, float32 scalar variable.
        recent_kl: The last KL divergences, the newest last, float32 variable `(window,)`.

    Example:
        >>> controller = IncrementalPIController()
        >>> for _ in range(10):
        ...     beta = controller.update(kl=5.0, target=18.0)
        >>> float(beta) < 150  # KL is below its target: beta falls
        True
    """

    _arguments = (*_PIController._arguments, "window")

    def __init__(
        self,
        proportional_gain: float = 0.01,
        integral_gain: float = 0.001,
        beta_init: float = 150.0,
        beta_min: float = 0.1,
        beta_max: float | None = None,
        window: int = 5,
        reference_compat: bool = False,
        **kwargs: Any,
    ):
        super().__init__(
            proportional_gain, integral_gain, beta_min, beta_max, reference_compat, **kwargs
        )
        self.beta_init = self._first_beta(beta_init)
        self.window = int(at_least("window", window, 1))
        self.beta = self._add_state("beta", self.beta_init)
        self.stored = self._add_state("stored", self.beta_init)
        self.previous_error = self._add_state("previous_error", 0.0)
        self.recent_kl = self._add_state("recent_kl", 0.0, (self.window,))
        self.built = True

    def update(self, kl: Tensor | float, target: Tensor | float) -> Tensor:
        """Updates beta by one step of the controller, see `PositionPIController.update`."""
        kl = ops.reshape(_scalar("kl", kl), (1,))
        recent_kl = ops.concatenate([ops.convert_to_tensor(self.recent_kl)[1:], kl])
        error = _scalar("target", target) - ops.mean(recent_kl)
        stored = ops.convert_to_tensor(self.stored)
        change = ops.sigmoid(-error) - ops.sigmoid(-ops.convert_to_tensor(self.previous_error))
        integral = -self.integral_gain * error
        if self.reference_compat:
            integral = ops.where(stored < self.beta_min, 0.0, integral)
        stored = stored + self.proportional_gain * change + integral
        beta = self._clamp(stored)
        self.recent_kl.assign(recent_kl)
        self.previous_error.assign(error)
        # A copy: outside a compiled step both would share a JAX buffer, which is donated only once.
        self.stored.assign(stored if self.reference_compat else ops.copy(beta))
        self.beta.assign(beta)
        return beta


def _scalar(name: str, value: Tensor | float) -> Tensor:
    """Returns a float32 scalar tensor without a gradient."""
    value = ops.stop_gradient(ops.cast(value, "float32"))
    if tuple(value.shape) != ():
        raise UsageError(f"`{name}` must be a scalar. Received: shape {tuple(value.shape)}.")
    return value
