"""Layers of the ladder VAE: merged Gaussians, learned priors, and the top-down pass."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_devae.checks import Tensor, flag, widths
from keras_devae.errors import UsageError
from keras_devae.layers.batch_normalization import BatchNormalization
from keras_devae.layers.random_layers import derived_seeds

#: Bound of the log-variance of a prior or posterior, as in the models.
_LOG_VAR_LIMIT = 20.0
_WIDEST, _NARROWEST = 512, 16
_DENSE_LAYERS = 2


def ladder_width(index: int) -> int:
    """Returns the width of the dense layers before stochastic layer `index`, counted from 0.

    512, 256, 128, 64 and 32, as in Soenderby et al. (2016), and at least 16.
    """
    return max(_WIDEST >> index, _NARROWEST)


def ladder_block(
    units: int,
    kernels: Iterator[keras.initializers.Initializer],
    batch_normalization: bool,
    dtype: Any = None,
) -> list[keras.layers.Layer]:
    """Returns the layers between two stochastic ones: twice dense, normalised, leaky ReLU of 0.1.

    `kernels` are the initialisers of the two kernels; `dtype` is the dtype policy.
    """
    block: list[keras.layers.Layer] = []
    for _ in range(_DENSE_LAYERS):
        # The shift of the normalisation takes the place of the bias.
        bias = not batch_normalization
        block += [layers.Dense(units, use_bias=bias, kernel_initializer=next(kernels), dtype=dtype)]
        block += [BatchNormalization(momentum=0.9, dtype=dtype)] if batch_normalization else []
        block += [layers.LeakyReLU(0.1, dtype=dtype)]
    return block


@keras.saving.register_keras_serializable(package="keras_devae")
class PrecisionWeightedMerge(keras.layers.Layer):
    """Merges two diagonal Gaussians, each weighted with its precision (Soenderby et al. 2016).

    With the encoder's N(m, s^2) and the prior's N(m_p, s_p^2):

        variance = 1 / (1 / s^2 + 1 / s_p^2)
        mean     = variance * (m / s^2 + m_p / s_p^2)

    Up to its scale that is the product of their densities. Computed in float32, from differences
    of log-variances, so that no variance overflows.

    Example:
        >>> merge = PrecisionWeightedMerge()
        >>> mean, log_var = merge(ops.ones((8, 2)), ops.zeros((8, 2)))
        >>> float(mean[0, 0]), float(ops.exp(log_var)[0, 0])
        (0.5, 0.5)
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.built = True

    def call(
        self,
        mean: Tensor,
        log_var: Tensor,
        prior_mean: Tensor | float = 0.0,
        prior_log_var: Tensor | float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Returns mean and log-variance of the merged Gaussian, `(..., latent_dim)`.

        Args:
            mean: The encoder's means, `(..., latent_dim)`.
            log_var: The encoder's log-variances, of the same shape.
            prior_mean: The prior's means, of the same shape or a number; default 0.
            prior_log_var: The prior's log-variances, likewise; default 0.
        """
        log_precision = prior_log_var - log_var
        merged = prior_mean + ops.sigmoid(log_precision) * (mean - prior_mean)
        return merged, prior_log_var - ops.softplus(log_precision)


@keras.saving.register_keras_serializable(package="keras_devae")
class ConditionalPrior(keras.layers.Layer):
    """The learned prior of one stochastic layer given the codes of the layer above.

    Two dense layers and two linear heads, the heads in float32 under every dtype policy. It starts
    as the standard normal, whatever the codes above.

    Args:
        latent_dim: Number of latent dimensions, at least 1.
        units: Width of the dense layers, at least 1.
        batch_normalization: Whether to normalise the dense layers over the batch; default true.
        seed: Integer seed of the initial weights, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> mean, log_var = ConditionalPrior(latent_dim=6, units=256)(ops.ones((8, 3)))
        >>> ops.shape(mean)
        (8, 6)
    """

    def __init__(
        self,
        latent_dim: int,
        units: int,
        batch_normalization: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        # Codes are float32; only the dense layers may compute in half precision.
        super().__init__(**{"autocast": False, **kwargs})
        (self.latent_dim,) = widths("latent_dim", (latent_dim,))
        (self.units,) = widths("units", (units,))
        self.batch_normalization = flag("batch_normalization", batch_normalization)
        self.seed = seed
        seeds = derived_seeds(seed, _DENSE_LAYERS)
        kernels = (keras.initializers.GlorotUniform(seed=seed) for seed in seeds)
        self.hidden = ladder_block(units, kernels, batch_normalization, self.dtype_policy)
        self.mean, self.log_var = (
            layers.Dense(latent_dim, dtype="float32", kernel_initializer="zeros", name=name)
            for name in ("mean", "log_var")
        )

    def build(self, above_shape: tuple) -> None:
        """Creates the weights for codes `(batch, width)` of the layer above."""
        for i, layer in enumerate(self.hidden):
            layer.build((None, self.units) if i else above_shape)
        for head in (self.mean, self.log_var):
            head.build((None, self.units))
        self.built = True

    def call(self, above: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns mean and log-variance, float32 `(batch, latent_dim)`, the latter within +-20."""
        x = above
        for layer in self.hidden:
            x = layer(x, training=training) if isinstance(layer, BatchNormalization) else layer(x)
        return self.mean(x), ops.clip(self.log_var(x), -_LOG_VAR_LIMIT, _LOG_VAR_LIMIT)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"latent_dim": self.latent_dim, "units": self.units, "seed": self.seed}
        return {**super().get_config(), **own, "batch_normalization": self.batch_normalization}


