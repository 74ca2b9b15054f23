"""A hierarchy of latent layers linked by arbitrary linear maps: what DiT is compared with."""

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.layers.latent_stack import LatentStack

_LOG_VAR_LIMIT = 20.0


@keras.saving.register_keras_serializable(package="keras_devae")
class LinearStack(LatentStack):
    """K latent layers, each an arbitrary linear map of the one before (DeVAE paper, table 2).

        mean_i    = mean_{i-1} A_i
        log_var_i = log_var_{i-1} B_i + b_i

    With diagonal A_i and B_i = I this is `DiTStack`, where it starts: A_i = B_i = I, b_i = 0.
    Nothing keeps the maps diagonal, so that a layer may mix the dimensions of layer 0. Computed in
    float32; log-variances are clipped to +-20.

    Args:
        num_layers: K, at least 1. With 1 the stack holds no weights.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> means, log_vars = LinearStack(3)(ops.ones((8, 10)), ops.zeros((8, 10)))
        >>> ops.shape(means)
        (3, 8, 10)
    """

    def build(self, mean_shape: tuple, log_var_shape: tuple | None = None) -> None:
        """Creates `mean_maps`, `log_var_maps` and `log_var_biases`: identity at the start."""
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
