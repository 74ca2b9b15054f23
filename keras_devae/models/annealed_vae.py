"""AnnealedVAE: a capacity that grows."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.schedules import LinearSchedule


@keras.saving.register_keras_serializable(package="keras_devae")
class AnnealedVAE(VAE):
    """AnnealedVAE (Burgess et al. 2018): minimises `reconstruction + gamma * |KL - C|`.

    The capacity C grows linearly with the training step (their equation 8). KL is averaged over
    the batch before the absolute value is taken. `fit` shows `capacity`, and `capacity_loss`, the
    distance to it. If the capacity grows faster than the decoder learns, the codes can reach it by
    all shifting alike, which carries no information: lower gamma, or let the capacity grow more
    slowly.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        gamma: Weight of the distance, at least 0; default 1000. It is meant for sums over 64x64
            pixels.
        capacity_max: C at the end, in nats, at least 0; default 25.
        capacity_steps: Steps until C reaches its end, at least 1; default 100,000.
        capacity_start: C at the start, in nats, at least 0; default 0.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.AnnealedVAE.for_images((32, 32, 1), gamma=250.0, capacity_steps=100)
        >>> model.compile("adam")
        >>> history = model.fit(images, batch_size=64, verbose=0).history
        >>> history["capacity"]  # before the first step
        [0.0]
    """

    declaration = MODEL_CATALOGUE["annealed_vae"]
    penalty_names = ("capacity",)
    state_names = ("capacity",)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        gamma: float = declaration.defaults["gamma"],
        capacity_max: float = declaration.defaults["capacity_max"],
        capacity_steps: int = declaration.defaults["capacity_steps"],
        capacity_start: float = declaration.defaults["capacity_start"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(**self.declared(locals()))
        self._capacity = LinearSchedule(capacity_start, capacity_max, capacity_steps)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        capacity = self._capacity(self.steps.step)
        distance = ops.abs(terms.total_kl - capacity)
        return terms.replace(
            penalties={"capacity": (self.gamma, distance)}, state={"capacity": capacity}
        )
