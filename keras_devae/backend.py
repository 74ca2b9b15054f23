"""The one file that names TensorFlow, JAX and PyTorch."""

import contextlib
import importlib.util
import os
import sys

from keras_devae.errors import UsageError, unknown_name

#: Keras backend name -> distribution that provides it, in the order of preference on a CPU.
BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def installed_backends():
    """Returns the names of the backends that can be imported here, without importing them."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def select_backend(name=None):
    """Chooses Keras's backend for this process, before Keras is imported.

    Args:
        name: `"tensorflow"`, `"jax"` or `"torch"`. It wins over the environment variable
            `KERAS_BACKEND`, which wins over Keras's configuration file. With `None` (default) and
            neither of these, the first installed one of the three is taken.

    Raises:
        UsageError: If the backend is unknown or not installed, or if Keras is already imported with
            another one.
    """
    chosen = name or os.environ.get("KERAS_BACKEND") or _configured_backend()
    if chosen is None:
        chosen = next(iter(installed_backends()), "tensorflow")
    if chosen not in BACKENDS:
        raise unknown_name("backend", chosen, BACKENDS)
    if chosen not in installed_backends():
        raise UsageError(
            f"The backend {chosen!r} is not installed here. "
            f"Install it with `pip install {BACKENDS[chosen]}`, or choose one of: "
            f"{', '.join(installed_backends()) or 'none is installed'}."
        )
    if "keras" in sys.modules and sys.modules["keras"].backend.backend() != chosen:
        active = sys.modules["keras"].backend.backend()
        raise UsageError(
            f"Keras is already imported with the backend {active!r} and cannot change to "
            f"{chosen!r}. Set KERAS_BACKEND={chosen} before Keras is imported."
        )
    os.environ["KERAS_BACKEND"] = chosen


def import_backend_quietly():
    """Imports Keras with its backend, without the notices that TensorFlow's libraries print.

    They write to the standard error from C++ and no setting turns them off; an error that stops the
    import is raised as ever.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        has_accelerator()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


def _configured_backend():
    """Returns the backend of Keras's own configuration file, or None where there is no file."""
    home = os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    path = os.path.join(home, "keras.json")
    if not os.path.isfile(path):
        return None
    import json

    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file).get("backend")
    except (OSError, ValueError):
        return None


def has_accelerator():
    """Tells whether the active backend computes on something faster than the CPU."""
    import keras

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow

            return bool(tensorflow.config.list_physical_devices("GPU"))
        case "jax":
            import jax

            return jax.default_backend() != "cpu"
        case _:
            import torch

            return torch.cuda.is_available()


def compiles_with_xla():
    """Tells whether Keras's `jit_compile="auto"` should mean XLA.

    On a CPU, TensorFlow runs these networks about three times faster without XLA than with it; JAX
    has no other way to compile; PyTorch's equivalent is never chosen by itself.
    """
    import keras

    backend = keras.backend.backend()
    return backend == "jax" or (backend == "tensorflow" and has_accelerator())


def computes_with_jax_on_cpu():
    """Tells whether the active backend is JAX and has nothing faster than the CPU."""
    import keras

    return keras.backend.backend() == "jax" and not has_accelerator()


def hide_accelerators_from_tensorflow():
    """Keeps TensorFlow from taking the GPU of another backend.

    Keras imports an installed TensorFlow when it saves a model, and exports with it. Does nothing
    on TensorFlow itself, where it is not installed, or once it has been used already.
    """
    import keras

    if keras.backend.backend() == "tensorflow" or "tensorflow" not in installed_backends():
        return
    import tensorflow

    with contextlib.suppress(RuntimeError):
        tensorflow.config.set_visible_devices([], "GPU")


def on_host(function, tensor, shape, dtype):
    """Calls a NumPy function from inside a compiled step.

    Args:
        function: Takes one NumPy array and returns one.
        tensor: Its input; no gradient flows through the call.
        shape: Shape of the result, as far as it is known while the step is traced.
        dtype: Name of the result's dtype.

    Returns:
        A tensor.
    """
    import keras
    import numpy as np

    def call(array):
        return np.asarray(function(np.asarray(array)), dtype)

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow

            result = tensorflow.numpy_function(call, [tensor], dtype)
            result.set_shape(shape)
            return result
        case "jax":
            import jax

            return jax.pure_callback(call, jax.ShapeDtypeStruct(shape, dtype), tensor)
        case _:
            return keras.ops.convert_to_tensor(call(keras.ops.convert_to_numpy(tensor)))


def take_rows(variable, rows):
    """Looks rows of a variable up, without a copy of the variable.

    Args:
        variable: A `keras.Variable`.
        rows: Row numbers, an integer tensor `(batch,)`.

    Returns:
        A tensor `(batch, ...)` of the variable's dtype.
    """
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow

        # `keras.ops.take` reads the variable first. Without XLA, TensorFlow cannot look up uint8
        # in what was read on a GPU, only in the variable itself; it would copy all to the host.
        return tensorflow.gather(variable.value, rows)
    return keras.ops.take(variable, rows, axis=0)


def load_saved_model(path):
    """Loads a SavedModel with plain TensorFlow.

    Args:
        path: Folder of the SavedModel.

    Returns:
        TensorFlow's object with the endpoints as methods.
    """
    import tensorflow

    return tensorflow.saved_model.load(str(path))


def tensorflow_function(function, shape, name):
    """Wraps a function of one float32 array as a `tf.function` with a fixed signature.

    Args:
        function: Takes one tensor, returns a dictionary of tensors.
        shape: Shape of the input, `None` for free dimensions.
        name: Name of the input.

    Returns:
        The pair of the `tf.function` and its list of one `tf.TensorSpec`.
    """
    import tensorflow

    signature = [tensorflow.TensorSpec(shape, "float32", name=name)]
    return tensorflow.function(function, input_signature=signature), signature
