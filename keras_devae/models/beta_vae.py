"""beta-VAE."""

import keras

from keras_devae.models.vae import VAE
from keras_devae.schedules import Schedule, get_schedule


@keras.saving.register_keras_serializable(package="keras_devae")
class BetaVAE(VAE):
    """beta-VAE (Higgins et al. 2017): minimises `reconstruction + beta * KL`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        beta: Weight of the KL term, at least 0, or a `keras_devae.schedules.Schedule` of it;
            default 6. It refers to sums over pixels and latent dimensions: keep beta times the
            ratio of the pixel numbers at another image size.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If `beta` is negative or not finite.
    """

    state_names = ("beta",)

    def __init__(self, encoder, decoder, beta=6.0, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self._schedule = get_schedule(beta, "beta")
        self.beta = self._schedule if isinstance(beta, (Schedule, dict)) else beta

    def loss_terms(self, pixels, outputs, training):
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        beta = self._schedule(self.steps.step)
        return terms.replace(penalties={"kl": (beta, terms.total_kl)}, state={"beta": beta})

    def get_config(self):
        """Returns the constructor's arguments."""
        scheduled = isinstance(self.beta, Schedule)
        beta = keras.saving.serialize_keras_object(self.beta) if scheduled else self.beta
        return {**super().get_config(), "beta": beta}
