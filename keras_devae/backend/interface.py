"""The common interface to Keras's backends, whichever is active."""

from __future__ import annotations

import abc
import contextlib
import functools
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_devae.backend.choosing import BACKENDS, chosen_backend
from keras_devae.backend.joined_steps import JoinedSteps
from keras_devae.checks import Tensor
from keras_devae.errors import unknown_name


class Backend(abc.ABC):
    """Everything that differs between the backends; the methods here are the defaults.

    Each subclass has its own module and imports its backend only inside its methods.
    """

    #: Whether steps compiled by XLA can call functions on the host.
    xla_calls_host = True
    #: Whether one compiled call can run several training steps.
    compiles_several_steps = True
    #: Whether measurements show training in bfloat16 on a CPU to be as good as float32, and faster.
    trains_well_in_bfloat16 = False
    #: Whether each of several devices runs its own step on its part of the batch. Otherwise one
    #: program sees the whole batch.
    splits_batches = False
    #: Whether it can compute the steps of several models as one program, see `join_steps`.
    trains_together = False
    #: Formats that Keras's own `export` writes with this backend, for batches of any size.
    keras_formats: tuple[str, ...] = ()
    #: Whether a model on an accelerator gives exported files that run anywhere.
    exports_from_accelerator = True
    #: Whether gradients of convolutions are far slower on a CPU than convolutions and products.
    has_slow_convolution_gradients = False
    #: Whether a transposed convolution with one filter is as slow on a CPU as one with many.
    has_slow_single_filters = False
    #: Whether Keras copies images around its convolutions to change the order of their axes.
    copies_images_to_convolve = False

    @abc.abstractmethod
    def has_accelerator(self) -> bool:
        """Tells whether there is something faster than the CPU."""

    @abc.abstractmethod
    def accelerator_facts(self) -> tuple[str | None, int | None]:
        """Returns the accelerator's name and its peak memory use in bytes, if known."""

    @abc.abstractmethod
    def device_memory(self) -> int | None:
        """Returns the memory of the first accelerator in bytes, or `None` if unknown."""

    @abc.abstractmethod
    def compute_threads(self) -> int:
        """Returns the number of threads that compute one operation on the CPU."""

    @abc.abstractmethod
    def compiles_with_xla(self) -> bool:
        """Tells whether `jit_compile="auto"` should mean XLA."""

    def computes_with_onednn(self) -> bool | None:
        """Tells whether the CPU computes with oneDNN; `None` if that is not known."""
        return None

    def export_options(self, quantize: str | None) -> dict[str, Any]:
        """Returns Keras's options for the files that it exports, see `keras_devae.export`."""
        return {}

    @abc.abstractmethod
    def write_onnx(self, module: Any, inputs: tuple[tuple, str, str], file: Path) -> None:
        """Writes a Keras module that returns a dictionary as an ONNX file.

        `inputs` are shape (`None` for a free batch), name and dtype of its one array. The keys are
        the names of the outputs.
        """

    def use_deterministic_operations(self) -> None:
        """Makes every later computation in this process reproducible to the bit."""
        return

    def on_cpu(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context manager that places tensors and variables created in it on the CPU."""
        import keras

        return keras.device("cpu")

    def on_host(self, function: Callable, tensor: Tensor, shape: tuple, dtype: str) -> Tensor:
        """Calls a NumPy function, see `keras_devae.backend.on_host`."""
        from keras import ops

        return ops.convert_to_tensor(function(ops.convert_to_numpy(tensor)))

    def steps_in_one_call(self, model: Any, one_by_one: Callable) -> Callable:
        """Compiles several steps as one, see `keras_devae.backend.steps_in_one_call`."""
        return one_by_one

    def join_steps(
        self, models: Sequence[Any], batches: Sequence[Any]
    ) -> list[tuple[list[int], JoinedSteps]]:
        """Joins the training steps of models, see `keras_devae.backend.join_steps`."""
        raise NotImplementedError

    def take_rows(self, variable: Any, rows: Tensor) -> Tensor:
        """Looks up rows of a variable without copying the variable."""
        from keras import ops

        return ops.take(variable, rows, axis=0)

    def differentiated_as(self, function: Callable, equal_function: Callable) -> Callable:
        """Gives a function another's gradient, see `keras_devae.backend.differentiated_as`."""
        return function

    def computed_first(self, tensor: Tensor) -> Tensor:
        """Computes a tensor before its use, see `keras_devae.backend.computed_first`."""
        return tensor

    def hide_accelerators(self) -> None:
        """Keeps this backend from taking accelerators while another one is active."""
        return

    def process(self) -> tuple[int, int]:
        """Returns the number of this process among those that train together, and their count."""
        return 0, 1

    def distribution_over(self, num_processes: int) -> tuple[int, Any]:
        """Returns the number of devices and their distribution strategy, `None` for one device."""
        import keras

        devices = keras.distribution.list_devices()
        if len(devices) == 1:
            return 1, None
        return len(devices), keras.distribution.DataParallel(devices=devices)

    def training_strategy(self, strategy: Any) -> Any:
        """Returns the strategy with which Keras trains in place of its own; TensorFlow only."""
        return strategy

    def shares_of_batch(self, model: Any) -> int:
        """Returns the number of devices that share each batch of a model's training."""
        return 1

    def replica(self) -> tuple[Any, int]:
        """Returns, inside a step, the index of its part of the batch and the number of parts."""
        return 0, 1

    def mean_over_replicas(self, tensor: Tensor) -> Tensor:
        """Returns the mean of a tensor over all parts, with the gradient of this part."""
        return tensor

    def with_dense_gradient(self, variable: Any) -> Tensor:
        """Returns a variable's value; looking up rows of it has a dense gradient."""
        return variable

    def has_workers(self, strategy: Any = None) -> bool:
        """Tells whether a strategy, or the current one, spans several processes."""
        return False

    def sum_over_replicas(self, number: float) -> float:
        """Sums a number over all replicas of the current strategy; waits for all processes."""
        return number

    def parts_of_worker(self, strategy: Any, parts: Callable, shape: tuple, dtype: Any) -> Any:
        """Makes an endless dataset of this process's parts of each batch.

        `parts` takes the index of this process's first part, its number of parts and the total; it
        returns an endless iterable of arrays of this shape and dtype, one per part.
        """
        raise NotImplementedError


@functools.cache
def backend_named(name: str) -> Backend:
    """Returns the `Backend` of this name; the backend itself is not imported."""
    if name not in BACKENDS:
        raise unknown_name("backend", name, BACKENDS)
    return importlib.import_module(f"keras_devae.backend.{name}").BACKEND


def active() -> Backend:
    """Returns the `Backend` that Keras uses or, before Keras is imported, will use."""
    return backend_named(chosen_backend())
