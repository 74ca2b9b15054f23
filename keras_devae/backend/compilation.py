"""How the active backend compiles training steps, and what compiled steps may contain."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_devae.backend.devices import has_accelerator
from keras_devae.backend.interface import JoinedSteps, active
from keras_devae.checks import Tensor


def compiles_with_xla() -> bool:
    """Tells whether Keras's `jit_compile="auto"` should mean XLA."""
    return active().compiles_with_xla()


def xla_calls_host() -> bool:
    """Tells whether steps compiled by XLA can call functions on the host."""
    return active().xla_calls_host


def compiles_several_steps() -> bool:
    """Tells whether one compiled call can run several training steps."""
    return active().compiles_several_steps


def steps_in_one_call(model: Any, one_by_one: Callable) -> Callable:
    """Builds a train function that runs all steps of an execution in one compiled call.

    On a CPU, XLA computes convolutions inside a loop with one thread, many times slower than
    outside. The compiled model is trained on batches of row numbers.

    Args:
        model: A compiled model of this package.
        one_by_one: Keras's own train function.

    Returns:
        The train function: `one_by_one` if there is nothing to gain.
    """
    if model.steps_per_execution == 1 or not has_accelerator():
        return one_by_one
    return active().steps_in_one_call(model, one_by_one)


def join_steps(
    models: Sequence[Any], batches: Sequence[Any]
) -> list[tuple[list[int], JoinedSteps]]:
    """Joins the training steps of compiled models where they differ only in numbers.

    A model of this package whose seed, beta or learning rate differs from another's has the same
    step but for such numbers; one with other networks has not. Each is traced to find that out.

    Args:
        models: The models.
        batches: A batch for each, as its training step takes it.

    Returns:
        For each group of models that can be trained together, their positions and their steps.
    """
    return active().join_steps(models, batches)


def on_host(function: Callable, tensor: Tensor, shape: tuple, dtype: str) -> Tensor:
    """Calls a function of a NumPy array that returns another from inside a compiled step.

    No gradient flows through the call.

    Args:
        function: The function.
        tensor: Its argument.
        shape: Shape of the result, `None` where it is unknown while the step is traced.
        dtype: Dtype of the result.

    Returns:
        The result, as a tensor.
    """
    import numpy as np

    def call(array):
        return np.asarray(function(np.asarray(array)), dtype)

    return active().on_host(call, tensor, shape, dtype)


def take_rows(variable: Any, rows: Tensor) -> Tensor:
    """Looks up rows of a `keras.Variable` without copying it.

    Args:
        variable: The variable, `(n, ...)`.
        rows: Row numbers, integers `(batch,)`.

    Returns:
        The rows, `(batch, ...)`.
    """
    return active().take_rows(variable, rows)


def differentiated_as(function: Callable, equal_function: Callable) -> Callable:
    """Gives a function of tensors the gradient of an equal one that is faster to differentiate.

    Args:
        function: The function that computes the values.
        equal_function: A function of the same arguments with the same values.

    Returns:
        A function with the values of the first and the gradient of the second; on backends that do
        not need it, `function` itself.
    """
    return active().differentiated_as(function, equal_function)


def computed_first(tensor: Tensor) -> Tensor:
    """Makes a step compute a tensor before its uses, in memory in the order of its axes.

    Args:
        tensor: The tensor, of any shape and dtype.

    Returns:
        The same values.
    """
    return active().computed_first(tensor)


@contextlib.contextmanager
def without_tracing_advice() -> Iterator[None]:
    """Hides TensorFlow's warning about frequent retracing, which users cannot act on.

    Yields:
        Nothing; the warning is hidden within the `with` statement.
    """
    with _without("triggered tf.function retracing"):
        yield


@contextlib.contextmanager
def without_file_notices() -> Iterator[None]:
    """Hides TensorFlow's notices about files of an export, which name a temporary folder.

    Yields:
        Nothing; the notices are hidden within the `with` statement.
    """
    with _without("Assets written to"):
        yield


@contextlib.contextmanager
def _without(text: str) -> Iterator[None]:
    def is_shown(record: logging.LogRecord) -> bool:
        return text not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_shown)
    try:
        yield
    finally:
        logger.removeFilter(is_shown)
