"""DynamicVAE: a controller adjusts beta step by step."""

from typing import Any

import keras

from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.controlled_vae import ControlledVAE
from keras_devae.schedules import IncrementalPIController


@keras.saving.register_keras_serializable(package="keras_devae")
class DynamicVAE(ControlledVAE):
    """DynamicVAE (Shao et al. 2022): minimises `reconstruction + beta(t) * KL`.

    Beta starts high, which presses the latents apart, and an incremental PI controller
    (`keras_devae.schedules.IncrementalPIController`) lowers it so that the moving average of the KL
    divergence follows a set point that climbs from 0. `fit` shows `beta` and `kl_target`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        kl_target: Set point at the end, in nats, at least 0; default 20.
        kl_target_start: Set point at the start, at least 0; default 0.
        kl_target_steps: Training steps from start to end, at least 1; default 300,000.
        kl_target_stairs: Number of stairs, or `None` (default) for a line, see `ControlVAE`.
        kl_target_rest: Share of each stair with a constant set point, 0 to 1; default 1.
        proportional_gain: Kp, at least 0; default 0.01.
        integral_gain: Ki, at least 0; default 0.001, as in the paper's comparison.
        beta_init: Beta at the start, between the limits; default 150.
        beta_min: Lower limit of beta, at least 0; default 0.1.
        beta_max: Upper limit of beta, above `beta_min`, or `None` (default) for none. The limits,
            `beta_init` and the gains are meant for sums over 64x64 pixels.
        window: Number of steps in the moving average, at least 1; default 5.
        reference_compat: As in `ControlVAE`; default false.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.DynamicVAE.for_images((32, 32, 1), kl_target=8.0, beta_init=40.0)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> sorted(history)
        ['beta', 'kl_loss', 'kl_target', 'loss', 'reconstruction_loss']
    """

    declaration = MODEL_CATALOGUE["dynamic_vae"]

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
        beta_init: float = declaration.defaults["beta_init"],
        beta_min: float = declaration.defaults["beta_min"],
        window: int = declaration.defaults["window"],
        reference_compat: bool = declaration.defaults["reference_compat"],
        beta_max: float | None = declaration.defaults["beta_max"],
        kl_target_rest: float = declaration.defaults["kl_target_rest"],
        **kwargs: Any,
    ) -> None:
        options = self.declared(locals())
        super().__init__(encoder, decoder, IncrementalPIController, options, **kwargs)
