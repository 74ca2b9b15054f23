"""The package's interface to JAX, which is imported on first use."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_devae.backend.interface import Backend
from keras_devae.checks import Tensor
from keras_devae.process.machine import usable_cores


class JAX(Backend):
    """Computes with JAX, which compiles everything with XLA."""

    has_slow_convolution_gradients = True
    has_slow_single_filters = True

    def has_accelerator(self) -> bool:
        """Tells whether JAX's default device is not the CPU."""
        import jax

        return jax.default_backend() != "cpu"

    def accelerator_facts(self) -> tuple[str | None, int | None]:
        """Returns the device's kind and its peak memory use, which not every kind reports."""
        import jax

        device = jax.devices()[0]
        return device.device_kind, (device.memory_stats() or {}).get("peak_bytes_in_use")

    def device_memory(self) -> int | None:
        """Returns the memory limit of the first device."""
        import jax

        return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")

    def compute_threads(self) -> int:
        """Returns the number of threads of XLA's pool."""
        return int(os.environ.get("NPROC") or 0) or usable_cores()

    def compiles_with_xla(self) -> bool:
        """Returns true: there is no other way to compile."""
        return True

    def write_onnx(self, module: Any, inputs: tuple[tuple, str, str], file: Path) -> None:
        """Converts the module with jax2onnx, as Keras does, which would not name the outputs."""
        import jax
        import jax2onnx
        import onnx
        import onnxruntime

        shape, name, dtype = inputs
        batch = jax.ShapeDtypeStruct((1, *shape[1:]), dtype)
        names = list(jax.eval_shape(module.call, batch))
        converted = jax2onnx.to_onnx(
            lambda array: [module.call(array)[each] for each in names],
            inputs=[jax.ShapeDtypeStruct(("batch", *shape[1:]), dtype)],
            input_names=[name],
            output_names=names,
        )
        onnx.save(converted, file)
        # What cannot be represented is written all the same; then the file cannot be loaded.
        onnxruntime.InferenceSession(file)

    def on_cpu(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context manager for the CPU; it does nothing if JAX was told not to use it."""
        import jax

        try:
            jax.devices("cpu")
        except RuntimeError:
            return contextlib.nullcontext()
        return super().on_cpu()

    def on_host(self, function: Callable, tensor: Tensor, shape: tuple, dtype: str) -> Tensor:
        """Calls a NumPy function from a compiled step."""
        import jax

        return jax.pure_callback(function, jax.ShapeDtypeStruct(shape, dtype), tensor)

    def steps_in_one_call(self, model: Any, one_by_one: Callable) -> Callable:
        """Runs the steps of an execution in one `jax.lax.scan`.

        Keras calls its compiled step once per step, and each call takes the host about as long as a
        fast GPU takes for the step.
        """
        import keras

        eager = model.run_eagerly or not model.jit_compile
        if eager or keras.distribution.distribution() is not None:
            return one_by_one
        import jax

        def step(state, batch):
            return tuple(reversed(model.train_step(state, batch)))

        def steps(state, batches):
            stacked = jax.tree.map(lambda *parts: jax.numpy.stack(parts), *batches)
            state, logs = jax.lax.scan(step, state, stacked)
            return jax.tree.map(lambda values: values[-1], logs), state

        # Like Keras's train function, it may overwrite the old state.
        compiled = jax.jit(steps, donate_argnums=0)
        count = model.steps_per_execution

        def all_at_once(state, iterator):
            batches = list(itertools.islice(iterator, count))
            shapes = {array.shape for array in jax.tree.leaves(batches)}
            if len(batches) < count or len(shapes) > 1:
                return one_by_one(state, iter(batches))
            return compiled(state, batches)

        return all_at_once

    def computed_first(self, tensor: Tensor) -> Tensor:
        """Keeps XLA from recomputing a tensor at every use, or reading it across its rows."""
        import jax

        return jax.lax.optimization_barrier(tensor)

    def shares_of_batch(self, model: Any) -> int:
        """Returns the number of devices in Keras's distribution."""
        import keras

        distribution = keras.distribution.distribution()
        return 1 if distribution is None else distribution.device_mesh.devices.size


BACKEND = JAX()
