"""A variational autoencoder whose posterior is a Gaussian moved by normalizing flows."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.backend.replicas import mean_over_batch
from keras_devae.checks import Tensor
from keras_devae.layers import FlowChain, GaussianSampling, derived_seeds
from keras_devae.losses import flow_kl
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.sampled_inference import SampledInference


@keras.saving.register_keras_serializable(package="keras_devae")
class FlowVAE(SampledInference, ImageModel):
    """Variational autoencoder with normalizing flows (Rezende & Mohamed 2015; Kingma et al. 2016).

    A sample z_0 of the encoder's Gaussian goes through K flows to the code z_K, so the posterior of
    z_K is no longer a diagonal Gaussian. Minimises `reconstruction + KL`, where the divergence is
    estimated from the sample by `log q(z_0) - sum log |det| - log p(z_K)`, in the form of
    `keras_devae.losses.flow_kl`: if the weights of the flows, or of the encoder's output for planar
    ones, are zero, the model is a `VAE` exactly.

    - `"planar"`: `z + u tanh(w . z + b)`, invertible by a constraint on u, see
      `keras_devae.layers.planar_flow`. The encoder returns u, w and b of every flow for every
      image (amortised, as in the paper), ten times as large, so that the flows start near the
      identity.
    - `"iaf"`: inverse autoregressive flows. A masked network of the flow, `MADE`, which the
      encoder gives a context for every image, computes shifts and gates; every other network has
      its order reversed. See `keras_devae.layers.gated_flow` for what makes zero weights the
      identity, where the paper's gates would shrink the code.

    Free bits (Kingma et al. 2016, here with all latent dimensions as one group) count the
    batch's mean divergence as at least `free_bits`, in total over the dimensions. `fit` shows the
    divergence itself, `kl_loss`.

    In validation and evaluation the divergence is the mean over fixed draws
    (`keras_devae.losses.balanced_draws`). `encode` moves the Gaussian's mean; with `sample=True`,
    samples of it. `decode` takes z_K. The code's own log-variances are unknown, so `posterior` is
    refused.

    Args:
        encoder: See `VAE`; `z_mean` and `z_log_var` describe z_0. It also returns
            `flow_parameters`, `(batch, n)`: `num_flows * (2 * latent_dim + 1)` numbers for
            `"planar"`, `num_flows * flow_units[0]` for `"iaf"`.
        decoder: See `VAE`.
        flow: `"planar"` (default) or `"iaf"`.
        num_flows: Number of flows K, at least 1; default 2.
        flow_units: Widths of the hidden layers of each network of `"iaf"`; default
            `(128, 128, 128)`. Planar flows have none.
        free_bits: Nats of the divergence, in total, that cost nothing, at least 0; default 0.
        **kwargs: See `VAE`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.FlowVAE.for_images((32, 32, 1), flow="iaf", flow_units=(32, 32))
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.encode(images, sample=True, seed=0).shape
        (64, 10)
    """

    declaration = MODEL_CATALOGUE["flow_vae"]
    code_outputs = ("z_mean", "flow_parameters")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        flow: str = declaration.defaults["flow"],
        num_flows: int = declaration.defaults["num_flows"],
        flow_units: Sequence[int] = declaration.defaults["flow_units"],
        free_bits: float = declaration.defaults["free_bits"],
        **kwargs: Any,
    ) -> None:
        # Needed before the networks are checked: the encoder's width depends on them.
        self.set_options(flow=flow, num_flows=num_flows, flow_units=flow_units)
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(free_bits=free_bits)
        self.sampling = GaussianSampling(seed=self.seed)
        (flow_seed,) = derived_seeds(self.seed, 1, purpose=4)
        self.flows = FlowChain(
            self.latent_dim, self.flow, self.num_flows, self.flow_units, flow_seed, name="flows"
        )
        self.flows.build()

    @classmethod
    def encoder_options(cls, latent_dim: int, **options: Any) -> dict[str, Any]:
        """Returns the arguments of the function that builds the encoder."""
        given = {**cls.declaration.defaults, **options}
        chain = FlowChain(latent_dim, given["flow"], given["num_flows"], given["flow_units"])
        return {"latent_dim": latent_dim, "flow_parameters": chain.num_parameters}

    def network_options(self) -> dict[str, Any]:
        """Returns the constructor's arguments that the networks depend on."""
        return {
            "flow": self.flow,
            "num_flows": self.num_flows,
            "flow_units": self.flow_units,
        }

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes and decodes images `(batch, height, width, channels)`.

        Returns:
            Dictionary as of `VAE.call`, where `z` is z_K and `z_mean` the code that `encode`
            returns; in place of `z_log_var` it has `log_determinant`, `(batch,)`, of the flows at
            `base`, and of z_0 `base_mean`, `base_log_var` and `base`, the sample in training and
            otherwise the mean, `(batch, latent_dim)`, with `flow_parameters`, `(batch, n)`.
        """
        encoded = self.encoder(self.pixels(images), training=training)
        mean, log_var = self.bounded(encoded)
        parameters = ops.cast(encoded["flow_parameters"], "float32")
        base = self.sampling(mean, log_var) if training else mean
        z, log_determinant = self.flows(base, parameters)
        posterior = {
            "z_mean": self.flows(mean, parameters)[0] if training else z,
            "z": z,
            "base_mean": mean,
            "base_log_var": log_var,
            "base": base,
            "flow_parameters": parameters,
            "log_determinant": log_determinant,
        }
        return self.with_reconstruction(posterior, z, training)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        base = outputs["base_mean"], outputs["base_log_var"]
        if training:
            moved = outputs["base"], outputs["z"], outputs["log_determinant"]
            divergences = flow_kl(*base, *moved)
        else:
            names = dict(zip(("z_mean", "z_log_var"), base, strict=True))
            divergences = self.mean_divergence(
                {**names, "flow_parameters": outputs["flow_parameters"]}
            )
        kl = mean_over_batch(ops.mean(divergences))
        # Single estimates may be negative, which no free bits must hide.
        counted = ops.maximum(kl, self.free_bits) if self.free_bits else kl
        return terms.replace(kl=ops.reshape(kl, (1, 1)), penalties={"kl": (1.0, counted)})

    def codes_of_layers(self, encoded: dict[str, Tensor]) -> Tensor:
        """Returns the codes, `(1, batch, latent_dim)`, from the encoder's outputs."""
        mean = ops.cast(encoded["z_mean"], "float32")
        parameters = ops.cast(encoded["flow_parameters"], "float32")
        return ops.expand_dims(self.flows(mean, parameters)[0], 0)

    def draw_codes(self, encoded: dict[str, Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Draws codes and estimates the KL divergence from each, see `SampledInference`."""
        mean, log_var = self.bounded(encoded)
        base = mean + ops.exp(0.5 * log_var) * ops.cast(noise, "float32")
        parameters = ops.cast(encoded["flow_parameters"], "float32")
        codes, log_determinant = self.flows(base, parameters)
        return codes, flow_kl(mean, log_var, base, codes, log_determinant)
