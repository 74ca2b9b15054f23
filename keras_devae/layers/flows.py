"""Normalizing flows: invertible maps of codes whose log-determinants are cheap."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor, at_least, finite_at_least, flag, one_of, widths
from keras_devae.layers.masked_networks import MADE
from keras_devae.layers.random_layers import derived_seeds
from keras_devae.process.randomness import checked_seed

#: Kinds of flows: planar, or inverse autoregressive.
FLOWS = ("planar", "iaf")

#: Vectors w no longer than this change nothing but by a shift, and have no direction.
_SHORTEST = 1e-6
#: How far w . u stays above its bound of -1: a few roundings of float32.
_MARGIN = 1e-6
#: Bound of an autoregressive flow's gate before the sigmoid, as of log-variances.
_LARGEST_GATE = 20.0


def planar_flow(z: Tensor, u: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Computes a planar flow (Rezende & Mohamed 2015), `f(z) = z + u' tanh(w . z + b)`.

    It is invertible if w . u' > -1. So u' is u with its part along w replaced, as in appendix A.1
    of the paper, by `m(w . u)`, where m rises from -1 and is near the identity for large arguments.
    The paper's is `m(x) = -1 + log(1 + e^x)`; here it is `-1 + log(1 + (e - 1) e^x)`, its
    shift for which m(0) = 0, so that u = 0 is the identity.

    Computed in float32.

    Args:
        z: Codes `(..., batch, latent_dim)`.
        u: `(batch, latent_dim)`.
        w: `(batch, latent_dim)`.
        b: `(batch, 1)`.

    Returns:
        Pair of f(z), of the shape of z, and `log |det df/dz|`, `(..., batch)`, in nats.
    """
    z, u, w, b = (ops.cast(x, "float32") for x in (z, u, w, b))
    along = ops.sum(w * u, axis=-1, keepdims=True)
    squared = ops.sum(ops.square(w), axis=-1, keepdims=True)
    has_direction = squared > _SHORTEST**2
    allowed = ops.where(has_direction, _above_minus_one(along), along)
    step = (allowed - along) / ops.where(has_direction, squared, 1.0)
    activation = ops.tanh(ops.sum(w * z, axis=-1, keepdims=True) + b)
    # 1 + (1 - tanh^2) w . u', without the difference that would lose all digits near -1.
    slope = ops.square(activation)
    determinant = slope + (1.0 - slope) * (1.0 + allowed)
    return z + (u + step * w) * activation, ops.log(determinant)[..., 0]


def _above_minus_one(x):
    """Computes `-1 + log(1 + (e - 1) e^x)`, exactly 0 at 0 and never as low as -1."""
    above, below = ops.maximum(x, 0.0), ops.minimum(x, 0.0)
    share = 1 / math.e
    # Written so that no exponential overflows; one of the two logarithms is 0.
    value = above + ops.log(1.0 + share * (ops.exp(-above) - 1.0))
    value = value + ops.log(1.0 + (1 - share) * (ops.exp(below) - 1.0))
    return ops.maximum(value, _MARGIN - 1.0)


def gated_flow(
    z: Tensor, shift: Tensor, gate: Tensor, forget_bias: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Computes the step of an inverse autoregressive flow (Kingma et al. 2016), from its outputs.

    `z / sigmoid(c) * sigma + (1 - sigma) * shift` with `sigma = sigmoid(gate + c)`, which is
    algorithm 1 of the paper with its forget-gate bias c, but for the constant by which z is
    divided. So a gate of 0 is the identity exactly. Computed in float32.

    Args:
        z: Codes `(..., latent_dim)`.
        shift: The autoregressive network's m, of the same shape.
        gate: Its s, of the same shape; counts as 20 above 20 and as -20 below -20.
        forget_bias: The constant c; default 1.

    Returns:
        Pair of the new codes, of the shape of z, and the logarithm of the determinant if shift and
        gate of a dimension depend on those before it only, `(...)`, in nats.
    """
    z, shift, gate = (ops.cast(x, "float32") for x in (z, shift, gate))
    gate = ops.clip(gate, -_LARGEST_GATE, _LARGEST_GATE)
    closed = 1 / (1 + math.exp(forget_bias))
    # sigmoid(c) / sigmoid(gate + c); its exponential is exactly 1 for a gate of 0.
    inverse = 1.0 + closed * (ops.exp(-gate) - 1.0)
    opened = (1 - closed) / inverse
    return z / inverse + (1.0 - opened) * shift, -ops.sum(ops.log(inverse), axis=-1)


@keras.saving.register_keras_serializable(package="keras_devae")
class PlanarFlow(keras.layers.Layer):
    """A planar flow whose parameters come from elsewhere, see `planar_flow`.

    The parameters are scaled by `parameter_scale`, so that the flow starts near the identity.

    Args:
        latent_dim: Number of dimensions.
        parameter_scale: Factor of u, w and b, at least 0; default 0.1.
        **kwargs: Arguments of `keras.layers.Layer`; the dtype is float32 by default.

    Example:
        >>> flow = PlanarFlow(10)
        >>> z, log_determinant = flow(ops.ones((8, 10)), ops.zeros((8, flow.num_parameters)))
        >>> ops.shape(z), ops.shape(log_determinant)
        ((8, 10), (8,))
    """

    def __init__(self, latent_dim: int, parameter_scale: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_dim = at_least("latent_dim", latent_dim, 1)
        self.parameter_scale = finite_at_least("parameter_scale", parameter_scale)

    @property
    def num_parameters(self) -> int:
        """How many parameters an image has: u, w and b."""
        return 2 * self.latent_dim + 1

    def build(self, *shapes: Any) -> None:
        """Has no weights."""
        del shapes
        self.built = True

    def call(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Maps codes `(..., batch, latent_dim)`; parameters are `(batch, num_parameters)`.

        Returns the new codes and the log-determinant, `(..., batch)`, in nats.
        """
        parameters = self.parameter_scale * parameters
        u, w = parameters[:, : self.latent_dim], parameters[:, self.latent_dim : -1]
        return planar_flow(z, u, w, parameters[:, -1:])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"latent_dim": self.latent_dim, "parameter_scale": self.parameter_scale}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_devae")
