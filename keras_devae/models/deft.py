"""DEFT: pressure in stages, one group of latents after another."""

import keras
import numpy as np
from keras import ops

from keras_devae.checks import at_least, finite_at_least, pressures
from keras_devae.layers import DiTStack
from keras_devae.models.vae import VAE
from keras_devae.networks.building_blocks import group_sizes
from keras_devae.schedules import StageSchedule


@keras.saving.register_keras_serializable(package="keras_devae")
class DEFT(VAE):
    """DEFT, distilling entangled factors (Wu et al. 2022): minimises `reconstruction + beta_s KL`.

    The pressure falls from stage to stage. The latent dimensions lie in as many groups as there are
    stages, each with an encoder of its own. In stage s the gradient reaches the encoder of group s
    in full and the others scaled by `gradient_scale`, which keeps what the lower pressure lets
    through out of the groups that have learned already. As in the authors' released code every
    dimension's mean and standard deviation have learned scales on top, which the gradient always
    reaches: a group held fixed can still adapt its noise to the pressure.

    Readings: the released code holds earlier groups fixed and closes later ones, which is
    `gradient_scale=0`, the default here. A later group is then as it was initialised, and an
    earlier one moves on a little after its stage, by the momentum that an optimizer keeps. With
    Adam, whose steps do not depend on a constant scale of the gradient, a scale between 0 and 1
    acts for some thousand steps after each change of stage. `fit` shows `beta` and `stage`, which
    counts from 0.

    Args:
        encoder: See `VAE`. One that `for_images` builds keeps the groups apart; of your own,
            `z_mean` and `z_log_var` hold the groups one after another, the larger ones first.
        decoder: See `VAE`.
        betas: The pressure of each stage, at least 0; default `(70, 30, 15, 1)`. They refer to sums
            over 64x64 pixels.
        stage_steps: Steps a stage, at least 1; default 50,000. The last stage has no end.
        gradient_scale: Factor of the gradients of the other groups' encoders, at least 0; default
            0.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If an argument is out of range.
    """

    state_names = ("beta", "stage")

    def __init__(
        self,
        encoder,
        decoder,
        betas=(70.0, 30.0, 15.0, 1.0),
        stage_steps=50_000,
        gradient_scale=0.0,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        self.betas = pressures("betas", betas)
        self.stage_steps = at_least("stage_steps", stage_steps, 1)
        self.gradient_scale = finite_at_least("gradient_scale", gradient_scale)
        sizes = group_sizes(self.latent_dim, len(self.betas))
        self._group_of_dimension = np.repeat(np.arange(len(sizes)), sizes)
        self._num_groups = len(sizes)
        self._stage = StageSchedule(stage_steps, len(self.betas))
        self.scaling = DiTStack(2)
        self.scaling.build((None, self.latent_dim))

    @classmethod
    def encoder_options(cls, latent_dim, betas=(70.0, 30.0, 15.0, 1.0), **options):
        """Returns the arguments of the encoder's function: one group a stage."""
        del options
        return {"latent_dim": latent_dim, "groups": len(pressures("betas", betas))}

    def posterior_of(self, pixels, training=False):
        """Returns the encoder's mean and log-variance; in training with scaled gradients."""
        posterior = super().posterior_of(pixels, training)
        if not training:
            return posterior
        active = ops.minimum(self._stage(self.steps.step), self._num_groups - 1)
        factor = ops.where(self._group_of_dimension == active, 1.0, self.gradient_scale)
        factor = ops.cast(factor, "float32")
        return tuple(factor * x + ops.stop_gradient((1 - factor) * x) for x in posterior)

    def posterior_of_layers(self, mean, log_var):
        """Returns the posterior with the learned scales, `(1, batch, latent_dim)`, as tensors."""
        mean, log_var = ops.convert_to_tensor(mean), ops.convert_to_tensor(log_var)
        return tuple(ops.expand_dims(x, 0) for x in self.scaling(mean, log_var, index=1))

    def loss_terms(self, pixels, outputs, training):
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        stage = self._stage(self.steps.step)
        beta = ops.take(ops.convert_to_tensor(self.betas, "float32"), stage)
        return terms.replace(
            penalties={"kl": (beta, terms.total_kl)}, state={"beta": beta, "stage": stage}
        )

    def training_warnings(self, logs):
        """Adds a sentence about scales that have run into their bound."""
        return super().training_warnings(logs) + self.scaling.complaints()

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "betas": list(self.betas),
            "stage_steps": self.stage_steps,
            "gradient_scale": self.gradient_scale,
        }
