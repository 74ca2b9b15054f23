"""Controllers that move the weight of the KL term so that the KL divergence meets a set point."""

import keras
from keras import ops

from keras_devae.checks import at_least, finite_at_least, flag
from keras_devae.errors import UsageError


class _PIController(keras.layers.Layer):
    """What the controllers share: gains, limits and float32 scalars that survive a checkpoint."""

    def __init__(
        self, proportional_gain, integral_gain, beta_min, beta_max, reference_compat, **kwargs
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

    def _first_beta(self, beta_init):
        """Returns the beta before the first step, if it lies between the limits."""
        beta_init = float(finite_at_least("beta_init", beta_init, self.beta_min))
        if self.beta_max is not None and beta_init > self.beta_max:
            raise UsageError(
                f"`beta_init` must be at most `beta_max`, which is {self.beta_max}. "
                f"Received: {beta_init}."
            )
        return beta_init

    def _add_state(self, name, value, shape=()):
        """Adds a float32 variable, float32 under mixed precision too."""
        return self.add_weight(
            shape=shape,
            initializer=keras.initializers.Constant(value),
            dtype="float32",
            trainable=False,
            autocast=False,
            name=name,
        )

    def _clamp(self, value):
        value = ops.maximum(value, self.beta_min)
        return value if self.beta_max is None else ops.minimum(value, self.beta_max)

    def get_config(self):
        """Returns the constructor's arguments."""
        config = {
            "proportional_gain": self.proportional_gain,
            "integral_gain": self.integral_gain,
            "beta_min": self.beta_min,
            "beta_max": self.beta_max,
            "reference_compat": self.reference_compat,
        }
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="keras_devae")
class PositionPIController(_PIController):
    """The controller of ControlVAE (Shao et al. 2020): beta itself is the sum of two terms.

    With the error `e = target - KL`:

        P = proportional_gain / (1 + exp(e))
        I = I_previous - integral_gain e
        beta = clip(beta_min + P + I, beta_min, beta_max)

    so that beta rises while KL lies above the target. The gains are positive here; the authors'
    integral gain has the opposite sign.

    Departure from the authors' code: theirs holds the integral in every step after one whose
    `beta_min + P + I` lay below `beta_min`, whichever way the error points. If it is held below
    `-proportional_gain`, for which one step with a large error is enough, beta stays at its minimum
    for ever, whatever KL does. Here the integral is held only if the last output was at a limit or
    beyond it and the error would push it further there.

    Args:
        proportional_gain: At least 0; default 0.01.
        integral_gain: At least 0; default 0.001.
        beta_min: The base of the sum and the smallest beta, at least 0; default 1.
        beta_max: The largest beta, above `beta_min`; `None` (default) for no limit.
        reference_compat: With true the authors' rule holds, lock-up included, and nothing stops the
            integral at `beta_max`; default false.
        beta_init: Beta before the first step, between the limits; the integral starts at its
            distance to `beta_min`. `None` (default) for `beta_min`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        beta: The last output, float32 scalar variable; `beta_init` before the first step.
        integral: I, float32 scalar variable.
        stored: The last output before it was clamped, float32 scalar variable.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(
        self,
        proportional_gain=0.01,
        integral_gain=0.001,
        beta_min=1.0,
        beta_max=None,
        reference_compat=False,
        beta_init=None,
        **kwargs,
    ):
        super().__init__(
            proportional_gain, integral_gain, beta_min, beta_max, reference_compat, **kwargs
        )
        self.beta_init = None if beta_init is None else self._first_beta(beta_init)
        first = self.beta_min if beta_init is None else self.beta_init
        self.beta = self._add_state("beta", first)
        self.integral = self._add_state("integral", first - self.beta_min)
        self.stored = self._add_state("stored", first)
        self.built = True

    def update(self, kl, target):
        """Makes one step of the controller.

        Args:
            kl: The step's KL divergence in nats, scalar tensor of any float dtype.
            target: Its set point in nats, a number or scalar tensor. Where the call is compiled, a
                Python number is a constant.

        Returns:
            The new beta, float32 scalar tensor without a gradient.

        Raises:
            UsageError: If an argument is not a scalar.
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

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "beta_init": self.beta_init}


@keras.saving.register_keras_serializable(package="keras_devae")
class IncrementalPIController(_PIController):
    """The controller of DynamicVAE (Shao et al. 2022): beta moves by the sum of two terms.

    With the error `e = target - mean of the last KLs` and `e = 0` before the first step:

        P = proportional_gain (1 / (1 + exp(e)) - 1 / (1 + exp(e_previous)))
        I = -integral_gain e
        beta = clip(beta_previous + P + I, beta_min, beta_max)

    so that beta rises while KL lies above the target. The mean is that of the authors' code, over a
    buffer that starts with zeros. The gains are positive here; the authors' integral gain has the
    opposite sign.

    Departure from the authors' code: theirs carries `beta_previous + P + I` on as it was before
    clamping and leaves I out while this lies below `beta_min`. Once there, P alone, which over time
    sums to `proportional_gain` at most, has to lift it, and beta can stay at its minimum for ever,
    whatever KL does. Here the clamped beta is carried on.

    The state is float32: at a beta of 150, increments below 7.6e-6 are lost.

    Args:
        proportional_gain: At least 0; default 0.01.
        integral_gain: At least 0; default 0.001.
        beta_init: Beta before the first step, between the limits; default 150.
        beta_min: The smallest beta, at least 0; default 0.1.
        beta_max: The largest beta, above `beta_min`; `None` (default) for no limit.
        window: Number of steps that the mean of the KL divergence is taken over, at least 1, which
            means no smoothing; default 5.
        reference_compat: With true the authors' rule holds, lock-up included; default false.
        **kwargs: Arguments of `keras.layers.Layer`.

    Attributes:
        beta: The last output, float32 scalar variable; `beta_init` before the first step.
        stored: What the next increment is added to: beta, or with `reference_compat` beta before it
            was clamped. Float32 scalar variable.
        previous_error: The last error, float32 scalar variable.
        recent_kl: The last KL divergences, the newest at the end, float32 variable `(window,)`.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(
        self,
        proportional_gain=0.01,
        integral_gain=0.001,
        beta_init=150.0,
        beta_min=0.1,
        beta_max=None,
        window=5,
        reference_compat=False,
        **kwargs,
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

    def update(self, kl, target):
        """Makes one step of the controller, see `PositionPIController.update`."""
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
        # Two variables in one buffer of JAX, as outside a compiled step, cannot both be donated.
        self.stored.assign(stored if self.reference_compat else ops.copy(beta))
        self.beta.assign(beta)
        return beta

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "beta_init": self.beta_init, "window": self.window}


def _scalar(name, value):
    """Returns a float32 scalar tensor that passes no gradient on."""
    value = ops.stop_gradient(ops.cast(value, "float32"))
    if tuple(value.shape) != ():
        raise UsageError(f"`{name}` must be a scalar. Received: shape {tuple(value.shape)}.")
    return value
