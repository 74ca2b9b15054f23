"""DeVAE: a VAE with latent layers of decreasing information bottleneck."""

import keras
import numpy as np
from keras import ops

from keras_devae.checks import finite_at_least, one_of, pressures
from keras_devae.layers import DiTStack, LayerDraw, LayerEmbedding, derived_seeds
from keras_devae.losses import gaussian_kl
from keras_devae.models.vae import VAE, LossTerms

OBJECTIVES = ("sampled", "summed")


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAE(VAE):
    """Decremental variational autoencoder.

    After "Variational Autoencoders with Decremental Information Bottleneck for Disentanglement".
    K latent layers share one encoder and one decoder; layer i is a learned diagonal scaling of
    layer 0 (`DiTStack`) under its own pressure beta_i:

        L_i = reconstruction(x, decoder([z_i, v_i])) + beta_i * KL_i

    Layer 0, under the weakest pressure, is the representation and reconstructs well; the layers
    behind it press the latents apart, and because the scalings neither mix nor reorder dimensions
    the disentanglement they find holds in layer 0 too.

    `fit` shows the losses of each layer, averaged over the steps that drew it; 0 where none did.
    In validation the loss is that of all layers with their weights (`sum_i p_i L_i`, or
    `sum_i s^i L_i` for the summed objective), with posterior means in place of samples.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`; it takes `2 * latent_dim` numbers, a code and its layer's vector.
        betas: The K pressures, each at least 0; default `(1, 10, 40)`. They refer to sums over
            64x64 pixels: at another size scale them with the number of pixels.
        objective: `"sampled"` (default): every step draws one layer with `p_i = s^i / sum_j s^j`
            and minimises L_i, as in the paper. `"summed"`: every step minimises `sum_i s^i L_i`,
            as in the authors' released code.
        layer_weight_base: The s of these formulas, at least 0; default 1, all layers alike. 0
            trains layer 0 only.
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
        # The widths of the networks depend on the number of layers.
        self.betas = pressures("betas", betas)
        self.num_layers = len(self.betas)
        super().__init__(encoder, decoder, **kwargs)
        self.objective = objective
        self.layer_weight_base = finite_at_least("layer_weight_base", layer_weight_base)
        self._make_layers()

    def _make_layers(self):
        draw_seed, vector_seed = derived_seeds(self.seed, 2, purpose=1)
        self.stack = self._make_stack()
        self.layer_embedding = LayerEmbedding(self.num_layers, seed=vector_seed)
        self.layer_embedding.build((None, self.latent_dim))
        self.layer_draw = LayerDraw(self.num_layers, self.layer_weight_base, seed=draw_seed)
        self.layer_trackers = [
            keras.metrics.Mean(f"{term}_loss_layer_{i}")
            for i in range(self.num_layers)
            for term in ("reconstruction", "kl")
        ]

    def _make_stack(self):
        """Returns the layer, built, that makes the posteriors of all layers from the encoder's."""
        stack = DiTStack(self.num_layers)
        stack.build((None, self.latent_dim))
        return stack

    @classmethod
    def decoder_input_dim(cls, latent_dim, **options):
        """Returns twice the number of latent dimensions: a code and its layer's vector."""
        del options
        return 2 * latent_dim

    def call(self, images, training=False):
        """Encodes and decodes through layer 0.

        Args:
            images: `(batch, height, width, channels)`.
            training: With true only the posterior is computed: which layer is sampled and decoded
                is the objective's choice.

        Returns:
            The dictionary of `VAE.call`; in training `z_mean` and `z_log_var` of layer 0 only.
        """
        encoded = self.posterior_of(self.pixels(images), training)
        posterior = self._posterior_outputs(*encoded)
        if training:
            return posterior
        posterior["z"] = posterior["z_mean"]
        return self.with_reconstruction(
            posterior, self.layer_embedding(posterior["z"], index=0), training
        )

    def _posterior_outputs(self, mean, log_var):
        """Returns the part of `call`'s outputs that the objective reads."""
        return {"z_mean": mean, "z_log_var": log_var}

    def _encoded(self, outputs):
        """Returns the encoder's means and log-variances from the outputs of `call`."""
        return outputs["z_mean"], outputs["z_log_var"]

    def loss_terms(self, pixels, outputs, training):
        """Computes the loss of one batch, see the class."""
        layers, weights = self._layers_of_step(training)
        mean, log_var = self.stack(*self._encoded(outputs), index=layers)
        z = self.sampling(mean, log_var) if training else mean
        decoded = self._decode_layers(z, layers, training)
        reconstruction = ops.mean(self.likelihood.negative_log_likelihood(pixels, decoded), axis=1)
        kl = ops.mean(gaussian_kl(mean, log_var), axis=1)
        betas = ops.take(ops.convert_to_tensor(self.betas, "float32"), layers)
        return LossTerms(
            reconstruction=reconstruction,
            kl=kl,
            penalties={"kl": (weights * betas, ops.sum(kl, axis=-1))},
            layers=layers,
            weights=weights,
        )

    def _layers_of_step(self, training):
        """Returns the layers of this step and their weights in the loss, both `(n,)`."""
        if training and self.objective == "sampled":
            return self.layer_draw.draw(), ops.ones((1,), "float32")
        sampled = self.objective == "sampled"
        weights = self.layer_draw.probabilities if sampled else self.layer_draw.weights_of_layers
        return ops.arange(self.num_layers), ops.convert_to_tensor(weights, "float32")

    def _decode_layers(self, z, layers, training):
        """Decodes `(n, batch, latent_dim)` in one pass of the decoder."""
        inputs = self.layer_embedding(z, index=layers)
        n = inputs.shape[0]
        decoded = self.decoder(ops.reshape(inputs, (-1, inputs.shape[-1])), training=training)
        return ops.reshape(decoded, (n, -1, *self.image_shape))

    def track(self, terms, batch_size):
        """Adds a step's terms to the metrics, in all and for each layer."""
        super().track(terms, batch_size)
        values = (terms.reconstruction, ops.sum(terms.kl, axis=-1))
        for i in range(self.num_layers):
            seen = ops.cast(terms.layers == i, "float32")
            weight = ops.sum(seen) * ops.cast(batch_size, "float32")
            for value, tracker in zip(values, self.layer_trackers[2 * i : 2 * i + 2], strict=True):
                tracker.update_state(ops.sum(seen * value), sample_weight=weight)

    def metrics_not_updated(self):
        """Returns the names of the metrics of layers that no step of this epoch drew."""
        return {t.name for t in self.layer_trackers if not float(ops.convert_to_numpy(t.count))}

    def layer_losses(self):
        """Returns the reconstruction loss of each layer seen last, see `Inference.layer_losses`."""
        not_updated = self.metrics_not_updated()
        return {
            i: float(ops.convert_to_numpy(tracker.result()))
            for i, tracker in enumerate(self.layer_trackers[::2])
            if tracker.name not in not_updated
        }

    def training_warnings(self, logs):
        """Adds a sentence about scalings that have run into their bound."""
        if logs.get("reconstruction_loss_layer_0") == 0:
            # No step of the epoch drew layer 0: its metrics are empty, which is no collapse.
            logs = {**logs, "kl_loss_layer_0": np.inf}
        sentences = super().training_warnings(logs)
        return sentences + self.stack.complaints()

    def decoder_inputs(self, z, layer):
        """Returns codes with the layer's vector appended."""
        return self.layer_embedding(ops.convert_to_tensor(z), index=layer)

    def posterior_of_layers(self, mean, log_var):
        """Returns the posterior of all K layers, each `(K, batch, latent_dim)`, as tensors."""
        return self.stack(ops.convert_to_tensor(mean), ops.convert_to_tensor(log_var))

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "betas": list(self.betas),
            "objective": self.objective,
            "layer_weight_base": self.layer_weight_base,
        }
