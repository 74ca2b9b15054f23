"""Predictability minimization: codes that predictors cannot tell from each other."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.layers import derived_seeds
from keras_devae.losses import prediction_errors, unpredicted_variances, without_own_unit
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms
from keras_devae.networks import unit_predictors


@keras.saving.register_keras_serializable(package="keras_devae")
class PredictabilityMinimization(ImageModel):
    """Autoencoder with predictability minimization (Schmidhuber 1992).

        reconstruction - predictability_weight * sum_i variance(y_i - P_i(others))

    The codes y are units in [0, 1], sigmoids of the encoder's outputs after batch normalisation.
    Without it, the first steps, which learn the mean image, drive the units to 0 or 1 for all
    images, where sigmoids have no gradient. Each unit i has a predictor P_i, a network that sees
    all other units and minimises its mean squared error. The encoder maximises the variance of that
    error: the units become unpredictable from each other, at best independent and binary. What
    nothing predicts has its own variance, a copy of another unit 0. No gradient crosses over: the
    predictors' loss does not reach the encoder. Predictors, encoder and decoder share the optimizer
    of `compile`.

    The paper maximises the mean squared error itself, which is the same for predictors that are
    right on average. Ours lag behind by a step, and the variance gives units nothing for moving all
    images alike.

    The codes are the representation, not samples: there is no posterior and no KL divergence.
    `sample` draws units uniformly from [0, 1]. `fit` shows `unpredicted_variance_loss`, the sum of
    the variances, and `predictor_loss`, the sum of the mean squared errors, which is not part of
    `loss`.

    Args:
        encoder: See `VAE`; it returns `z_mean` alone.
        decoder: See `VAE`.
        **kwargs: Further arguments of `VAE`, such as the likelihood.
        predictability_weight: Weight of the variance, at least 0; default 200. It is meant
            for sums over 64x64 pixels.
        predictor_units: Widths of each predictor's hidden layers; default `(32, 32)`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.PredictabilityMinimization.for_images((32, 32, 1), latent_dim=6)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> codes = model.encode(images)
        >>> bool((codes >= 0).all() and (codes <= 1).all())
        True
    """

    declaration = MODEL_CATALOGUE["predictability_minimization"]
    mean_over_images = False
    penalty_names = ("unpredicted_variance",)
    opponent_names = ("predictor",)
    code_range = (0.0, 1.0)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        predictability_weight: float = declaration.defaults["predictability_weight"],
        predictor_units: Sequence[int] = declaration.defaults["predictor_units"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(**self.declared(locals()))
        (seed,) = derived_seeds(self.seed, 1, purpose=4)
        self.normalization = keras.layers.BatchNormalization(momentum=0.9, dtype="float32")
        self.normalization.build((None, self.latent_dim))
        self.predictors = unit_predictors(
            self.latent_dim, self.predictor_units, seed, self.dtype_policy
        )

    def posterior_of_layer(self, mean: Any, log_var: Any, layer: int) -> tuple[Any, Any]:
        """Returns the units, `(batch, latent_dim)`, from the encoder's outputs."""
        return self._units(mean, training=False), log_var

    def code_of(self, pixels: Tensor, training: bool = False) -> Tensor:
        """Returns the units of pixels, `(batch, latent_dim)`."""
        mean, _ = self.bounded(self.encoder(pixels, training=training))
        return self._units(mean, training)

    def _units(self, outputs, training):
        return ops.sigmoid(self.normalization(outputs, training=training))

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the losses of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        units = outputs["z"]
        fixed = [ops.stop_gradient(v.value) for v in self.predictors.trainable_variables]
        predictions, _ = self.predictors.stateless_call(fixed, [], without_own_unit(units))
        variance = ops.sum(unpredicted_variances(units, predictions))
        units = ops.stop_gradient(units)
        predictions = self.predictors(without_own_unit(units), training=training)
        return terms.replace(
            penalties={"unpredicted_variance": (-self.predictability_weight, variance)},
            opponents={"predictor": ops.sum(prediction_errors(units, predictions))},
        )
