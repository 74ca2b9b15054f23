"""beta-VAE."""

import keras

from keras_devae.checks import finite_at_least
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class BetaVAE(VAE):
    """beta-VAE (Higgins et al. 2017): minimises `reconstruction + beta * KL`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        beta: Weight of the KL term, at least 0; default 6. It refers to sums over pixels and latent
            dimensions: keep beta times the ratio of the pixel numbers at another image size.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If `beta` is negative or not finite.
    """

    def __init__(self, encoder, decoder, beta=6.0, **kwargs):
        super().__init__(encoder, decoder, **kwargs)
        self.beta = finite_at_least("beta", beta)

    def kl_weight(self):
        """Returns beta."""
        return self.beta

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "beta": self.beta}
