"""The record of what a step's loss consists of, and the metrics that show it."""

import dataclasses
from typing import Any

import keras
from keras import ops


@dataclasses.dataclass(frozen=True)
class LossTerms:
    """What one step's loss consists of. All tensors are float32, means over the batch, in nats.

    The total is the sum of `weights * reconstruction` and of `weight * value` of every penalty.

    Attributes:
        reconstruction: `(n,)`, for each of the n latent layers evaluated in this step.
        kl: `(n, latent_dim)`, the closed form of the KL divergence.
        penalties: Name -> (weight, value). Either may be a number, a scalar or an array; they
            broadcast, and their products are summed. The KL divergence goes by the name `kl`.
        layers: `(n,)`, the numbers of these layers.
        weights: `(n,)`, the weight of each layer's reconstruction in the total.
        state: Name -> scalar that moves during training and is shown beside the losses, such as
            `beta` or `capacity`.
        opponents: Name -> scalar loss that other variables minimise beside the total, such as that
            of a discriminator. They do not count in the total.
    """

    reconstruction: Any
    kl: Any
    penalties: dict[str, tuple[Any, Any]]
    layers: Any
    weights: Any
    state: dict[str, Any] = dataclasses.field(default_factory=dict)
    opponents: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def total(self):
        """Scalar, what the model minimises."""
        total = ops.sum(self.weights * self.reconstruction)
        for weight, value in self.penalties.values():
            total = total + ops.sum(weight * value)
        return total

    @property
    def total_kl(self):
        """Scalar, the KL divergence summed over the latent dimensions of all layers evaluated."""
        return ops.sum(self.kl)

    def replace(self, **changes):
        """Returns a copy with other penalties, state or opponents."""
        return dataclasses.replace(self, **changes)


@keras.saving.register_keras_serializable(package="keras_devae")
class LatestValue(keras.metrics.Metric):
    """The last value of a quantity that moves during training; a mean of it would be of no use.

    Args:
        name: Name of the metric.
        **kwargs: Arguments of `keras.metrics.Metric`.
    """

    def __init__(self, name, **kwargs):
        super().__init__(name=name, **kwargs)
        # It is the same on all devices; Keras would add them up.
        self.latest = self.add_variable((), "zeros", aggregation="mean", name="latest")

    def update_state(self, value, sample_weight=None):
        """Takes a scalar; the weight is ignored."""
        del sample_weight
        self.latest.assign(ops.cast(value, self.latest.dtype))

    def result(self):
        """Returns the scalar."""
        # A copy: on TensorFlow and PyTorch the variable itself would go into the logs of an epoch,
        # and validation, which comes after it, would change them.
        return ops.copy(self.latest)


class TermTrackers:
    """The metrics of a model's terms: means of the losses, latest values of the state.

    Args:
        penalties: Names of the penalties, without `kl`.
        opponents: Names of the opponents.
        state: Names of the state.
    """

    def __init__(self, penalties=(), opponents=(), state=()):
        self._penalties = penalties
        self.reconstruction = keras.metrics.Mean("reconstruction_loss")
        self.kl = keras.metrics.Mean("kl_loss")
        self._means = {name: keras.metrics.Mean(f"{name}_loss") for name in penalties + opponents}
        self._state = {name: LatestValue(name) for name in state}

    @property
    def metrics(self):
        """All metrics, a list."""
        return [self.reconstruction, self.kl, *self._means.values(), *self._state.values()]

    def update(self, terms, batch_size):
        """Adds a step's terms.

        Args:
            terms: A `LossTerms`.
            batch_size: Number of images that they are the mean of.
        """
        shares = terms.weights / ops.sum(terms.weights)
        kl = ops.sum(shares * ops.sum(terms.kl, axis=-1))
        self.reconstruction.update_state(
            ops.sum(shares * terms.reconstruction), sample_weight=batch_size
        )
        self.kl.update_state(kl, sample_weight=batch_size)
        values = {name: ops.sum(terms.penalties[name][1]) for name in self._penalties}
        for name, value in {**values, **terms.opponents}.items():
            self._means[name].update_state(value, sample_weight=batch_size)
        for name, value in terms.state.items():
            self._state[name].update_state(value)
