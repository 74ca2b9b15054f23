"""A copy of a network whose weights follow it slowly, as a moving average."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor


class MovingTarget(keras.layers.Layer):
    """The weights of a network's moving average, which no optimizer changes.

    The network itself, which is passed to every call, computes with them. What is no trained
    weight, such as the moving statistics of batch normalisation, is not averaged: it is the state
    that the calls with these weights lead to.

    Args:
        network: The network to follow, built; the weights begin as copies of its own.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> target = MovingTarget(network)
        >>> target.follow(network, decay=0.99)
    """

    def __init__(self, network: keras.Model, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.copies = [
            self.add_weight(
                shape=variable.shape,
                initializer="zeros",
                dtype=variable.dtype,
                trainable=False,
                name=f"target_{number}",
            )
            for number, variable in enumerate(network.variables)
        ]
        self._averaged = [variable.trainable for variable in network.variables]
        self.built = True
        self.copy_from(network)

    def copy_from(self, network: keras.Model) -> None:
        """Copies all weights of the network."""
        for copy, variable in zip(self.copies, network.variables, strict=True):
            copy.assign(ops.copy(variable.value))

    def follow(self, network: keras.Model, decay: Any) -> None:
        """Moves each averaged weight: `average + (1 - decay) (weight - average)`."""
        pairs = zip(self.copies, network.variables, self._averaged, strict=True)
        for copy, variable, averaged in pairs:
            if averaged:
                change = ops.stop_gradient(variable.value) - copy
                copy.assign(copy + (1.0 - decay) * change)

    def outputs_of(self, network: keras.Model, inputs: Tensor, training: bool) -> Any:
        """Returns the network's outputs with these weights; no gradient reaches them."""
        copy_of = {id(v): copy for v, copy in zip(network.variables, self.copies, strict=True)}
        trained, others = network.trainable_variables, network.non_trainable_variables
        outputs, states = network.stateless_call(
            [ops.stop_gradient(copy_of[id(v)].value) for v in trained],
            [copy_of[id(v)].value for v in others],
            inputs,
            training=training,
        )
        if training:
            for variable, state in zip(others, states, strict=True):
                copy_of[id(variable)].assign(ops.stop_gradient(state))
        return keras.tree.map_structure(ops.stop_gradient, outputs)
