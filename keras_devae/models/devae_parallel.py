"""DeVAE with independent latent spaces instead of a hierarchy, an ablation."""

from typing import Any

import keras

from keras_devae.checks import Tensor, pressures
from keras_devae.errors import UsageError
from keras_devae.layers import ParallelStack
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.devae import DeVAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAEParallel(DeVAE):
    """DeVAE whose K latent spaces are independent (DeVAE paper, table 2, row b).

    Every space has its own heads on the shared encoder; the decoder is shared too, and its input
    says which space a code comes from. Takes the arguments of `DeVAE`, except that the encoder's
    `z_mean` and `z_log_var` are `(batch, K * latent_dim)`, layer after layer.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.DeVAEParallel.for_images((32, 32, 1), latent_dim=10, betas=(1, 40))
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.encode(images, layer=None).shape
        (2, 64, 10)
    """

    declaration = MODEL_CATALOGUE["devae_parallel"]
    stack_class = ParallelStack

    @classmethod
    def encoder_options(
        cls, latent_dim: int, betas: Any = declaration.defaults["betas"], **options: Any
    ) -> dict[str, Any]:
        """Returns the encoder's arguments, with K times the latent dimensions."""
        return {"latent_dim": latent_dim * len(pressures("betas", betas))}

    def latent_dim_of(self, encoder_width: int) -> int:
        """Returns the number of dimensions of one latent space."""
        if encoder_width % self.num_layers:
            raise UsageError(
                f"The encoder must return `z_mean` of a multiple of {self.num_layers} numbers, one "
                f"part per latent layer. Received: {encoder_width}."
            )
        return encoder_width // self.num_layers

    def posterior_outputs(self, mean: Tensor, log_var: Tensor) -> dict[str, Tensor]:
        """Adds `encoder_mean` and `encoder_log_var`, `(batch, K * latent_dim)`, of all layers."""
        encoded = {"encoder_mean": mean, "encoder_log_var": log_var}
        return {**super().posterior_outputs(*self.stack(mean, log_var, index=0)), **encoded}

    def encoded(self, outputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Returns the encoder's means and log-variances of all layers."""
        return outputs["encoder_mean"], outputs["encoder_log_var"]
