"""Training on several devices at once: every device computes its part of each batch.

JAX uses `keras.distribution.DataParallel`, over the devices of one process; TensorFlow uses
`tf.distribute`, over the devices of one process or, if the environment variable `TF_CONFIG` names
several workers, over these processes. The result is the same as on one device with the same
batches: the same layers and noise are drawn, and the loss is equal up to rounding.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from keras_devae.backend.interface import active
from keras_devae.checks import Tensor
from keras_devae.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from keras_devae.input.batches import Batches

__all__ = ["DISTRIBUTIONS", "data_parallel", "process", "scope"]

DISTRIBUTIONS = ("data-parallel",)

logger = logging.getLogger("keras_devae")


def data_parallel() -> contextlib.AbstractContextManager[int]:
    """Trains on all devices inside a `with` block; build, load and fit models in it.

    On JAX these are the devices of this process: the batch is divided among them and each holds all
    weights. On TensorFlow they are this process's GPUs, or its logical CPUs if it has none; or the
    devices of all workers that `TF_CONFIG` names, each of which runs the same program. The batch
    size counts all devices together, and their number must divide it. With a single device nothing
    changes, and a warning is logged.

    On TensorFlow the loss of a model must be a mean over the images of a batch
    (`VAE.mean_over_images`), as every device computes the loss of its own part, and the model
    cannot use XLA or float16. Batch normalisation in your own networks sees only a part of the
    batch there, but all of it on JAX.

    Yields:
        The number of devices.

    Raises:
        UsageError: On PyTorch, or if `TF_CONFIG` cannot be read.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> with kd.backend.data_parallel():
        ...     model = kd.DeVAE.for_images((32, 32, 1), latent_dim=10)
        ...     model.compile(keras.optimizers.Adam(1e-4))
        ...     history = model.fit(data.batches(batch_size=64, steps=2), verbose=0)
        >>> model.save("model.keras")  # loads on any number of devices
    """
    return scope("data-parallel")


@contextlib.contextmanager
def scope(name: str | None) -> Iterator[int]:
    """Trains on several devices like `data_parallel` if the name is `"data-parallel"`.

    With `None` it does nothing and yields 1. It raises a `UsageError` for any other name.
    """
    if name is None:
        yield 1
        return
    if name not in DISTRIBUTIONS:
        raise unknown_name("distribution", name, DISTRIBUTIONS)
    devices, distribution = _over_all_devices(process()[1])
    with contextlib.nullcontext() if distribution is None else distribution.scope():
        yield devices


@functools.cache
def _over_all_devices(num_processes: int) -> tuple[int, Any]:
    """Returns the number of devices and their distribution strategy, `None` for one device.

    Cached, as TensorFlow connects the workers when it creates a strategy.
    """
    devices, distribution = active().distribution_over(num_processes)
    if devices == 1:
        logger.warning("There is only one device here; training uses it.")
    return devices, distribution


def process() -> tuple[int, int]:
    """Returns the number of this process among those that train together, and their count.

    Number 0, the chief, writes the results of training; a single process is the chief.

    Raises:
        UsageError: On PyTorch, or if `TF_CONFIG` cannot be read.
    """
    return active().process()


def wait_for_all_processes(name: str | None) -> None:
    """Waits until all processes that train together, see `scope`, have called this.

    TensorFlow treats a process that ends before the others as a failure of all.
    """
    if name is not None and process()[1] > 1:
        with scope(name):
            active().sum_over_replicas(1.0)


def decided_by_chief(flag: bool) -> bool:
    """Returns the chief's flag in all processes that train together in the current `scope`.

    Each must call this, as processes that stop at different steps would wait for each other.
    """
    return number_of_chief(float(flag)) > 0


def number_of_chief(number: float) -> float:
    """Returns the chief's number in all processes that train together, see `decided_by_chief`."""
    if not active().has_workers():
        return number
    is_chief = float(process()[0] == 0)
    # Each of the chief's devices counts.
    total = active().sum_over_replicas
    return total(is_chief * number) / total(is_chief)


def splits_batches() -> bool:
    """Tells whether each of several devices sees only its part of a batch, as on TensorFlow."""
    return active().splits_batches


@contextlib.contextmanager
def without_distribution() -> Iterator[None]:
    """Stops dividing batches inside a `with` block, so that they can have any number of rows."""
    import keras

    active = keras.distribution.distribution()
    if active is None:
        yield
        return
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(active)


def check_batch_size(batch_size: int, devices: int) -> None:
    """Raises a `UsageError` unless the number of devices divides the batch size."""
    if batch_size % devices:
        raise UsageError(
            f"{devices} devices cannot share a batch of {batch_size} images evenly. Choose a batch "
            "size that the number of devices divides, or another number of devices."
        )


