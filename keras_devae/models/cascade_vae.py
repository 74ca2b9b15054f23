"""CascadeVAE: dimensions released one after another, then a categorical code by matching."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend import on_host
from keras_devae.checks import Array, Tensor
from keras_devae.losses import balanced_assignment
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.categorical_inference import CategoricalInference
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.schedules import StageSchedule, released_pressures

_LARGEST_COST = 1e30


@keras.saving.register_keras_serializable(package="keras_devae")
class CascadeVAE(CategoricalInference, VAE):
    """CascadeVAE (Jeong & Song 2019): `CascadeVAEC` alternating with a categorical code.

    Before the stage `matching_stage`, the decoder's input for the category is zero, and each stage
    releases one more latent dimension, starting with one. From then on every step first assigns
    the images of its batch to categories, minimising the sum of the reconstruction costs and of a
    cost that grows with the number of images in a category
    (`keras_devae.losses.balanced_assignment`), and then takes a gradient step with the categories
    held fixed. As in the authors' code, the first stage with matching releases no dimension.

    Outside training an image's category is the one that reconstructs its posterior mean best.
    `fit` shows `stage`, which counts from 0.

    The assignment runs in SciPy on the host, and the matching stages decode every image once for
    each category, so they take a few times longer. On TensorFlow the model runs without XLA.

    Args:
        encoder: See `VAE`.
        **kwargs: See `VAE`.
        decoder: See `VAE`; its input is the code followed by the one-hot category.
        num_categories: Number of categories, at least 2; default 3.
        beta_min: Pressure on the released dimensions, at least 0; default 1 (the authors' code has
            0.1).
        beta_max: Pressure on the others, at least 0; default 10.
        stage_steps: Steps per stage, at least 1; default 20,000.
        matching_stage: Stage in which the categorical code begins, at least 0; default 4.
        pairwise_cost: Extra cost, in nats, of each further image in a category over the one before
            it, at least 0; default 0.001. It and the betas are meant for sums over 64x64 pixels.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.CascadeVAE.for_images((32, 32, 1), num_categories=3, matching_stage=0)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.encode_categories(images).shape
        (64,)
    """

    declaration = MODEL_CATALOGUE["cascade_vae"]
    mean_over_images = False
    state_names = ("stage",)
    calls_host = True

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        num_categories: int = declaration.defaults["num_categories"],
        beta_min: float = declaration.defaults["beta_min"],
        beta_max: float = declaration.defaults["beta_max"],
        stage_steps: int = declaration.defaults["stage_steps"],
        matching_stage: int = declaration.defaults["matching_stage"],
        pairwise_cost: float = declaration.defaults["pairwise_cost"],
        **kwargs: Any,
    ) -> None:
        # Needed before the networks are checked: the decoder's width depends on it.
        self.set_options(num_categories=num_categories)
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(**self.declared(locals()))
        self._stage = StageSchedule(stage_steps, max(self.latent_dim, matching_stage) + 1)

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes, chooses categories and decodes, see `VAE.call`.

        The outputs include `category`, `(batch, num_categories)`: one-hot (in training, matched
        within the batch), or zero before the matching begins.
        """
        pixels = self.pixels(images)
        z_mean, z_log_var = self.posterior_of(pixels, training)
        z = self.sampling(z_mean, z_log_var) if training else z_mean
        category = self._category(ops.stop_gradient(pixels), ops.stop_gradient(z), training)
        posterior = {"z_mean": z_mean, "z_log_var": z_log_var, "z": z, "category": category}
        return self.with_reconstruction(posterior, ops.concatenate([z, category], axis=1), training)

    def _category(self, pixels, z, training):
        weights = [ops.stop_gradient(v.value) for v in self.decoder.trainable_variables]

        def matched():
            costs = self._costs(pixels, z, weights)
            if training:
                chosen = on_host(self._match, costs, (costs.shape[0],), "int32")
            else:
                chosen = ops.cast(ops.argmin(costs, axis=-1), "int32")
            return ops.cast(ops.one_hot(chosen, self.num_categories), "float32")

        def none():
            shape = (ops.shape(z)[0], self.num_categories)
            return ops.zeros(shape, "float32")

        return ops.cond(self._is_matching(), matched, none)

    def _match(self, costs: Array) -> Array:
        # An error raised inside a compiled step would surface as a different one. A category
        # whose cost is not finite is chosen last; if no cost is finite, the loss is NaN too, and
        # the training guard reports that.
        costs = np.nan_to_num(costs, nan=_LARGEST_COST, posinf=_LARGEST_COST)
        return balanced_assignment(costs, self.pairwise_cost)

    def _costs(self, pixels, z, weights):
        """Returns the reconstruction cost of every image in every category, `(batch, K)`."""
        fixed = [v.value for v in self.decoder.non_trainable_variables]
        columns = []
        for category in np.eye(self.num_categories, dtype=np.float32):
            one_hot = ops.broadcast_to(category, (ops.shape(z)[0], self.num_categories))
            inputs = ops.concatenate([z, one_hot], axis=1)
            decoded, _ = self.decoder.stateless_call(weights, fixed, inputs, training=False)
            columns.append(self.likelihood.negative_log_likelihood(pixels, decoded))
        return ops.stack(columns, axis=1)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        stage = self._stage(self.steps.step)
        released = stage + ops.cast(stage < self.matching_stage, "int32")
        betas = released_pressures(released, self.latent_dim, self.beta_min, self.beta_max)
        return terms.replace(penalties={"kl": (betas, terms.kl)}, state={"stage": stage})

    def category_probabilities_of(self, pixels: Tensor, encoded: dict[str, Tensor]) -> Tensor:
        """Returns the softmax of the negative costs; uniform before the matching begins."""
        z_mean, _ = self.bounded(encoded)
        weights = [v.value for v in self.decoder.trainable_variables]
        probabilities = ops.softmax(-self._costs(pixels, z_mean, weights), axis=-1)
        return ops.where(self._is_matching(), probabilities, 1 / self.num_categories)

    def decoder_inputs(self, z: Any, layer: int) -> Tensor:
        """Returns the decoder's input; its category is zero before the matching begins."""
        inputs = super().decoder_inputs(z, layer)
        is_category = np.arange(inputs.shape[-1]) >= self.latent_dim
        unused = ops.logical_and(is_category, ops.logical_not(self._is_matching()))
        return ops.where(unused, 0.0, inputs)

    def _is_matching(self):
        # A tensor, because a compiled step and an exported function are traced.
        return self._stage(self.steps.step) >= self.matching_stage
