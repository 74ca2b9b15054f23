"""Training on several devices at once: every device computes its part of each batch.

On JAX with `keras.distribution.DataParallel`, over the devices of one process; on TensorFlow with
`tf.distribute`, over the devices of one process or, where the environment variable `TF_CONFIG`
names several workers, over these processes. Training is that of one device with the same batches:
the same layers are drawn, the same noise, the same loss up to rounding.
"""

import contextlib
import functools
import itertools
import json
import logging
import os

import numpy as np

from keras_devae.backend import (
    distribution_over,
    has_workers,
    mean_over_replicas,
    parts_of_worker,
    replica,
    shares_of_batch,
    wait_for_replicas,
)
from keras_devae.backend.choosing import chosen_backend
from keras_devae.errors import UsageError, unknown_name

__all__ = ["DISTRIBUTIONS", "data_parallel", "process", "scope"]

DISTRIBUTIONS = ("data-parallel",)

logger = logging.getLogger("keras_devae")


def data_parallel():
    """Trains on all devices for the time of a `with`; models are built, loaded and fitted in it.

    On JAX these are the devices of this process: the batch is divided among them and the weights
    are on each. On TensorFlow they are this process's GPUs, or its logical CPUs where it has none;
    or those of all workers that `TF_CONFIG` names, each of which runs the same program. The batch
    size is that of all devices together, which must divide it. On a single device nothing changes,
    and a warning is logged.

    On TensorFlow a model must be a mean over the images of a batch (`VAE.mean_over_images`), for
    every device computes the loss of its own part, and XLA and float16 are not to be had. Batch
    normalisation in one's own networks sees a part of the batch there, and all of it on JAX.

    Yields:
        Number of the devices.

    Raises:
        UsageError: On PyTorch, or if `TF_CONFIG` cannot be read.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> with kd.backend.replicas.data_parallel():
        ...     model = kd.DeVAE.for_images((32, 32, 1), latent_dim=10)
        ...     model.compile(keras.optimizers.Adam(1e-4))
        ...     history = model.fit(data.batches(batch_size=64, steps=2), verbose=0)
        >>> model.save("model.keras")  # loads on any number of devices
    """
    return scope("data-parallel")