def check_model(
    model: Any,
    jit_compile: bool = False,
    float16: bool = False,
    steps_per_execution: int = 1,
    resident: bool = False,
) -> None:
    """Raises a `UsageError` for what is impossible if devices see only their part of the batch.

    `model` is a model or its class. The options say whether XLA compiles its steps, whether they
    use mixed float16, how many run per call, and whether images are resident.
    """
    if not splits_batches():
        return
    if not model.mean_over_images:
        name = getattr(model, "__name__", type(model).__name__)
        raise UsageError(
            f"{name} compares the images of a batch with each other, but each of TensorFlow's "
            "devices has only part of them. Choose the backend jax to train it on several devices."
        )
    # Keras checks only the first device's gradients for float16 overflow, several steps per call
    # fail for any model, and TensorFlow cannot send uint8 between processes.
    refused = {
        "jit_compile": jit_compile,
        "mixed_precision float16": float16,
        "steps_per_execution": steps_per_execution > 1,
        "resident in several processes": resident and process()[1] > 1,
    }
    for what, is_asked in refused.items():
        if is_asked:
            raise UsageError(
                f"On several devices TensorFlow trains without {what}. Leave it out, use one "
                "device, or choose the backend jax."
            )


def check_parts(model: Any, images: Any, batch_size: int | None = None) -> None:
    """Checks that several devices can train or evaluate a model on these images.

    Args:
        model: The model.
        images: The argument of `fit`. The batches of arrays and of `Batches` are checked, including
            the last one; others are not.
        batch_size: Batch size for arrays; default Keras's 32.

    Raises:
        UsageError: If the number of devices does not divide a batch, or see `check_model`.
    """
    devices = active().shares_of_batch(model)
    if devices == 1:
        return
    check_model(
        model,
        model.jit_compile,
        model.dtype_policy.name == "mixed_float16",
        model.steps_per_execution,
        getattr(images, "resident", False),
    )
    dataset = getattr(images, "dataset", images)
    size = getattr(images, "batch_size", batch_size or 32)
    if hasattr(images, "shape") or hasattr(images, "indices"):
        check_batch_size(size, devices)
        if not getattr(images, "shuffle", False):
            check_batch_size(len(dataset) % size, devices)


def replica() -> tuple[Any, int]:
    """Returns, inside a step, the index of its part of the batch and the number of parts."""
    return active().replica()


def part_of_batch(draw: Callable[[tuple], Tensor], shape: tuple, axis: int) -> Tensor:
    """Draws the random numbers that one device would draw for this part of the batch.

    Args:
        draw: Returns random numbers of a given shape, from a generator that is in the same state on
            all devices.
        shape: Shape of the numbers for this part, a tuple of integers and integer tensors.
        axis: Axis of the images, at least 0.
    """
    number, count = replica()
    if count == 1:
        return draw(shape)
    from keras import ops

    before, size, after = shape[:axis], shape[axis], shape[axis + 1 :]
    whole = draw((*before, count * size, *after))
    return ops.take(ops.reshape(whole, (*before, count, size, *after)), number, axis=axis)


def mean_over_batch(mean: Tensor) -> Tensor:
    """Returns the mean over the whole batch from the mean over this device's part.

    Its gradient is this part's, so that the gradient of anything computed from it, averaged over
    the devices, is the gradient for the whole batch.
    """
    return active().mean_over_replicas(mean)


def share_of_loss(loss: Tensor) -> Tensor:
    """Returns a device's share of the whole batch's loss, as gradients are summed over devices.

    `loss` is the mean over the images of this device's part of the batch.
    """
    count = replica()[1]
    return loss if count == 1 else loss / count


def with_dense_gradient(variable: Any) -> Tensor:
    """Returns the value of a `keras.Variable`; looking up rows of it has a dense gradient."""
    return active().with_dense_gradient(variable)


def averageable_logs(logs: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns a step's logged values in a form that Keras can average over processes.

    If TensorFlow trains in several processes, Keras averages over an axis, which scalars lack. They
    become tensors `(1,)`, which Keras turns back into scalars.
    """
    if replica()[1] == 1 or not active().has_workers():
        return logs
    from keras import ops

    return {name: ops.expand_dims(value, 0) for name, value in logs.items()}


class PromptTraining:
    """Part of a `keras.Model`, named before it, whose `fit` returns as soon as it is done.

    It matters on TensorFlow, see `PromptStrategy`.
    """

    @property
    def distribute_strategy(self) -> Any:
        """The strategy with which Keras trains on TensorFlow; other backends have none."""
        return active().training_strategy(super().distribute_strategy)  # type: ignore[misc]


def own_parts_of(model: Any, batches: Batches) -> tuple[Any, dict[str, Any]]:
    """Returns input for `fit` and `evaluate` that gives each process its part of each batch.

    It consists of the batches, or a dataset of this process's parts of them, and the arguments of
    `fit` that go with it.
    """
    # By default, TensorFlow would distribute whole batches among the processes.
    if not active().has_workers(getattr(model, "distribute_strategy", None)):
        return batches, {}
    import numpy as np
    from keras.callbacks import LambdaCallback

    first_step = batches.next_step

    def parts(first, here, count):
        for step in itertools.count(first_step):
            for part in np.split(batches.indices(step), count)[first : first + here]:
                yield batches.of_rows(part)

    some = batches.of_rows(batches.indices(first_step)[:1])
    epochs = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: batches.on_epoch_begin(),
        on_epoch_end=lambda epoch, logs: batches.on_epoch_end(),
    )
    shape = (None, *some.shape[1:])
    dataset = active().parts_of_worker(model.distribute_strategy, parts, shape, some.dtype)
    return dataset, {"steps_per_epoch": len(batches), "callbacks": [epochs]}
