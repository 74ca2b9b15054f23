"""Predictability minimization: codes that predictors cannot tell from each other."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.layers import derived_seeds
from keras_devae.losses import prediction_errors, without_own_unit
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms
from keras_devae.networks import unit_predictors


@keras.saving.register_keras_serializable(package="keras_devae")
class PredictabilityMinimization(ImageModel):
    """Autoencoder with predictability minimization (Schmidhuber 1992).

        reconstruction - predictability_weight * sum_i (y_i - P_i(others))^2

    The codes y are units in [0, 1], sigmoids of the encoder's outputs. Each unit i has a predictor
    P_i, a network that sees all other units and minimises its squared error, while the encoder
    maximises the same error: the units become unpredictable from each other, at best independent
    and binary. A unit that nothing predicts has an error of its variance, a copy of another unit
    0. No gradient crosses over: the predictors' loss does not reach the encoder. The encoder's
    variance term of the paper's section 4 is left out, because the error contains it. Predictors,
    encoder and decoder share the optimizer of `compile`.

    The codes are the representation, not samples: there is no posterior and no KL divergence.
    `sample` draws units uniformly from [0, 1]. `fit` shows `prediction_error_loss`, the sum of the
    errors, which the encoder maximises, and `predictor_loss`, the same as the predictors minimise
    it, which is not part of `loss`.

    Args:
        encoder: See `VAE`; it returns `z_mean` alone.
        decoder, likelihood, seed, **kwargs: See `VAE`.
        predictability_weight: Weight of the predictors' error, at least 0; default 200. It is meant
            for sums over 64x64 pixels.
        predictor_units: Widths of each predictor's hidden layers; default `(32,)`.

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
    penalty_names = ("prediction_error",)
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
        self.predictors = unit_predictors(
            self.latent_dim, self.predictor_units, seed, self.dtype_policy
        )

    def posterior_of_layer(self, mean: Any, log_var: Any, layer: int) -> tuple[Any, Any]:
        """Returns the units, `(batch, latent_dim)`, sigmoids of the encoder's outputs."""
        return ops.sigmoid(mean), log_var

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the losses of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        units = outputs["z"]
        fixed = [ops.stop_gradient(v.value) for v in self.predictors.trainable_variables]
        predictions, _ = self.predictors.stateless_call(fixed, [], without_own_unit(units))
        error = ops.sum(prediction_errors(units, predictions))
        units = ops.stop_gradient(units)
        predictions = self.predictors(without_own_unit(units), training=training)
        return terms.replace(
            penalties={"prediction_error": (-self.predictability_weight, error)},
            opponents={"predictor": ops.sum(prediction_errors(units, predictions))},
        )