@contextlib.contextmanager
def scope(name):
    """Trains on several devices for the time of a `with`, see `data_parallel`.

    Args:
        name: `"data-parallel"`, or `None` for one device as ever.

    Yields:
        Number of the devices; 1 for `None`.

    Raises:
        UsageError: If the name is unknown; and as `data_parallel`.
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
def _over_all_devices(num_processes):
    """Returns the number of devices and what distributes over them, see `distribution_over`.

    Made once: TensorFlow connects the workers when it makes a strategy.
    """
    devices, distribution = distribution_over(num_processes)
    if devices == 1:
        logger.warning("There is only one device here; training uses that.")
    return devices, distribution


def process():
    """Returns which of the processes that train together this one is, and how many there are.

    Number 0, the chief, writes what training leaves; with one process that is this one.

    Returns:
        The pair of the number, from 0, and the count.

    Raises:
        UsageError: On PyTorch, or if `TF_CONFIG` cannot be read.
    """
    backend = chosen_backend()
    if backend == "torch":
        raise UsageError(
            "PyTorch trains on one device here. For several, choose the backend jax or tensorflow."
        )
    if backend != "tensorflow" or not os.environ.get("TF_CONFIG"):
        return 0, 1
    try:
        config = json.loads(os.environ["TF_CONFIG"])
        cluster, task = config.get("cluster", {}), config.get("task", {})
        names = [
            (kind, i) for kind in ("chief", "worker") for i in range(len(cluster.get(kind, ())))
        ]
        if not names:
            return 0, 1
        return names.index((task["type"], int(task["index"]))), len(names)
    except (ValueError, KeyError, AttributeError, TypeError):
        raise UsageError(
            "The environment variable TF_CONFIG must be JSON with a `cluster` of workers and a "
            "`task` among them, `type` (chief or worker) and `index`. "
            f"Received: {os.environ['TF_CONFIG']}."
        ) from None


def wait_for_all_processes(name):
    """Waits until all processes that train together have come here; one process does not wait.

    TensorFlow takes a process that ends before the others for a failure of all.

    Args:
        name: As for `scope`.
    """
    if name is not None and process()[1] > 1:
        with scope(name):
            wait_for_replicas()


@contextlib.contextmanager
def without_distribution():
    """Leaves the division of batches out for the time of a `with`: rows of any number go in."""
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


def check_batch_size(batch_size, devices):
    """Refuses a batch that cannot be divided evenly.

    Args:
        batch_size: Images a step, on all devices together.
        devices: Number of devices.

    Raises:
        UsageError: If the devices do not divide the batch.
    """
    if batch_size % devices:
        raise UsageError(
            f"{devices} devices cannot share a batch of {batch_size} images evenly. Choose a batch "
            "size that the number of devices divides, or another number of devices."
        )


def check_model(model, jit_compile=False, float16=False, steps_per_execution=1, resident=False):
    """Refuses what TensorFlow's devices cannot do, each of which has a part of the batch only.

    Args:
        model: A model, or its class, with `mean_over_images`.
        jit_compile: Whether its steps are to be compiled by XLA; default false.
        float16: Whether they are to be in mixed precision with float16; default false.
        steps_per_execution: How many are to be compiled as one; default 1.
        resident: Whether images are to be kept on the device; default false.

    Raises:
        UsageError: On TensorFlow, if one of these is not to be had.
    """
    if chosen_backend() != "tensorflow":
        return
    if not model.mean_over_images:
        name = getattr(model, "__name__", type(model).__name__)
        raise UsageError(
            f"{name} compares the images of a batch with each other, of which each of TensorFlow's "
            "devices has a part only. Choose the backend jax to train it on several devices."
        )
    # Keras looks for float16's overflow in the gradients of the first device alone, and several
    # steps at a time fail there for any model; TensorFlow sends no bytes between processes.
    refused = {
        "jit_compile": jit_compile,
        "mixed_precision float16": float16,
        "steps_per_execution": steps_per_execution > 1,
        "resident in several processes": resident and process()[1] > 1,
    }
    for what, is_asked in refused.items():
        if is_asked:
            raise UsageError(
                f"On several devices TensorFlow trains without {what}. Leave it out, go on with "
                "one device, or choose the backend jax."
            )


def check_parts(model, images, batch_size=None):
    """Refuses what a model cannot be trained or evaluated on by several devices.

    Args:
        model: The model.
        images: What `fit` is given. Batches of arrays and of `Batches` are looked at, the last one
            too; others are not.
        batch_size: Images a batch for arrays; default Keras's 32.

    Raises:
        UsageError: If the devices do not divide a batch, or as `check_model`.
    """
    devices = shares_of_batch(model)
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


def part_of_batch(draw, shape, axis):
    """Draws random numbers for the part of the batch that is computed here.

    They are those that one device would draw for these images.

    Args:
        draw: Function of a shape that returns random numbers, from a generator that is in the same
            state on all devices.
        shape: Shape of the numbers for this part, a tuple of integers and integer tensors.
        axis: Axis of the images, counted from the front.

    Returns:
        A tensor of that shape.
    """
    number, count = replica()
    if count == 1:
        return draw(shape)
    from keras import ops

    before, size, after = shape[:axis], shape[axis], shape[axis + 1 :]
    whole = draw((*before, count * size, *after))
    return ops.take(ops.reshape(whole, (*before, count, size, *after)), number, axis=axis)


def mean_over_batch(mean):
    """Returns the mean over the whole batch from that over the part that is computed here.

    Args:
        mean: A tensor, a mean over the images of this part.

    Returns:
        A tensor: the mean over all parts, with the gradient of this part, so that the gradient of
        anything made of it, averaged over the devices, is that of the whole batch. On one device
        the tensor itself.
    """
    return mean_over_replicas(mean)


def share_of_loss(loss):
    """Returns what a device adds to the loss of the whole batch: a step adds up the gradients.

    Args:
        loss: The loss of this device's part of the batch, a mean over its images.

    Returns:
        The loss divided by the number of parts; itself where there is one.
    """
    count = replica()[1]
    return loss if count == 1 else loss / count


def reducible(logs):
    """Returns a step's values in the form in which Keras averages them over processes.

    Keras averages over an axis of scalars, which have none, where TensorFlow trains in several
    processes.

    Args:
        logs: Dictionary of scalar tensors, inside a step.

    Returns:
        The same dictionary; in such a training of tensors `(1,)`, of which Keras makes scalars.
    """
    if replica()[1] == 1 or not has_workers():
        return logs
    from keras import ops

    return {name: ops.expand_dims(value, 0) for name, value in logs.items()}


def shared_out(model, batches):
    """Returns what Keras is to be given so that each of several processes gets its part of batches.

    Args:
        model: The model to train.
        batches: A `keras_devae.input.batches.Batches`.

    Returns:
        The pair of the batches, or a dataset of this process's parts of them, and a dictionary of
        the further arguments of `fit` that go with it.
    """
    # Left to itself TensorFlow would hand whole batches to the processes in turn.
    if not has_workers(getattr(model, "distribute_strategy", None)):
        return batches, {}
    first_step = batches.next_step

    def parts(first, here, count):
        for step in itertools.count(first_step):
            rows = batches.indices(step)
            for part in np.split(rows, count)[first : first + here]:
                yield batches.of_rows(part)

    some = batches.of_rows(batches.indices(first_step)[:1])
    spec = (None, *some.shape[1:]), some.dtype
    from keras.callbacks import LambdaCallback

    epochs = LambdaCallback(
        on_epoch_begin=lambda epoch, logs: batches.on_epoch_begin(),
        on_epoch_end=lambda epoch, logs: batches.on_epoch_end(),
    )
    shared = parts_of_worker(model.distribute_strategy, parts, spec)
    return shared, {"steps_per_epoch": len(batches), "callbacks": [epochs]}
