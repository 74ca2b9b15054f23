"""DeVAE with independent latent spaces in place of a hierarchy, an ablation."""

import keras

from keras_devae.checks import pressures
from keras_devae.errors import UsageError
from keras_devae.layers import ParallelStack
from keras_devae.models.devae import DeVAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAEParallel(DeVAE):
    """DeVAE whose K latent spaces are independent (DeVAE paper, table 2, row b).

    Every space has heads of its own on the shared encoder; the decoder is shared too, and is told
    which space a code is from. Arguments are those of `DeVAE`, but for the encoder, whose `z_mean`
    and `z_log_var` are `(batch, K * latent_dim)`, layer after layer.
    """

    @classmethod
    def encoder_options(cls, latent_dim, betas=(1.0, 10.0, 40.0), **options):
        """Returns the arguments of the encoder's function: K times the latent dimensions."""
        del options
        return {"latent_dim": latent_dim * len(pressures("betas", betas))}

    def latent_dim_of(self, encoder_width):
        """Returns the number of dimensions of one latent space."""
        if encoder_width % self.num_layers:
            raise UsageError(
                f"The encoder must return `z_mean` of a multiple of {self.num_layers} numbers, one "
                f"part a latent layer. Received: {encoder_width}."
            )
        return encoder_width // self.num_layers

    def _make_stack(self):
        return ParallelStack(self.num_layers)

    def _posterior_outputs(self, mean, log_var):
        first_mean, first_log_var = self.stack(mean, log_var, index=0)
        return {
            "z_mean": first_mean,
            "z_log_var": first_log_var,
            "encoder_mean": mean,
            "encoder_log_var": log_var,
        }

    def _encoded(self, outputs):
        return outputs["encoder_mean"], outputs["encoder_log_var"]
