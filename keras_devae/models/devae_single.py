"""DeVAE with one latent space under changing pressure, an ablation."""

import keras
import numpy as np
from keras import ops

from keras_devae.checks import finite_at_least, one_of, pressures
from keras_devae.layers import LayerDraw, derived_seeds
from keras_devae.models.devae import OBJECTIVES
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAESingle(VAE):
    """One latent space under K pressures in turn (DeVAE paper, table 2, row a).

    Every step draws one pressure for the whole batch and minimises

        reconstruction(x, decoder(z)) + beta_i * KL

    There are neither scalings nor layers' vectors: the space is the only layer, number 0. In
    expectation this is beta-VAE with the mean of the pressures, whose gradient the draw makes
    noisier.

    `fit` shows the mean of the drawn pressures as `beta`. In validation the loss is the expectation
    over the draw, or that of the summed objective, with posterior means in place of samples.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        betas: The K pressures, each at least 0; default `(1, 10, 40)`. They refer to sums over
            64x64 pixels: at another size scale them with the number of pixels.
        objective: `"sampled"` (default): every step draws one pressure with
            `p_i = s^i / sum_j s^j`. `"summed"`: every step minimises
            `sum_i s^i (reconstruction + beta_i * KL)`.
        layer_weight_base: The s of these formulas, at least 0; default 1, all pressures alike. 0
            keeps the first.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If an argument is out of range.
    """

    def __init__(
        self,
        encoder,
        decoder,
        betas=(1.0, 10.0, 40.0),
        objective="sampled",
        layer_weight_base=1.0,
        **kwargs,
    ):
        one_of("objective", objective, OBJECTIVES)
        super().__init__(encoder, decoder, **kwargs)
        self.betas = pressures("betas", betas)
        self.objective = objective
        self.layer_weight_base = finite_at_least("layer_weight_base", layer_weight_base)
        (draw_seed,) = derived_seeds(self.seed, 1, purpose=1)
        self.pressure_draw = LayerDraw(len(self.betas), self.layer_weight_base, seed=draw_seed)
        self.beta_tracker = keras.metrics.Mean("beta")

    def loss_terms(self, pixels, outputs, training):
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

    def track(self, terms, batch_size):
        """Adds a step's terms and its pressure to the metrics."""
        # What is drawn anew in every step is shown by its mean, not by the latest value.
        super().track(terms.replace(state={}), batch_size)
        self.beta_tracker.update_state(terms.state["beta"], sample_weight=batch_size)

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "betas": list(self.betas),
            "objective": self.objective,
            "layer_weight_base": self.layer_weight_base,
        }
