"""The terms of a training step's loss, and the metrics that show them."""

import dataclasses
from typing import Any, Self

import keras
from keras import ops

from keras_devae.checks import Tensor


@dataclasses.dataclass(frozen=True)
class LossTerms:
    """The terms of the loss in one step. All tensors are float32, batch means, in nats.

    The total is the sum of `weights * reconstruction` and of every penalty's `weight * value`.

    Attributes:
        reconstruction: `(n,)`, for each of the n latent layers evaluated in this step, or `None`
            (default) for a model that reconstructs nothing.
        kl: `(n, latent_dim)`, the KL divergence, in closed form where there is one; `(n, 1)` where
            only the sum over the dimensions is known; or `None` (default) for a model without a
            posterior.
        penalties: Name -> (weight, value). Either may be a number, a scalar or an array; they
            broadcast, and their products are summed. The KL divergence has the name `kl`.
        layers: `(n,)`, the numbers of these layers; layer 0 by default.
        weights: `(n,)`, the weight of each layer's reconstruction in the total; 1 by default.
        state: Name -> scalar that changes during training and is logged with the losses.
        decoder_inputs: `(n, batch, width)`, what was decoded in this step, or `None` (default) for
            what the outputs of `call` say.
        opponents: Name -> scalar loss that other variables minimise, such as a discriminator's.
            They are not part of the total.

    Example:
        >>> ones = keras.ops.ones((1,))
        >>> terms = LossTerms(90 * ones, keras.ops.ones((1, 5)), {"kl": (2.0, 5.0)}, 0 * ones, ones)
        >>> float(terms.total)
        100.0
    """

    reconstruction: Tensor | None = None
    kl: Tensor | None = None
    penalties: dict[str, tuple[Any, Any]] = dataclasses.field(default_factory=dict)
    layers: Tensor = dataclasses.field(default_factory=lambda: ops.zeros((1,), "int32"))
    weights: Tensor = dataclasses.field(default_factory=lambda: ops.ones((1,), "float32"))
    state: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    opponents: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    decoder_inputs: Tensor | None = None

    @property
    def total(self) -> Tensor:
        """The scalar that the model minimises."""
        total = ops.zeros(())
        if self.reconstruction is not None:
            total = ops.sum(self.weights * self.reconstruction)
        for weight, value in self.penalties.values():
            total = total + ops.sum(weight * value)
        return total

    @property
    def total_kl(self) -> Tensor:
        """The KL divergence summed over the latent dimensions of all evaluated layers, a scalar."""
        return ops.sum(self.kl)

    def replace(self, **changes: Any) -> Self:
        """Returns a copy with other penalties, state or opponents."""
        return dataclasses.replace(self, **changes)


@keras.saving.register_keras_serializable(package="keras_devae")
class LatestValue(keras.metrics.Metric):
    """The last value of a quantity that changes during training, whose mean would be useless."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        # All devices hold the same value, which Keras would add up by default.
        self.latest = self.add_variable((), "zeros", aggregation="mean", name="latest")

    def update_state(self, value: Tensor, sample_weight: Any = None) -> None:
        """Takes a scalar; the weight is ignored."""
        self.latest.assign(ops.cast(value, self.latest.dtype))

    def result(self) -> Tensor:
        """Returns the scalar."""
        # A copy: on TensorFlow and PyTorch the epoch's logs would hold the variable itself, and
        # the validation that follows would change them.
        return ops.copy(self.latest)


class TermTrackers:
    """The metrics of a model's loss terms: means of the losses, last values of the state."""

    def __init__(
        self,
        penalties: tuple[str, ...] = (),
        opponents: tuple[str, ...] = (),
        state: tuple[str, ...] = (),
        reconstructs: bool = True,
        has_kl: bool = True,
    ) -> None:
        self._penalties = penalties
        self.reconstruction = keras.metrics.Mean("reconstruction_loss") if reconstructs else None
        self.kl = keras.metrics.Mean("kl_loss") if has_kl else None
        self._means = {name: keras.metrics.Mean(f"{name}_loss") for name in penalties + opponents}
        self._state = {name: LatestValue(name) for name in state}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics."""
        own = [metric for metric in (self.reconstruction, self.kl) if metric is not None]
        return [*own, *self._means.values(), *self._state.values()]

    def update(self, terms: LossTerms, batch_size: Tensor) -> None:
        """Adds the terms of a step, each a mean over `batch_size` images."""
        shares = terms.weights / ops.sum(terms.weights)
        if self.reconstruction is not None:
            reconstruction = ops.sum(shares * terms.reconstruction)
            self.reconstruction.update_state(reconstruction, sample_weight=batch_size)
        if self.kl is not None:
            kl = ops.sum(shares * ops.sum(terms.kl, axis=-1))
            self.kl.update_state(kl, sample_weight=batch_size)
        values = {name: ops.sum(terms.penalties[name][1]) for name in self._penalties}
        for name, value in {**values, **terms.opponents}.items():
            self._means[name].update_state(value, sample_weight=batch_size)
        for name, value in terms.state.items():
            self._state[name].update_state(value)
