"""DeVAE: a VAE with latent layers of decreasing information bottleneck."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor, flag
from keras_devae.errors import UsageError
from keras_devae.layers import DiTStack, LayerDraw, LayerEmbedding, derived_seeds
from keras_devae.losses import gaussian_kl
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DeVAE(VAE):
    """Decremental variational autoencoder.

    From "Variational Autoencoders with Decremental Information Bottleneck for Disentanglement".
    K latent layers share one encoder and one decoder; layer i is a learned diagonal scaling of
    layer 0 (`DiTStack`) under its own pressure beta_i:

        L_i = reconstruction(x, decoder([z_i, v_i])) + beta_i * KL_i

    Layer 0, regularised least, is the representation and reconstructs well. The later layers,
    regularised more strongly, separate the latents. Because the scalings neither mix nor reorder
    dimensions, the disentanglement they find also holds in layer 0.

    `fit` shows the losses of each layer, averaged over the steps that drew it; 0 if none did.
    In validation the loss is the weighted sum over all layers (`sum_i p_i L_i`, or
    `sum_i s^i L_i` for the summed objective), with posterior means instead of samples.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`; its input is `2 * latent_dim` wide, a code and its layer's vector, or
            without `layer_vectors` a code, `latent_dim` wide.
        betas: The K pressures, each at least 0; default `(1, 10, 40)`. They are meant for sums
            over 64x64 pixels: for other image sizes, scale them with the number of pixels.
        objective: `"sampled"` (default): every step draws one layer with `p_i = s^i / sum_j s^j`
            and minimises L_i, as in the paper. `"summed"`: every step minimises `sum_i s^i L_i`,
            as in the authors' released code.
        layer_weight_base: The s of these formulas, at least 0; default 1, equal weights. 0 trains
            layer 0 only.
        layer_vectors: Whether the decoder sees the learned vector v_i of the layer that a code
            comes from; default true, as in the paper.
        scaling_learning_rate: How much faster the scalings learn than other weights, above 0;
            default 1, equally fast. Only `DeVAE` itself has such scalings; its subclasses
            refuse any other value.
        **kwargs: Further arguments of `VAE`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.DeVAE.for_images((32, 32, 1), latent_dim=10, betas=(1, 10, 40))
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.encode(images).shape, model.encode(images, layer=None).shape
        ((64, 10), (3, 64, 10))
    """

    declaration = MODEL_CATALOGUE["devae"]
    #: The layer that computes the posteriors of all latent layers from the encoder's.
    stack_class: type[keras.layers.Layer] = DiTStack

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        betas: Sequence[float] = declaration.defaults["betas"],
        objective: str = declaration.defaults["objective"],
        layer_weight_base: float = declaration.defaults["layer_weight_base"],
        layer_vectors: bool = declaration.defaults["layer_vectors"],
        scaling_learning_rate: float = declaration.defaults["scaling_learning_rate"],
        **kwargs: Any,
    ) -> None:
        # Needed before the networks are checked: their widths depend on them.
        self.set_options(betas=betas, layer_vectors=layer_vectors)
        self.num_layers = len(self.betas)
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(objective=objective, layer_weight_base=layer_weight_base)
        draw_seed, vector_seed = derived_seeds(self.seed, 2, purpose=1)
        self.stack = self.stack_class(self.num_layers, **self._rate(scaling_learning_rate))
        if not self.stack.built:
            self.stack.build((None, self.latent_dim))
        self.layer_embedding = None
        if self.layer_vectors:
            self.layer_embedding = LayerEmbedding(self.num_layers, seed=vector_seed)
            self.layer_embedding.build((None, self.latent_dim))
        self.layer_draw = LayerDraw(self.num_layers, self.layer_weight_base, seed=draw_seed)
        self.layer_trackers = [
            keras.metrics.Mean(f"{term}_loss_layer_{i}")
            for i in range(self.num_layers)
            for term in ("reconstruction", "kl")
        ]

    def _rate(self, scaling_learning_rate):
        """Returns the stack's argument for the learning rate of scalings, if it has scalings."""
        if "scaling_learning_rate" in self.declaration.options:
            self.set_options(scaling_learning_rate=scaling_learning_rate)
            return {"learning_rate_multiplier": self.scaling_learning_rate}
        if scaling_learning_rate != 1:
            raise UsageError(
                f"{type(self).__name__} has no scalings, so that `scaling_learning_rate` must be "
                f"1. Received: {scaling_learning_rate}."
            )
        return {}

    @classmethod
    def decoder_input_dim(
        cls,
        latent_dim: int,
        layer_vectors: bool = declaration.defaults["layer_vectors"],
        **options: Any,
    ) -> int:
        """Returns the width of a code, and of its layer's vector if the decoder sees it."""
        return 2 * latent_dim if flag("layer_vectors", layer_vectors) else latent_dim

    def network_options(self) -> dict[str, Any]:
        """Returns whether the decoder sees the layers' vectors."""
        return {**super().network_options(), "layer_vectors": self.layer_vectors}

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes and decodes through layer 0, see `VAE.call`.

        In training, the objective chooses which layer to sample and decode, so the outputs are
        only `z_mean` and `z_log_var`, `(batch, latent_dim)`, and the `posterior_outputs`.
        """
        encoded = self.posterior_of(self.pixels(images), training)
        posterior = self.posterior_outputs(*encoded)
        if training:
            return posterior
        posterior["z"] = posterior["z_mean"]
        return self.with_reconstruction(
            posterior, self._with_vectors(posterior["z"], index=0), training
        )

    def posterior_outputs(self, mean: Tensor, log_var: Tensor) -> dict[str, Tensor]:
        """Returns the outputs of `call` in training: here the posterior of layer 0."""
        return {"z_mean": mean, "z_log_var": log_var}

    def encoded(self, outputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Returns the encoder's means and log-variances from the outputs of `call`."""
        return outputs["z_mean"], outputs["z_log_var"]

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        layers, weights = self._layers_of_step(training)
        mean, log_var = self.stack(*self.encoded(outputs), index=layers)
        z = self.sampling(mean, log_var) if training else mean
        inputs = self._with_vectors(z, index=layers)
        decoded = self._decode_layers(inputs, training)
        reconstruction = ops.mean(self.likelihood.negative_log_likelihood(pixels, decoded), axis=1)
        kl = ops.mean(gaussian_kl(mean, log_var), axis=1)
        betas = ops.take(ops.convert_to_tensor(self.betas, "float32"), layers)
        return LossTerms(
            reconstruction=reconstruction,
            kl=kl,
            penalties={"kl": (weights * betas, ops.sum(kl, axis=-1))},
            layers=layers,
            weights=weights,
            decoder_inputs=inputs,
        )

    def _layers_of_step(self, training):
        """Returns the layers of this step and their weights in the loss, both `(n,)`."""
        if training and self.objective == "sampled":
            return self.layer_draw.draw(), ops.ones((1,), "float32")
        sampled = self.objective == "sampled"
        weights = self.layer_draw.probabilities if sampled else self.layer_draw.weights_of_layers
        return ops.arange(self.num_layers), ops.convert_to_tensor(weights, "float32")

    def _decode_layers(self, inputs, training):
        """Decodes inputs `(n, batch, decoder's width)` in one pass of the decoder."""
        n = inputs.shape[0]
        decoded = self.decoder(ops.reshape(inputs, (-1, inputs.shape[-1])), training=training)
        return ops.reshape(decoded, (n, -1, *self.image_shape))

    def track(self, terms: LossTerms, batch_size: Tensor) -> None:
        """Adds a step's terms to the metrics, in total and for each layer."""
        super().track(terms, batch_size)
        values = (terms.reconstruction, ops.sum(terms.kl, axis=-1))
        for i in range(self.num_layers):
            seen = ops.cast(terms.layers == i, "float32")
            weight = ops.sum(seen) * ops.cast(batch_size, "float32")
            for value, tracker in zip(values, self.layer_trackers[2 * i : 2 * i + 2], strict=True):
                tracker.update_state(ops.sum(seen * value), sample_weight=weight)

    def metrics_not_updated(self) -> set[str]:
        """Returns the names of the metrics of layers that no step of this epoch drew."""
        return {t.name for t in self.layer_trackers if not float(ops.convert_to_numpy(t.count))}

    def layer_losses(self) -> dict[int, float]:
        """Returns the last reconstruction loss of each layer, see `Inference.layer_losses`."""
        not_updated = self.metrics_not_updated()
        return {
            i: float(ops.convert_to_numpy(tracker.result()))
            for i, tracker in enumerate(self.layer_trackers[::2])
            if tracker.name not in not_updated
        }

    def training_warnings(self, logs: dict[str, Any]) -> list[str]:
        """Adds a sentence about scalings that have reached their bound."""
        if logs.get("reconstruction_loss_layer_0") == 0:
            # No step of the epoch drew layer 0: its KL of 0 is an empty metric, not a collapse.
            logs = {**logs, "kl_loss_layer_0": np.inf}
        return super().training_warnings(logs) + self.stack.warnings()

    def decoder_inputs(self, z: Any, layer: int) -> Tensor:
        """Returns codes with the layer's vector appended, if the decoder sees it."""
        return self._with_vectors(ops.convert_to_tensor(z), index=layer)

    def _with_vectors(self, codes, index):
        return codes if self.layer_embedding is None else self.layer_embedding(codes, index=index)

    def posterior_of_layers(self, mean: Any, log_var: Any) -> tuple[Tensor, Tensor]:
        """Returns the posterior of all K layers, each `(K, batch, latent_dim)`, as tensors."""
        return self.stack(ops.convert_to_tensor(mean), ops.convert_to_tensor(log_var))

    def posterior_of_layer(self, mean: Any, log_var: Any, layer: int) -> tuple[Any, Any]:
        """Returns the posterior of one layer, `(batch, latent_dim)`; takes symbolic tensors too."""
        return self.stack(mean, log_var, index=layer)
