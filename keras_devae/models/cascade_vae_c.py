"""CascadeVAE-C: dimensions released one after another."""

import keras

from keras_devae.checks import at_least, finite_at_least
from keras_devae.models.vae import VAE
from keras_devae.schedules import StageSchedule, released_pressures


@keras.saving.register_keras_serializable(package="keras_devae")
class CascadeVAEC(VAE):
    """CascadeVAE-C (Jeong & Song 2019): minimises `reconstruction + sum_d beta_d * KL_d`.

    The continuous part of CascadeVAE. Every latent dimension starts under `beta_max`, and one a
    stage is released to `beta_min`; the first is free from the start. `fit` shows `stage`, which
    counts from 0.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        beta_min: Pressure on the dimensions released, at least 0; default 1 (the authors' code has
            0.1).
        beta_max: Pressure on the others, at least 0; default 10. Both refer to sums over 64x64
            pixels.
        stage_steps: Steps a stage, at least 1; default 20,000.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If an argument is out of range.
    """

    state_names = ("stage",)

    def __init__(self, encoder, decoder, beta_min=1.0, beta_max=10.0, stage_steps=20_000, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.beta_min = finite_at_least("beta_min", beta_min)
        self.beta_max = finite_at_least("beta_max", beta_max)
        self.stage_steps = at_least("stage_steps", stage_steps, 1)
        self._stage = StageSchedule(stage_steps, self.latent_dim)

    def loss_terms(self, pixels, outputs, training):
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        stage = self._stage(self.steps.step)
        betas = released_pressures(stage + 1, self.latent_dim, self.beta_min, self.beta_max)
        return terms.replace(penalties={"kl": (betas, terms.kl)}, state={"stage": stage})

    def get_config(self):
        """Returns the constructor's arguments."""
        names = ("beta_min", "beta_max", "stage_steps")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