class InverseAutoregressiveFlow(keras.layers.Layer):
    """A step of an inverse autoregressive flow: a `MADE` and its gates, see `gated_flow`.

    The network's outputs are scaled by `output_scale`, 0.1 as in the authors' code, so that the
    flow starts near the identity.

    Args:
        latent_dim: Number of dimensions.
        units: Widths of the network's hidden layers; default `(128, 128, 128)`.
        reverse: Whether dimensions depend on those after them instead of before; default false.
        output_scale: Factor of the network's outputs, at least 0; default 0.1.
        forget_bias: Bias of the gates, at least 0; default 1.
        seed: Integer seed of the initial weights, or `None` (default) for random ones.
        **kwargs: Arguments of `keras.layers.Layer`; the dtype is float32 by default.

    Example:
        >>> flow = InverseAutoregressiveFlow(10, units=(32, 32))
        >>> z, log_determinant = flow(ops.ones((8, 10)), ops.zeros((8, flow.num_parameters)))
        >>> ops.shape(z), ops.shape(log_determinant)
        ((8, 10), (8,))
    """

    def __init__(
        self,
        latent_dim: int,
        units: Sequence[int] = (128, 128, 128),
        reverse: bool = False,
        output_scale: float = 0.1,
        forget_bias: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_dim = at_least("latent_dim", latent_dim, 1)
        self.units, self.reverse = widths("units", units), flag("reverse", reverse)
        self.output_scale = finite_at_least("output_scale", output_scale)
        self.forget_bias = finite_at_least("forget_bias", forget_bias)
        self.seed = checked_seed(seed)
        self.network = MADE(latent_dim, units, 2, reverse, self.seed, name="network")

    @property
    def num_parameters(self) -> int:
        """How wide an image's context is: as the network's first hidden layer."""
        return self.units[0]

    def build(self, *shapes: Any) -> None:
        """Creates the network's weights."""
        del shapes
        self.network.build()
        self.built = True

    def call(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Maps codes `(..., batch, latent_dim)`; the context is `(batch, num_parameters)`.

        Returns the new codes and the log-determinant, `(..., batch)`, in nats.
        """
        outputs = self.output_scale * self.network(z, parameters)
        return gated_flow(z, outputs[0], outputs[1], self.forget_bias)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "latent_dim": self.latent_dim,
            "units": list(self.units),
            "reverse": self.reverse,
            "output_scale": self.output_scale,
            "forget_bias": self.forget_bias,
            "seed": self.seed,
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_devae")
class FlowChain(keras.layers.Layer):
    """Several flows, one after another; every other autoregressive one has its order reversed.

    Args:
        latent_dim: Number of dimensions.
        flow: `"planar"` (default) or `"iaf"`.
        num_flows: Number of flows, at least 1; default 2.
        units: Widths of the hidden layers of `"iaf"`; default `(128, 128, 128)`.
        seed: Integer seed of the initial weights, or `None` (default) for random ones.
        **kwargs: Arguments of `keras.layers.Layer`; the dtype is float32 by default.

    Example:
        >>> chain = FlowChain(10, "iaf", units=(32, 32))
        >>> z, log_determinant = chain(ops.ones((8, 10)), ops.zeros((8, chain.num_parameters)))
        >>> ops.shape(z), ops.shape(log_determinant)
        ((8, 10), (8,))
    """

    def __init__(
        self,
        latent_dim: int,
        flow: str = FLOWS[0],
        num_flows: int = 2,
        units: Sequence[int] = (128, 128, 128),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_dim = at_least("latent_dim", latent_dim, 1)
        self.flow = one_of("flow", flow, FLOWS)
        self.num_flows = at_least("num_flows", num_flows, 1)
        self.units, self.seed = widths("units", units), checked_seed(seed)
        seeds = derived_seeds(self.seed, num_flows, purpose=5)
        self.flows = [
            PlanarFlow(latent_dim, name=f"flow_{i}")
            if flow == "planar"
            else InverseAutoregressiveFlow(
                latent_dim, units, reverse=i % 2 == 1, seed=seeds[i], name=f"flow_{i}"
            )
            for i in range(num_flows)
        ]

    @property
    def num_parameters(self) -> int:
        """How many parameters an image has, of all flows."""
        return sum(flow.num_parameters for flow in self.flows)

    def build(self, *shapes: Any) -> None:
        """Creates the weights of all flows."""
        del shapes
        for flow in self.flows:
            flow.build()
        self.built = True

    def call(self, z: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Maps codes `(..., batch, latent_dim)`; parameters are `(batch, num_parameters)`.

        Returns the new codes and the log-determinant, `(..., batch)`, in nats; both float32.
        """
        parts = ops.split(parameters, self.num_flows, axis=-1)
        total: Any = 0.0
        for flow, own in zip(self.flows, parts, strict=True):
            z, log_determinant = flow(z, own)
            total = total + log_determinant
        return z, total

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "latent_dim": self.latent_dim,
            "flow": self.flow,
            "num_flows": self.num_flows,
            "units": list(self.units),
            "seed": self.seed,
        }
        return {**super().get_config(), **own}
