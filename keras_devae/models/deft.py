"""DEFT: pressure in stages, one group of latents after another."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor, pressures
from keras_devae.layers import DiTStack
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.networks.building_blocks import group_sizes
from keras_devae.schedules import StageSchedule


@keras.saving.register_keras_serializable(package="keras_devae")
class DEFT(VAE):
    """DEFT, distilling entangled factors (Wu et al. 2022): minimises `reconstruction + beta_s KL`.

    The pressure falls from stage to stage. The latent dimensions are split into one group per
    stage, each with its own encoder. In stage s, the encoder of group s gets the full gradient and
    the others get it scaled by `gradient_scale`, so that groups which have already learned do not
    pick up the information that the lower pressure lets through. As in the authors' released code,
    each dimension's mean and standard deviation also have learned scales, which always get the
    full gradient: a group held fixed can still adapt its noise to the pressure.

    The released code holds earlier groups fixed and closes later ones, which is
    `gradient_scale=0`, the default here. A later group then stays as it was initialised, and an
    earlier one still moves a little after its stage, because of the optimizer's momentum. With
    Adam, whose steps do not depend on a constant scale of the gradient, a scale between 0 and 1
    has an effect only for some thousand steps after each change of stage. `fit` shows `beta` and
    `stage`, which counts from 0.

    Args:
        encoder: See `VAE`. `for_images` builds one that keeps the groups apart; in a custom
            encoder, `z_mean` and `z_log_var` hold group after group, the larger groups first.
        decoder: See `VAE`.
        betas: The pressure of each stage, at least 0; default `(70, 30, 15, 1)`. They are meant
            for sums over 64x64 pixels.
        stage_steps: Steps per stage, at least 1; default 50,000. The last stage has no end.
        gradient_scale: Factor for the gradients of the other groups' encoders, at least 0; default
            0.
        **kwargs: Further arguments of `VAE`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.DEFT.for_images((32, 32, 1), latent_dim=8, betas=(20, 5, 1), stage_steps=100)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> history["stage"], history["beta"]
        ([0.0], [20.0])
    """

    declaration = MODEL_CATALOGUE["deft"]
    state_names = ("beta", "stage")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        betas: Sequence[float] = declaration.defaults["betas"],
        stage_steps: int = declaration.defaults["stage_steps"],
        gradient_scale: float = declaration.defaults["gradient_scale"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(betas=betas, stage_steps=stage_steps, gradient_scale=gradient_scale)
        sizes = group_sizes(self.latent_dim, len(self.betas))
        self._group_of_dimension = np.repeat(np.arange(len(sizes)), sizes)
        self._num_groups = len(sizes)
        self._stage = StageSchedule(stage_steps, len(self.betas))
        self.scaling = DiTStack(2)
        self.scaling.build((None, self.latent_dim))

    @classmethod
    def encoder_options(
        cls, latent_dim: int, betas: Any = declaration.defaults["betas"], **options: Any
    ) -> dict[str, Any]:
        """Returns the arguments of the function that builds the encoder: one group per stage."""
        return {"latent_dim": latent_dim, "groups": len(pressures("betas", betas))}

    def posterior_of(self, pixels: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns the encoder's mean and log-variance, with scaled gradients in training."""
        posterior = super().posterior_of(pixels, training)
        if not training:
            return posterior
        active = ops.minimum(self._stage(self.steps.step), self._num_groups - 1)
        factor = ops.where(self._group_of_dimension == active, 1.0, self.gradient_scale)
        factor = ops.cast(factor, "float32")
        mean, log_var = (factor * x + ops.stop_gradient((1 - factor) * x) for x in posterior)
        return mean, log_var

    def posterior_of_layers(self, mean: Any, log_var: Any) -> tuple[Tensor, Tensor]:
        """Returns the posterior with the learned scales, `(1, batch, latent_dim)`, as tensors."""
        mean, log_var = ops.convert_to_tensor(mean), ops.convert_to_tensor(log_var)
        mean, log_var = self.scaling(mean, log_var, index=1)
        return ops.expand_dims(mean, 0), ops.expand_dims(log_var, 0)

    def posterior_of_layer(self, mean: Any, log_var: Any, layer: int) -> tuple[Any, Any]:
        """Returns the posterior with the learned scales; takes symbolic tensors too."""
        return self.scaling(mean, log_var, index=1)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        stage = self._stage(self.steps.step)
        beta = ops.take(ops.convert_to_tensor(self.betas, "float32"), stage)
        return terms.replace(
            penalties={"kl": (beta, terms.total_kl)}, state={"beta": beta, "stage": stage}
        )

    def training_warnings(self, logs: dict[str, Any]) -> list[str]:
        """Adds a sentence about scales that have reached their bound."""
        return super().training_warnings(logs) + self.scaling.warnings()
