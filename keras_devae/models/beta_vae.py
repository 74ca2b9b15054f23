"""beta-VAE."""

from typing import Any

import keras

from keras_devae.checks import Tensor
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.schedules import Schedule, get_schedule


@keras.saving.register_keras_serializable(package="keras_devae")
class BetaVAE(VAE):
    """beta-VAE (Higgins et al. 2017): minimises `reconstruction + beta * KL`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        beta: Weight of the KL term, at least 0, or a `keras_devae.schedules.Schedule` for it;
            default 6. It is meant for sums over 64x64 pixels and the latent dimensions: for other
            image sizes, multiply it by the ratio of the pixel counts.

    Raises:
        UsageError: If `beta` is negative or not finite.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> rising = kd.schedules.LinearSchedule(0.0, 4.0, steps=1000)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), latent_dim=10, beta=rising)
        >>> model.compile("adam")
        >>> sorted(model.fit(images, verbose=0).history)
        ['beta', 'kl_loss', 'loss', 'reconstruction_loss']
    """

    declaration = MODEL_CATALOGUE["beta_vae"]
    state_names = ("beta",)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        beta: float | Schedule = declaration.defaults["beta"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self._schedule = get_schedule(beta, "beta")
        self.beta = self._schedule if isinstance(beta, (Schedule, dict)) else beta

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        beta = self._schedule(self.steps.step)
        return terms.replace(penalties={"kl": (beta, terms.total_kl)}, state={"beta": beta})

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        scheduled = isinstance(self.beta, Schedule)
        beta = keras.saving.serialize_keras_object(self.beta) if scheduled else self.beta
        return {**super().get_config(), "beta": beta}
