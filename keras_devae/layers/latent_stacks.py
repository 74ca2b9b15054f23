"""Layers that compute the posteriors of K latent layers from the encoder's posterior."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor, at_least, positive
from keras_devae.errors import UsageError


class LatentStack(keras.layers.Layer):
    """Base of the layers that compute the posteriors of K latent layers, K >= 1, in float32."""

    def __init__(self, num_layers: int, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_layers = at_least("num_layers", num_layers, 1)

    def call(self, mean: Tensor, log_var: Tensor, index: Tensor = None) -> tuple[Tensor, Tensor]:
        """Returns the posterior of one, some or all layers.

        Args:
            mean: The encoder's means, `(batch, latent_dim)`.
            log_var: Log-variances of the same shape.
            index: An integer or an integer scalar tensor for one layer, an integer tensor `(n,)`
                for n layers, or `None` (default) for all K.

        Returns:
            A pair (means, log-variances), float32: `(batch, latent_dim)` for one layer, otherwise
            `(n, batch, latent_dim)`.
        """
        raise NotImplementedError

    def warnings(self) -> list[str]:
        """Returns sentences about weights that have reached a bound; none by default."""
        return []

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_layers": self.num_layers}


@keras.saving.register_keras_serializable(package="keras_devae")
class DiTStack(LatentStack):
    """K latent layers, linked by disentanglement-invariant transformations (DiT).

    Layer i scales layer 0 by cumulative diagonal factors (DeVAE paper, equations 4 and 5):

        mean_i    = exp(S1_i) * mean_0             S1_i = sum of the first i rows of mean_log_scale
        log_var_i = log_var_0 + 2 * S2_i           S2_i = sum of the first i rows of std_log_scale

    Scaling a dimension by a positive number neither mixes nor reorders dimensions, so every layer
    is exactly as disentangled as layer 0. Computed in float32. The cumulative log-scales are
    clipped to `[-log_scale_limit, log_scale_limit]`, so that even many layers cannot overflow.

    Args:
        num_layers: K, at least 1. With 1 the stack holds no weights.
        log_scale_limit: Bound of the cumulative log-scales; default 10, a factor of 22,026.
        learning_rate_multiplier: How much faster the scalings learn than other weights, above 0;
            default 1. Log-scales are the weights times this number, because an optimizer such as
            Adam moves a weight at the same speed whatever the size of its gradient.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> stack = DiTStack(3)
        >>> means, log_vars = stack(ops.ones((8, 10)), ops.zeros((8, 10)))
        >>> ops.shape(means)
        (3, 8, 10)
    """

    def __init__(
        self,
        num_layers: int,
        log_scale_limit: float = 10.0,
        learning_rate_multiplier: float = 1.0,
        **kwargs: Any,
    ):
        super().__init__(num_layers, **kwargs)
        if positive("log_scale_limit", log_scale_limit) > 20:
            raise UsageError(f"`log_scale_limit` must lie in (0, 20]. Received: {log_scale_limit}.")
        self.log_scale_limit = log_scale_limit
        self.learning_rate_multiplier = positive(
            "learning_rate_multiplier", learning_rate_multiplier
        )

    def build(self, mean_shape: tuple, log_var_shape: tuple | None = None) -> None:
        """Creates `mean_log_scale` and `std_log_scale`, both `(K - 1, latent_dim)`, at zero."""
        del log_var_shape
        self.latent_dim = mean_shape[-1]
        if self.num_layers > 1:
            shape = (self.num_layers - 1, self.latent_dim)
            self.mean_log_scale = self.add_weight(shape, "zeros", name="mean_log_scale")
            self.std_log_scale = self.add_weight(shape, "zeros", name="std_log_scale")
        self.built = True

    def cumulated_log_scales(self, clip: bool = True) -> tuple[Tensor, Tensor]:
        """Returns `(S1, S2)`, float32 `(K, latent_dim)`; not clipped if `clip` is false."""
        first = ops.zeros((1, self.latent_dim), "float32")
        if self.num_layers == 1:
            return first, first
        limit = self.log_scale_limit if clip else float("inf")
        mean_log_scale, std_log_scale = (
            ops.concatenate([first, ops.clip(ops.cumsum(step, axis=0), -limit, limit)], axis=0)
            for step in map(self._scaled, (self.mean_log_scale, self.std_log_scale))
        )
        return mean_log_scale, std_log_scale

    def _scaled(self, weight):
        # Without the multiplication, results stay what they were before there was a multiplier.
        multiplier = self.learning_rate_multiplier
        return weight if multiplier == 1 else multiplier * ops.convert_to_tensor(weight)

    def warnings(self) -> list[str]:
        """Returns a sentence if a scaling has reached its bound."""
        log_scales = self.cumulated_log_scales(clip=False)
        if max(np.abs(ops.convert_to_numpy(s)).max() for s in log_scales) <= self.log_scale_limit:
            return []
        return [
            f"The scaling of a latent layer has reached its limit of e^{self.log_scale_limit:g}. "
            "Choose betas that are closer together, or fewer layers."
        ]

    def scales(self) -> tuple[Tensor, Tensor]:
        """Returns the cumulative factors of mean and standard deviation, each `(K, latent_dim)`."""
        mean_log_scale, std_log_scale = self.cumulated_log_scales()
        return ops.exp(mean_log_scale), ops.exp(std_log_scale)

    def call(self, mean: Tensor, log_var: Tensor, index: Tensor = None) -> tuple[Tensor, Tensor]:
        """Returns the posterior of one, some or all layers, see `LatentStack.call`."""
        mean_log_scale, std_log_scale = (
            ops.expand_dims(log_scale if index is None else ops.take(log_scale, index, axis=0), -2)
            for log_scale in self.cumulated_log_scales()
        )
        return mean * ops.exp(mean_log_scale), log_var + 2.0 * std_log_scale

    def compute_output_spec(
        self, mean: Tensor, log_var: Tensor, index: Tensor = None
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Returns the specs of means and log-variances."""
        leading = (self.num_layers,) if index is None else tuple(getattr(index, "shape", ()))
        spec = keras.KerasTensor((*leading, *mean.shape), dtype="float32")
        return spec, keras.KerasTensor(spec.shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = ("log_scale_limit", "learning_rate_multiplier")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


_LOG_VAR_LIMIT = 20.0


@keras.saving.register_keras_serializable(package="keras_devae")
class LinearStack(LatentStack):
    """K latent layers, each an arbitrary linear map of the one before (DeVAE paper, table 2).

        mean_i    = mean_{i-1} A_i
        log_var_i = log_var_{i-1} B_i + b_i

    With diagonal A_i and B_i = I this is `DiTStack`; it starts from A_i = B_i = I, b_i = 0.
    The maps need not stay diagonal, so a layer may mix the dimensions of layer 0. Computed in
    float32; log-variances are clipped to +-20. Takes the arguments of `DiTStack` except the limit.

    Example:
        >>> means, log_vars = LinearStack(3)(ops.ones((8, 10)), ops.zeros((8, 10)))
        >>> ops.shape(means)
        (3, 8, 10)
    """

    def build(self, mean_shape: tuple, log_var_shape: tuple | None = None) -> None:
        """Creates `mean_maps`, `log_var_maps` and `log_var_biases`, initially the identity."""
        del log_var_shape
        width = mean_shape[-1]
        self.mean_maps, self.log_var_maps, self.log_var_biases = [], [], []
        square = (width, width)
        for i in range(1, self.num_layers):
            self.mean_maps.append(self.add_weight(square, "identity", name=f"mean_map_{i}"))
            self.log_var_maps.append(self.add_weight(square, "identity", name=f"log_var_map_{i}"))
            self.log_var_biases.append(self.add_weight((width,), "zeros", name=f"log_var_bias_{i}"))
        self.built = True

    def call(self, mean: Tensor, log_var: Tensor, index: Tensor = None) -> tuple[Tensor, Tensor]:
        """Returns the posterior of one, some or all layers, see `LatentStack.call`."""
        means, log_vars = [mean], [log_var]
        maps = zip(self.mean_maps, self.log_var_maps, self.log_var_biases, strict=True)
        for mean_map, log_var_map, bias in maps:
            means.append(ops.matmul(means[-1], mean_map))
            mapped = ops.matmul(log_vars[-1], log_var_map) + bias
            log_vars.append(ops.clip(mapped, -_LOG_VAR_LIMIT, _LOG_VAR_LIMIT))
        all_means, all_log_vars = ops.stack(means), ops.stack(log_vars)
        if index is None:
            return all_means, all_log_vars
        return ops.take(all_means, index, axis=0), ops.take(all_log_vars, index, axis=0)


@keras.saving.register_keras_serializable(package="keras_devae")
class ParallelStack(LatentStack):
    """K latent spaces that share nothing (DeVAE paper, table 2); it has no weights.

    Layer i takes the i-th part of the encoder's means and log-variances, `(batch, K * latent_dim)`.
    Takes the arguments of `DiTStack` except the limit.

    Example:
        >>> means, log_vars = ParallelStack(3)(ops.ones((8, 30)), ops.zeros((8, 30)))
        >>> ops.shape(means)
        (3, 8, 10)
    """

    def __init__(self, num_layers: int, **kwargs: Any):
        super().__init__(num_layers, **kwargs)
        self.built = True

    def call(self, mean: Tensor, log_var: Tensor, index: Tensor = None) -> tuple[Tensor, Tensor]:
        """Returns the posterior of one, some or all layers, see `LatentStack.call`."""
        return self._part(mean, index), self._part(log_var, index)

    def _part(self, x: Tensor, index: Tensor) -> Tensor:
        layers = ops.reshape(x, (-1, self.num_layers, x.shape[-1] // self.num_layers))
        layers = ops.transpose(layers, (1, 0, 2))
        return layers if index is None else ops.take(layers, index, axis=0)
