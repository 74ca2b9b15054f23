"""The exponential moving averages of a model's weights, which its optimizer keeps."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_devae.checks import Array


def single_optimizers(optimizer: Any) -> list[keras.optimizers.Optimizer]:
    """Returns the optimizers that update weights; of several, the default one is the last."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(optimizer, "optimizers", [optimizer]))


def has_averages(model: keras.Model) -> bool:
    """Tells whether a compiled model's optimizer keeps averages, and has done a step."""
    if not any(optimizer.use_ema for optimizer in single_optimizers(model.optimizer)):
        return False
    # They are zero before the first step.
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations)) > 0


def take_averages(model: keras.Model) -> None:
    """Sets the weights of a compiled model to their averages, if there are any."""
    if has_averages(model):
        model.optimizer.finalize_variable_values(model.trainable_variables)
        # On JAX, weights and averages now share memory, which the next step would give away.
        set_weights(model, copy_weights(model))


def copy_weights(model: keras.Model) -> list[Array]:
    """Returns copies of the weights that the optimizer changes."""
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in model.trainable_variables]


def set_weights(model: keras.Model, weights: list[Array]) -> None:
    """Sets the weights that `copy_weights` has copied."""
    for variable, weight in zip(model.trainable_variables, weights, strict=True):
        variable.assign(weight)


@contextlib.contextmanager
def averages_in_place(model: keras.Model) -> Iterator[None]:
    """Gives a model the averages of its weights inside a `with` block, if there are any.

    Afterwards the weights are the same bits as before. Keras's `SwapEMAWeights` swaps by sums on
    TensorFlow, whose rounding would change them.
    """
    if getattr(model, "optimizer", None) is None or not has_averages(model):
        yield
        return
    weights = copy_weights(model)
    take_averages(model)
    try:
        yield
    finally:
        set_weights(model, weights)
