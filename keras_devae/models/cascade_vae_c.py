"""CascadeVAE-C: dimensions released one after another."""

from typing import Any

import keras

from keras_devae.checks import Tensor
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.schedules import StageSchedule, released_pressures


@keras.saving.register_keras_serializable(package="keras_devae")
class CascadeVAEC(VAE):
    """CascadeVAE-C (Jeong & Song 2019): minimises `reconstruction + sum_d beta_d * KL_d`.

    The continuous part of CascadeVAE. Every latent dimension but the first starts under
    `beta_max`; each stage releases one more to `beta_min`. `fit` shows `stage`, which counts
    from 0.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        beta_min: Pressure on the released dimensions, at least 0; default 1 (the authors' code has
            0.1).
        beta_max: Pressure on the others, at least 0; default 10. Both are meant for sums over
            64x64 pixels.
        stage_steps: Steps per stage, at least 1; default 20,000.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.CascadeVAEC.for_images((32, 32, 1), beta_max=2.5, stage_steps=1000)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.encode(images).shape
        (64, 10)
    """

    declaration = MODEL_CATALOGUE["cascade_vae_c"]
    state_names = ("stage",)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        beta_min: float = declaration.defaults["beta_min"],
        beta_max: float = declaration.defaults["beta_max"],
        stage_steps: int = declaration.defaults["stage_steps"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(beta_min=beta_min, beta_max=beta_max, stage_steps=stage_steps)
        self._stage = StageSchedule(stage_steps, self.latent_dim)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        stage = self._stage(self.steps.step)
        betas = released_pressures(stage + 1, self.latent_dim, self.beta_min, self.beta_max)
        return terms.replace(penalties={"kl": (betas, terms.kl)}, state={"stage": stage})
