"""The ladder VAE: a hierarchy of latent layers whose posteriors share the top-down pass."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend.replicas import mean_over_batch
from keras_devae.checks import Array, Tensor, flag
from keras_devae.layers import TopDownPass, derived_seeds
from keras_devae.losses import gaussian_kl
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.options import layer_dims_of
from keras_devae.models.sampled_inference import SampledInference
from keras_devae.models.vae import VAE
from keras_devae.schedules import ConstantSchedule, LinearSchedule


@keras.saving.register_keras_serializable(package="keras_devae")
class LadderVAE(SampledInference, VAE):
    """Ladder VAE (Soenderby et al. 2016): minimises `reconstruction + t * sum_i KL(q_i, p_i)`.

    L stochastic layers `z_1, ..., z_L`, layer 1 next to the image. The prior of z_L is the standard
    normal; the prior of every other layer is a learned Gaussian given the layer above. The encoder
    returns a Gaussian for each layer. The posterior of the top layer is the encoder's; the
    posterior of a lower layer merges the encoder's Gaussian and its prior, each weighted with its
    precision (`keras_devae.layers.PrecisionWeightedMerge`). t grows from 0 to 1, so that no layer
    is switched off before it has learned anything. `fit` shows t as `beta`.

    **Codes are in units of their priors**: `z_i = mean_p(z_{i+1}) + std_p(z_{i+1}) * e_i`, and the
    model's codes are `e = (e_1, ..., e_L)`, side by side. The KL divergence does not change under
    such a map, and the prior of e is the standard normal, as in every other model: codes,
    traversals, samples, scores and exports mean the same. `layer_codes` returns the z_i, and
    `layer_slices` says which columns of a code belong to which layer.

    The posterior of a lower layer depends on the codes of the layers above. In training these are
    samples, given which the KL divergence is exact; validation and scores average it over fixed
    draws (`keras_devae.losses.balanced_draws`). `encode` follows the means from the top down, or
    with `sample=True` samples. The codes together have no log-variances, so `posterior` is refused.

    With one layer this is `VAE` with a warm-up. The networks between stochastic layers are the
    paper's: two dense layers, of 256 units between z_1 and z_2, then 128, 64 and 32, with
    batch normalisation and leaky ReLU. Departures: encoder and decoder of the image are the same
    as in the other models, without batch normalisation; the networks return log-variances, where
    the paper's return standard deviations through a softplus; and the priors of the lower layers
    start as the standard normal.

    Args:
        encoder: See `VAE`; `z_mean` and `z_log_var` hold the layers side by side, layer 1 first. In
            the one that `for_images` builds by name, each layer's Gaussian is computed from the
            features of the layer below. A function of your own may name the argument `layer_dims`.
        decoder: See `VAE`; its input is z_1, `layer_dims[0]` wide.
        layer_dims: Number of latent dimensions of each layer, layer 1 first, which add up to
            `latent_dim`; or `None` (default) for up to three layers in the proportions 4 : 2 : 1 of
            the paper's 64, 32 and 16: 6, 3 and 1 of ten latent dimensions.
        kl_warmup_steps: Steps until t is 1, at least 0; default 30,000, a tenth of the 300,000
            steps that defaults are meant for; the paper has 200 epochs. 0 starts with 1.
        batch_normalization: Whether the networks between the stochastic layers have batch
            normalisation; default true.
        **kwargs: Further arguments of `VAE`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.LadderVAE.for_images((32, 32, 1), latent_dim=10, layer_dims=(6, 3, 1))
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.encode(images).shape, [z.shape for z in model.layer_codes(images)]
        ((64, 10), [(64, 6), (64, 3), (64, 1)])
    """

    declaration = MODEL_CATALOGUE["ladder_vae"]
    state_names = ("beta",)
    code_outputs = ("z_mean", "z_log_var")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        layer_dims: Sequence[int] | None = declaration.defaults["layer_dims"],
        kl_warmup_steps: int = declaration.defaults["kl_warmup_steps"],
        batch_normalization: bool = declaration.defaults["batch_normalization"],
        **kwargs: Any,
    ) -> None:
        # Needed before the networks are checked: their widths depend on it.
        self.set_options(layer_dims=layer_dims)
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(kl_warmup_steps=kl_warmup_steps, batch_normalization=batch_normalization)
        self.layer_dims = layer_dims_of({"layer_dims": layer_dims}, self.latent_dim)
        self._warmup = (
            LinearSchedule(0.0, 1.0, kl_warmup_steps) if kl_warmup_steps else ConstantSchedule(1.0)
        )
        # Use the model's dtype policy, so that a loaded model computes as it did when it was saved.
        self.top_down = TopDownPass(
            self.layer_dims,
            batch_normalization,
            derived_seeds(self.seed, 1, purpose=4)[0],
            dtype=self.dtype_policy,
        )

    @classmethod
    def encoder_options(cls, latent_dim: int, **options: Any) -> dict[str, Any]:
        """Returns the arguments of the function that builds the encoder."""
        name = "batch_normalization"
        return {
            "latent_dim": latent_dim,
            "layer_dims": layer_dims_of(options, latent_dim),
            name: flag(name, options.get(name, cls.declaration.defaults[name])),
        }

    @classmethod
    def decoder_input_dim(cls, latent_dim: int, **options: Any) -> int:
        """Returns the number of latent dimensions of layer 1."""
        return layer_dims_of(options, latent_dim)[0]

    def network_options(self) -> dict[str, Any]:
        """Returns the constructor's arguments that the networks depend on."""
        return {"layer_dims": self.layer_dims}

    @property
    def layer_slices(self) -> tuple[slice, ...]:
        """The columns of a code that belong to each stochastic layer, layer 1 first."""
        ends = np.cumsum(self.layer_dims).tolist()
        return tuple(slice(end - dim, end) for end, dim in zip(ends, self.layer_dims, strict=True))

    # The forward pass and the objective.

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes and decodes images, see `VAE.call`; the decoder's input is z_1.

        `z_mean` and `z_log_var` are the posterior given the layers above, of which there are
        samples in training and otherwise means; `base_mean` and `base_log_var`, of the same shape,
        are the encoder's own Gaussians.
        """
        mean, log_var = self.posterior_of(self.pixels(images), training)
        # Noise of its own, as the means of lower layers depend on the samples above them.
        noise = self.sampling(ops.zeros_like(mean), ops.zeros_like(mean)) if training else None
        outputs = self.top_down(mean, log_var, noise, training=training)
        layers = outputs.pop("layers")
        outputs |= {"base_mean": mean, "base_log_var": log_var}
        return self.with_reconstruction(outputs, layers[0], training)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        if not training:
            base = outputs["base_mean"], outputs["base_log_var"]
            divergences = self._drawn(*base, self._fixed_noise())[1]
            terms = terms.replace(kl=mean_over_batch(ops.mean(divergences, axis=(0, 1))[None]))
        beta = self._warmup(self.steps.step)
        return terms.replace(penalties={"kl": (beta, terms.total_kl)}, state={"beta": beta})

    # Inference.

    def codes_of_layers(self, encoded: dict[str, Tensor]) -> Tensor:
        """Returns the codes, `(1, batch, latent_dim)`, which follow the means from the top down."""
        return ops.expand_dims(self.top_down(*self.bounded(encoded))["z"], 0)

    def draw_codes(self, encoded: dict[str, Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
        """Draws codes from the top down, see `SampledInference`; given each, the KL is exact."""
        codes, divergences = self._drawn(*self.bounded(encoded), noise)
        return codes, ops.sum(divergences, axis=-1)

    def _drawn(self, mean, log_var, noise):
        """Returns codes and each dimension's divergence, both `(s, batch, latent_dim)`."""
        everywhere = ops.zeros_like(mean) + ops.cast(noise, "float32")
        by_row = (ops.zeros_like(everywhere) + x for x in (mean, log_var))
        shape = (everywhere.shape[0], -1, self.latent_dim)
        rows = [ops.reshape(x, (-1, self.latent_dim)) for x in (*by_row, everywhere)]
        found = self.top_down(*rows)
        divergences = gaussian_kl(found["z_mean"], found["z_log_var"])
        return ops.reshape(found["z"], shape), ops.reshape(divergences, shape)

    def decoder_inputs_of(self, outputs: dict[str, Tensor]) -> Tensor:
        """Returns the codes of all layers, so that the penalty on the Jacobian concerns all."""
        return outputs["z"]

    def decode_inputs(self, inputs: Tensor) -> Tensor:
        """Decodes codes of all layers, from the top down."""
        return super().decode_inputs(self.decoder_inputs(inputs, 0))

    def decoder_inputs(self, z: Any, layer: int) -> Tensor:
        """Returns z_1 of codes e."""
        return self.top_down.layers_of(ops.convert_to_tensor(z))[0]

    def layer_codes(self, images: Any, batch_size: int = 256) -> list[Array]:
        """Returns the layers' own codes z_i of images, which follow the means from the top down.

        Args:
            images: See `encode`.
            batch_size: Number of images to encode at a time; default 256.

        Returns:
            A list of L float32 arrays `(n, layer_dims[i])`, layer 1 first.
        """
        codes = self.encode(images, batch_size=batch_size)
        return [ops.convert_to_numpy(z) for z in self.top_down.layers_of(codes)]
