"""DynamicVAE: a controller moves beta step by step."""

import keras

from keras_devae.models.controlled_vae import ControlledVAE
from keras_devae.schedules import IncrementalPIController


@keras.saving.register_keras_serializable(package="keras_devae")
class DynamicVAE(ControlledVAE):
    """DynamicVAE (Shao et al. 2022): minimises `reconstruction + beta(t) * KL`.

    Beta starts high, where the latents are pressed apart, and an incremental PI controller
    (`keras_devae.schedules.IncrementalPIController`) lowers it so that the moving average of the KL
    divergence follows a set point that climbs from 0. `fit` shows `beta` and `kl_target`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        kl_target: Set point at the end, in nats, at least 0; default 20.
        kl_target_start: Set point at the start, at least 0; default 0.
        kl_target_steps: Steps from one to the other, at least 1; default 300,000.
        kl_target_stairs: Stairs on the way, 1 to `kl_target_steps`, or `None`
            (default) for a straight line.
        kl_target_rest: Part of each stair for which the set point rests before it climbs to the
            next one on a line, 0 to 1; default 1: it jumps. Only with stairs.
        proportional_gain: Kp, at least 0; default 0.01.
        integral_gain: Ki, at least 0; default 0.001, the paper's comparison.
        beta_init: Beta at the start, between the limits; default 150.
        beta_min: Lower limit of beta, at least 0; default 0.1.
        beta_max: Upper limit of beta, above `beta_min`, or `None` (default) for none. The limits,
            `beta_init` and the gains refer to sums over 64x64 pixels.
        window: Steps that the moving average goes over, at least 1; default 5.
        reference_compat: With true, the published code's way of holding the integral, which can
            lock beta at its limit for ever; default false.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If an argument is out of range.
    """

    controller_options = (
        "proportional_gain",
        "integral_gain",
        "beta_init",
        "beta_min",
        "beta_max",
        "window",
        "reference_compat",
    )

    def __init__(
        self,
        encoder,
        decoder,
        kl_target=20.0,
        kl_target_start=0.0,
        kl_target_steps=300_000,
        kl_target_stairs=None,
        proportional_gain=0.01,
        integral_gain=0.001,
        beta_init=150.0,
        beta_min=0.1,
        window=5,
        reference_compat=False,
        beta_max=None,
        kl_target_rest=1.0,
        **kwargs,
    ):
        controller = IncrementalPIController(
            proportional_gain,
            integral_gain,
            beta_init=beta_init,
            beta_min=beta_min,
            beta_max=beta_max,
            window=window,
            reference_compat=reference_compat,
            name="controller",
        )
        super().__init__(
            encoder,
            decoder,
            controller,
            kl_target,
            kl_target_start,
            kl_target_steps,
            kl_target_stairs,
            kl_target_rest,
            **kwargs,
        )