@keras.saving.register_keras_serializable(package="keras_devae")
class TopDownPass(keras.layers.Layer):
    """The top-down pass of the ladder VAE over L stochastic layers, in units of their priors.

    The code of layer i is `e_i` with `z_i = mean_p(z_{i+1}) + std_p(z_{i+1}) * e_i`; `e_L = z_L`.
    The prior of every e_i is then the standard normal. The posterior of the top layer is the
    encoder's; a lower layer's is the `PrecisionWeightedMerge` of the encoder's Gaussian and
    the layer's `ConditionalPrior`, both in units of that prior. Codes of all layers stand side by
    side, `e = (e_1, ..., e_L)`, `(batch, sum of the dims)`, layer 1 next to the image.

    Args:
        layer_dims: Number of latent dimensions of each layer, layer 1 first.
        batch_normalization: See `ConditionalPrior`.
        seed: Integer seed of the initial weights, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> outputs = TopDownPass((6, 3, 1))(ops.ones((8, 10)), ops.zeros((8, 10)))
        >>> ops.shape(outputs["z_mean"]), [ops.shape(z) for z in outputs["layers"]]
        ((8, 10), [(8, 6), (8, 3), (8, 1)])
    """

    def __init__(
        self,
        layer_dims: Sequence[int],
        batch_normalization: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**{"autocast": False, **kwargs})
        self.layer_dims = widths("layer_dims", layer_dims)
        if not self.layer_dims:
            raise UsageError("`layer_dims` must be at least one number. Received: none.")
        self.batch_normalization = flag("batch_normalization", batch_normalization)
        self.seed = seed
        self.merge = PrecisionWeightedMerge()
        seeds = derived_seeds(seed, len(self.layer_dims) - 1)
        self.priors = [
            ConditionalPrior(
                self.layer_dims[i],
                ladder_width(i + 1),
                batch_normalization,
                seed,
                dtype=self.dtype_policy,
            )
            for i, seed in enumerate(seeds)
        ]
        for prior, above in zip(self.priors, self.layer_dims[1:], strict=True):
            prior.build((None, above))
        self.built = True

    def call(
        self, mean: Tensor, log_var: Tensor, noise: Tensor | None = None, training: bool = False
    ) -> dict[str, Any]:
        """Computes posteriors and codes of all layers from the top down.

        Args:
            mean: The encoder's means of all layers, `(batch, sum of the dims)`.
            log_var: The encoder's log-variances, of the same shape.
            noise: Standard normal noise of the same shape, which makes the codes samples; or
                `None` (default) for their means.
            training: Whether to normalise by the batch itself; default false.

        Returns:
            Dictionary of `z_mean` and `z_log_var`, the posterior of e given the layers above, and
            `z`, the code e itself, all float32 `(batch, sum of the dims)`; and of `layers`, a list
            of the layers' own codes z_i, `(batch, dim)`.
        """
        parts = [self.split(x) for x in (mean, log_var)]
        noises = [None] * len(self.layer_dims) if noise is None else self.split(noise)
        found: list[tuple[Tensor, ...]] = []
        for i in reversed(range(len(self.layer_dims))):
            posterior, prior = (parts[0][i], parts[1][i]), None
            if found:
                prior = self.priors[i](found[0][-1], training=training)
                posterior = self._merged(posterior, prior)
            code = posterior[0]
            if noises[i] is not None:
                code = code + ops.exp(0.5 * posterior[1]) * noises[i]
            found.insert(0, (*posterior, code, _placed(code, prior)))
        means, log_vars, codes, own = zip(*found, strict=True)
        names = ("z_mean", "z_log_var", "z")
        joined = (_joined(each) for each in (means, log_vars, codes))
        return {**dict(zip(names, joined, strict=True)), "layers": list(own)}

    def layers_of(self, codes: Tensor, training: bool = False) -> list[Tensor]:
        """Returns the layers' own codes z_i, `(batch, dim)` each, of codes e `(batch, ...)`."""
        found: list[Tensor] = []
        parts = self.split(codes)
        for i in reversed(range(len(parts))):
            prior = self.priors[i](found[0], training=training) if found else None
            found.insert(0, _placed(parts[i], prior))
        return found

    def split(self, codes: Tensor) -> list[Tensor]:
        """Returns the columns of each layer, a list of `(..., dim)`."""
        ends = [sum(self.layer_dims[: i + 1]) for i in range(len(self.layer_dims) - 1)]
        return list(ops.split(codes, ends, axis=-1)) if ends else [codes]

    def _merged(self, posterior, prior):
        """Returns the merged posterior in units of the prior, in which the prior is N(0, I)."""
        (mean, log_var), (prior_mean, prior_log_var) = posterior, prior
        mean = (mean - prior_mean) * ops.exp(-0.5 * prior_log_var)
        mean, log_var = self.merge(mean, log_var - prior_log_var)
        return mean, ops.maximum(log_var, -_LOG_VAR_LIMIT)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"layer_dims": list(self.layer_dims), "seed": self.seed}
        return {**super().get_config(), **own, "batch_normalization": self.batch_normalization}


def _placed(code, prior):
    """Returns a code in units of its prior at its place in the layer's own space."""
    return code if prior is None else prior[0] + ops.exp(0.5 * prior[1]) * code


def _joined(parts):
    return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
