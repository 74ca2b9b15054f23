"""FactorVAE: a discriminator estimates the total correlation."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.layers import RandomState, derived_seeds
from keras_devae.losses import (
    density_ratio_total_correlation,
    discriminator_loss,
    permute_dimensions,
)
from keras_devae.models.adversary import AdversarialModel, frozen
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.networks import discriminator


@keras.saving.register_keras_serializable(package="keras_devae")
class FactorVAE(AdversarialModel, VAE):
    """FactorVAE (Kim & Mnih 2018): minimises `reconstruction + KL + gamma * TC`.

    A discriminator tells codes (class 0) from codes whose dimensions were permuted independently
    across the batch (class 1). The mean difference of its logits on the codes estimates the total
    correlation (TC); on a single batch it may be negative. Each step trains the autoencoder and the
    discriminator, each with its own optimizer, and no gradient crosses over: the discriminator's
    loss does not reach the encoder, and the total correlation does not reach the discriminator's
    weights. As in the published code, both see the same batch, and the discriminator's optimizer is
    Adam 1e-4 (0.5, 0.9) unless `compile` is given another `discriminator_optimizer`.

    `fit` shows `total_correlation_loss`, the estimate, and `discriminator_loss`, which is not part
    of `loss`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        gamma: Weight of the total correlation, at least 0; default 35. It is meant for sums over
            64x64 pixels.
        discriminator_units: Widths of the discriminator's hidden layers; default `(1000,) * 6`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.FactorVAE.for_images((32, 32, 1), gamma=10.0, discriminator_units=(64, 64))
        >>> model.compile("adam", discriminator_optimizer="adam")
        >>> history = model.fit(images, verbose=0).history
        >>> "total_correlation_loss" in history and "discriminator_loss" in history
        True
    """

    declaration = MODEL_CATALOGUE["factor_vae"]
    mean_over_images = False
    penalty_names = ("total_correlation",)
    opponent_names = ("discriminator",)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        gamma: float = declaration.defaults["gamma"],
        discriminator_units: Sequence[int] = declaration.defaults["discriminator_units"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(gamma=gamma, discriminator_units=discriminator_units)
        network_seed, permutation_seed = derived_seeds(self.seed, 2, purpose=2)
        # Use the model's dtype policy, so that a loaded model computes as it did when it was saved.
        self.discriminator = discriminator(
            self.latent_dim, self.discriminator_units, network_seed, self.dtype_policy
        )
        self.permutations = RandomState(permutation_seed)

    def default_discriminator_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the published optimizer of the discriminator."""
        return keras.optimizers.Adam(1e-4, beta_1=0.5, beta_2=0.9)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the losses of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        z = outputs["z"]
        total_correlation = density_ratio_total_correlation(frozen(self.discriminator, z))
        z = ops.stop_gradient(z)
        # Evaluation is deterministic, so it uses a fixed permutation.
        seed = self.permutations.seed_generator if training else 0
        both = ops.concatenate([z, permute_dimensions(z, seed)], axis=0)
        logits = self.discriminator(both, training=training)
        size = ops.shape(z)[0]
        return terms.replace(
            penalties={**terms.penalties, "total_correlation": (self.gamma, total_correlation)},
            opponents={"discriminator": discriminator_loss(logits[:size], logits[size:])},
        )
