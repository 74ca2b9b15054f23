"""DeVAE with one latent space under changing pressure, an ablation."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.layers import LayerDraw, derived_seeds
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAESingle(VAE):
    """One latent space under one of K pressures at a time (DeVAE paper, table 2, row a).

    Every step draws one pressure for the whole batch and minimises

        reconstruction(x, decoder(z)) + beta_i * KL

    There are no scalings and no layer vectors: the space is the only layer, number 0. In
    expectation this is beta-VAE under the mean of the pressures; drawing the pressure makes its
    gradient noisier.

    `fit` shows the mean of the drawn pressures as `beta`. In validation the loss is the expectation
    over the draw, or the summed objective, with posterior means instead of samples.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        betas: The K pressures, each at least 0; default `(1, 10, 40)`. They are meant for sums
            over 64x64 pixels.
        objective: `"sampled"` (default), as above with `p_i = s^i / sum_j s^j`. `"summed"`: every
            step minimises `sum_i s^i (reconstruction + beta_i * KL)`.
        layer_weight_base: The s of these formulas, at least 0; default 1, equal weights. 0 uses
            only the first pressure.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.DeVAESingle.for_images((32, 32, 1), betas=(1, 4), objective="summed")
        >>> model.compile("adam")
        >>> model.fit(images, verbose=0).history["beta"]
        [2.5]
    """

    declaration = MODEL_CATALOGUE["devae_single"]

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        betas: Sequence[float] = declaration.defaults["betas"],
        objective: str = declaration.defaults["objective"],
        layer_weight_base: float = declaration.defaults["layer_weight_base"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(betas=betas, objective=objective, layer_weight_base=layer_weight_base)
        (draw_seed,) = derived_seeds(self.seed, 1, purpose=1)
        self.pressure_draw = LayerDraw(len(self.betas), self.layer_weight_base, seed=draw_seed)
        self.beta_tracker = keras.metrics.Mean("beta")

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        weight, beta = self._weight_and_beta(training)
        return terms.replace(
            penalties={"kl": (weight * beta, terms.total_kl)},
            weights=ops.reshape(weight, (1,)),
            state={"beta": beta},
        )

    def _weight_and_beta(self, training):
        """Returns the weight of the step's loss and its pressure, both float32 scalars."""
        if training and self.objective == "sampled":
            drawn = self.pressure_draw.draw()
            betas = ops.take(ops.convert_to_tensor(self.betas, "float32"), drawn)
            return ops.ones((), "float32"), ops.sum(betas)
        weights = self.pressure_draw.weights_of_layers
        beta = np.dot(self.pressure_draw.probabilities, self.betas)
        total = weights.sum() if self.objective == "summed" else 1.0
        return ops.convert_to_tensor(total, "float32"), ops.convert_to_tensor(beta, "float32")

    def track(self, terms: LossTerms, batch_size: Tensor) -> None:
        """Adds a step's terms and its pressure to the metrics."""
        # Every step draws beta afresh, so its mean is worth showing, not its latest value.
        super().track(terms.replace(state={}), batch_size)
        self.beta_tracker.update_state(terms.state["beta"], sample_weight=batch_size)
