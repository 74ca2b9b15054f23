"""ControlVAE: a controller sets beta."""

from typing import Any

import keras

from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.controlled_vae import ControlledVAE
from keras_devae.schedules import PositionPIController


@keras.saving.register_keras_serializable(package="keras_devae")
class ControlVAE(ControlledVAE):
    """ControlVAE (Shao et al. 2020): minimises `reconstruction + beta(t) * KL`.

    A PI controller (`keras_devae.schedules.PositionPIController`) adjusts beta so that the KL
    divergence follows a rising set point. `fit` shows `beta` and `kl_target`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        kl_target: Set point at the end, in nats, at least 0; default 18.
        kl_target_start: Set point at the start, at least 0; default 0.5.
        kl_target_steps: Training steps from start to end, at least 1; default 300,000.
        kl_target_stairs: Number of stairs from start to end, 1 to `kl_target_steps`, or `None`
            (default) for a straight line.
        kl_target_rest: Share of each stair during which the set point stays constant before it
            climbs linearly to the next, 0 to 1; default 1, a jump. Only with stairs.
        proportional_gain: Kp, at least 0; default 0.01.
        integral_gain: Ki, at least 0; default 0.001.
        beta_init: Beta before the first step, between the limits, or `None` (default) for
            `beta_min`.
        beta_min: Lower limit of beta, at least 0; default 1.
        beta_max: Upper limit of beta, above `beta_min`, or `None` (default) for none. The limits,
            `beta_init` and the gains are meant for sums over 64x64 pixels.
        reference_compat: If true, the integral is held as in the published code, which can lock
            beta at its limit forever; default false.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.ControlVAE.for_images((32, 32, 1), kl_target=8.0, kl_target_steps=1000)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> sorted(history)
        ['beta', 'kl_loss', 'kl_target', 'loss', 'reconstruction_loss']
    """

    declaration = MODEL_CATALOGUE["control_vae"]

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        kl_target: float = declaration.defaults["kl_target"],
        kl_target_start: float = declaration.defaults["kl_target_start"],
        kl_target_steps: int = declaration.defaults["kl_target_steps"],
        kl_target_stairs: int | None = declaration.defaults["kl_target_stairs"],
        proportional_gain: float = declaration.defaults["proportional_gain"],
        integral_gain: float = declaration.defaults["integral_gain"],
        beta_min: float = declaration.defaults["beta_min"],
        reference_compat: bool = declaration.defaults["reference_compat"],
        beta_init: float | None = declaration.defaults["beta_init"],
        beta_max: float | None = declaration.defaults["beta_max"],
        kl_target_rest: float = declaration.defaults["kl_target_rest"],
        **kwargs: Any,
    ) -> None:
        options = self.declared(locals())
        super().__init__(encoder, decoder, PositionPIController, options, **kwargs)
