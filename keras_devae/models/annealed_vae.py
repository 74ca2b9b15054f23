"""AnnealedVAE: a capacity that grows."""

import keras
from keras import ops

from keras_devae.checks import at_least, finite_at_least
from keras_devae.models.vae import VAE
from keras_devae.schedules import LinearSchedule


@keras.saving.register_keras_serializable(package="keras_devae")
class AnnealedVAE(VAE):
    """AnnealedVAE (Burgess et al. 2018): minimises `reconstruction + gamma * |KL - C|`.

    The capacity C grows linearly with the steps of training (their equation 8). The absolute
    value is of the batch mean of the KL divergence. `fit` shows `capacity`, and `capacity_loss`,
    the distance to it. A capacity that grows faster than the decoder learns can be met by codes
    that are shifted all alike and carry nothing: lower gamma, or let it grow more slowly.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        gamma: Weight of the distance, at least 0; default 1000. It refers to sums over 64x64
            pixels.
        capacity_max: C at the end, in nats, at least 0; default 25.
        capacity_steps: Steps until then, at least 1; default 100,000.
        capacity_start: C at the start, in nats, at least 0; default 0.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If an argument is out of range.
    """

    penalty_names = ("capacity",)
    state_names = ("capacity",)

    def __init__(
        self,
        encoder,
        decoder,
        gamma=1000.0,
        capacity_max=25.0,
        capacity_steps=100_000,
        capacity_start=0.0,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        self.gamma = finite_at_least("gamma", gamma)
        self.capacity_max = finite_at_least("capacity_max", capacity_max)
        self.capacity_steps = at_least("capacity_steps", capacity_steps, 1)
        self.capacity_start = finite_at_least("capacity_start", capacity_start)
        self._capacity = LinearSchedule(capacity_start, capacity_max, capacity_steps)

    def loss_terms(self, pixels, outputs, training):
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        capacity = self._capacity(self.steps.step)
        distance = ops.abs(terms.total_kl - capacity)
        return terms.replace(
            penalties={"capacity": (self.gamma, distance)}, state={"capacity": capacity}
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        names = ("gamma", "capacity_max", "capacity_steps", "capacity_start")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
