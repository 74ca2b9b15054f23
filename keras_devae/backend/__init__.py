"""The one file that imports TensorFlow, JAX and PyTorch."""

import contextlib
import functools
import itertools
import os
import sys

from keras_devae.backend.choosing import BACKENDS as BACKENDS
from keras_devae.backend.choosing import (
    installed_backends,
    preferred_backend,
    select_backend,
)
from keras_devae.process.machine import computes_bfloat16, usable_cores

_DETERMINISTIC_XLA = "--xla_gpu_deterministic_ops=true"


def start_backend(name=None, configured=None, deterministic=False):
    """Chooses Keras's backend and imports Keras with it, without start-up notices.

    Args:
        name: As for `select_backend`.
        configured: Backend to use where neither `name` nor `KERAS_BACKEND` says one and it is
            installed, e.g. that of a run; or `None`.
        deterministic: Whether all that follows in this process is to give the same bits every time;
            default false. Random operations need a seed then.

    Raises:
        UsageError: As for `select_backend`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if deterministic:
        _ask_for_determinism()
    select_backend(preferred_backend(name, configured))
    import_backend_quietly()
    if deterministic:
        _use_deterministic_operations()


def _ask_for_determinism():
    # Both are read when the GPU is first used, XLA's flags by JAX and the other by PyTorch.
    flags = os.environ.get("XLA_FLAGS", "")
    if _DETERMINISTIC_XLA not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_DETERMINISTIC_XLA}".strip()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _use_deterministic_operations():
    import keras

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow

            tensorflow.config.experimental.enable_op_determinism()
        case "torch":
            import torch

            torch.use_deterministic_algorithms(True)
            torch.backends.cudnn.benchmark = False


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


@functools.cache
def has_accelerator():
    """Tells whether the active backend computes on something faster than the CPU.

    Asked once: layers want to know it at every step where these are not compiled.
    """
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


def accelerator_facts():
    """Returns what computes in place of the CPU.

    Returns:
        The pair of its name and the most of its memory in use so far, in MB; of `None` and `None`
        where the active backend computes on the CPU.
    """
    import keras

    if not has_accelerator():
        return None, None
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow

            device = tensorflow.config.list_physical_devices("GPU")[0]
            name = tensorflow.config.experimental.get_device_details(device).get("device_name")
            peak = tensorflow.config.experimental.get_memory_info("GPU:0")["peak"]
        case "jax":
            import jax

            device = jax.devices()[0]
            # Not every kind of device counts its memory.
            name, peak = device.device_kind, (device.memory_stats() or {}).get("peak_bytes_in_use")
        case _:
            import torch

            name, peak = torch.cuda.get_device_name(), torch.cuda.max_memory_allocated()
    return name or "accelerator", None if peak is None else round(peak / 1e6)


def device_memory():
    """Returns the bytes of memory of the first accelerator, or `None` where that is not known."""
    import keras

    match keras.backend.backend():
        case "tensorflow":
            from tensorflow.python.client import device_lib

            devices = device_lib.list_local_devices()
            sizes = [device.memory_limit for device in devices if device.device_type == "GPU"]
            return sizes[0] if sizes else None
        case "jax":
            import jax

            return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
        case _:
            import torch

            return torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else None


def compiles_with_xla():
    """Tells whether Keras's `jit_compile="auto"` should mean XLA.

    On a CPU, TensorFlow runs these networks about three times faster without XLA than with it; JAX
    has no other way to compile; PyTorch's equivalent is never chosen by itself.
    """
    import keras

    backend = keras.backend.backend()
    return backend == "jax" or (
        backend == "tensorflow"
        and has_accelerator()
        and not tensorflow_if_active().distribute.has_strategy()
    )


def computes_with_onednn():
    """Tells whether the active backend computes on the CPU with oneDNN.

    Returns:
        `None` for JAX, which has kernels of its own, and where TensorFlow does not tell.
    """
    import keras

    match keras.backend.backend():
        case "tensorflow":
            try:
                # What TensorFlow's own tests ask; the public interface has nothing.
                from tensorflow.python.util import _pywrap_util_port
            except ImportError:
                return None
            return _pywrap_util_port.IsMklEnabled()
        case "torch":
            import torch

            return torch.backends.mkldnn.is_available()
        case _:
            return None


def prefers_bfloat16():
    """Tells whether the CPU trains faster in mixed bfloat16 than in float32, and as well.

    That was measured for TensorFlow on a processor with instructions for bfloat16. On JAX it is
    slower; for PyTorch the quality was not compared.
    """
    return backend_on_cpu() == "tensorflow" and computes_bfloat16() and bool(computes_with_onednn())


def compute_threads():
    """Returns with how many threads the active backend computes an operation on the CPU."""
    import keras

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow

            asked = tensorflow.config.threading.get_intra_op_parallelism_threads()
            return asked or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) or usable_cores()
        case "torch":
            import torch

            return torch.get_num_threads()
        case _:
            return int(os.environ.get("NPROC") or 0) or usable_cores()


def backend_on_cpu():
    """Returns the name of the active backend; `None` where it has more than the CPU."""
    import keras

    return None if has_accelerator() else keras.backend.backend()


def differentiated_as(function, equal_function):
    """Makes a function that computes one function and has the gradient of another, equal one.

    Args:
        function: Takes tensors and returns a tensor.
        equal_function: The same map in a form whose gradient is faster.

    Returns:
        A function. On other backends than TensorFlow, `function` itself.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow

    @tensorflow.custom_gradient
    def differentiated(*tensors):
        def gradient(upstream):
            with tensorflow.GradientTape() as tape:
                tape.watch(tensors)
                # The gradient of a convolution does not need its value: a compiled step never
                # computes this one.
                value = equal_function(*tensors)
            return tape.gradient(value, tensors, upstream)

        return function(*tensors), gradient

    # A variable itself would ask for a gradient of its own kind.
    return lambda *values: differentiated(*map(tensorflow.convert_to_tensor, values))


def computed_first(tensor):
    """Has a tensor computed before what uses it, and laid in memory in its own order.

    XLA would otherwise make the tensor anew wherever it is used, or read it across its rows.

    Args:
        tensor: A tensor.

    Returns:
        An equal tensor; on other backends than JAX the same one.
    """
    import keras

    if keras.backend.backend() != "jax":
        return tensor
    import jax

    return jax.lax.optimization_barrier(tensor)


def torch_convolution(inputs, kernel, bias, stride, padding, transposed=False):
    """Convolves on PyTorch, in its channels-last format and without copies of the images.

    Args:
        inputs: Tensor `(batch, height, width, channels)`.
        kernel: Tensor `(height, width, channels, filters)`; where it is transposed, with filters
            before channels.
        bias: Tensor `(filters,)` or `None`.
        stride: Pair of the strides.
        padding: Pixels of padding all round.
        transposed: Whether it is a transposed convolution; default false.

    Returns:
        Tensor `(batch, new height, new width, filters)`.
    """
    import torch

    convolve = torch.nn.functional.conv_transpose2d if transposed else torch.nn.functional.conv2d
    # Other order of the axes, same order in memory. It is the kernel that tells PyTorch which order
    # is meant, as images of one channel have both.
    kernel = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    outputs = convolve(inputs.permute(0, 3, 1, 2), kernel, bias, stride=stride, padding=padding)
    return outputs.permute(0, 2, 3, 1)


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


def on_cpu():
    """Places what is made in a `with` on the CPU, on any backend.

    Returns:
        A context manager; it does nothing where JAX was told to leave the CPU alone.
    """
    import keras

    if keras.backend.backend() == "jax":
        import jax

        try:
            jax.devices("cpu")
        except RuntimeError:
            return contextlib.nullcontext()
    return keras.device("cpu")


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


def steps_in_one_call(model, one_by_one):
    """Makes a train function that computes the steps of an execution in one compiled call.

    Keras on JAX calls its compiled step once for each of them, which takes the host about as long
    as a step takes a fast GPU. TensorFlow has them in one call as it is. On a CPU, XLA computes
    convolutions in a loop with one thread, many times slower than outside of it.

    Args:
        model: A compiled model that is trained on batches of row numbers.
        one_by_one: Keras's train function, a function of the training state and an iterator of
            batches that returns logs and the new state.

    Returns:
        A function like it; the same one where there is nothing to gain.
    """
    import keras

    count = model.steps_per_execution
    if keras.backend.backend() != "jax" or count == 1 or not has_accelerator():
        return one_by_one
    if model.run_eagerly or not model.jit_compile or keras.distribution.distribution() is not None:
        return one_by_one
    import jax

    def step(state, batch):
        return tuple(reversed(model.train_step(state, batch)))

    def steps(state, batches):
        stacked = jax.tree.map(lambda *parts: jax.numpy.stack(parts), *batches)
        state, logs = jax.lax.scan(step, state, stacked)
        return jax.tree.map(lambda values: values[-1], logs), state

    # Like Keras's own, it may overwrite the old state.
    compiled = jax.jit(steps, donate_argnums=0)

    def all_at_once(state, iterator):
        batches = list(itertools.islice(iterator, count))
        shapes = {array.shape for array in jax.tree.leaves(batches)}
        if len(batches) < count or len(shapes) > 1:
            return one_by_one(state, iter(batches))
        return compiled(state, batches)

    return all_at_once


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


def tensorflow_if_active():
    """Returns the module of TensorFlow if it is the backend, else `None`."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow

    return tensorflow


def local_devices():
    """Returns the names of this process's devices, of the fastest kind that the backend has."""
    tensorflow = tensorflow_if_active()
    if tensorflow is None:
        import keras

        return keras.distribution.list_devices()
    kinds = (tensorflow.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    return [device.name for device in next(filter(None, kinds))]


def distribution_over(num_processes):
    """Makes what distributes training over all devices.

    Args:
        num_processes: Number of processes that train together, on TensorFlow.

    Returns:
        The pair of the number of devices and a `keras.distribution.DataParallel` on JAX or a
        `tf.distribute.Strategy` on TensorFlow; `None` in its place where there is one device.
    """
    tensorflow = tensorflow_if_active()
    if num_processes > 1:
        # Before anything asks for devices: it has to be there when TensorFlow starts.
        strategy = tensorflow.distribute.MultiWorkerMirroredStrategy()
        return strategy.num_replicas_in_sync, strategy
    devices = local_devices()
    if len(devices) == 1:
        return 1, None
    if tensorflow is not None:
        return len(devices), tensorflow.distribute.MirroredStrategy(devices)
    import keras

    return len(devices), keras.distribution.DataParallel(devices=devices)


def shares_of_batch(model):
    """Returns among how many devices each batch of a model's training is shared out."""
    import keras

    match keras.backend.backend():
        case "tensorflow":
            return model.distribute_strategy.num_replicas_in_sync
        case "jax":
            distribution = keras.distribution.distribution()
            return 1 if distribution is None else distribution.device_mesh.devices.size
        case _:
            return 1


def replica():
    """Returns which part of the batch is computed here, inside a step, and how many there are.

    On JAX the step is one program for all devices, which sees the whole batch.

    Returns:
        The pair of the number, an integer or a scalar integer tensor, and the count; `(0, 1)` for
        the whole batch.
    """
    tensorflow = tensorflow_if_active()
    context = tensorflow and tensorflow.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return 0, 1
    return context.replica_id_in_sync_group, context.num_replicas_in_sync


def mean_over_replicas(tensor):
    """Returns the mean of a tensor over the parts of the batch, with the gradient of this part.

    Args:
        tensor: A tensor, inside a step.

    Returns:
        A tensor; the same one where there is a single part.
    """
    if replica()[1] == 1:
        return tensor
    tensorflow = tensorflow_if_active()
    own = tensorflow.stop_gradient(tensor)
    mean = tensorflow.distribute.get_replica_context().all_reduce("MEAN", own)
    return tensor + (mean - own)


def with_dense_gradient(variable):
    """Returns a variable's value, whose looked-up rows pass back a gradient for all rows.

    The parts of a batch would otherwise each add gradients of the same rows, and optimizers would
    square them one by one.

    Args:
        variable: A `keras.Variable`.

    Returns:
        A tensor; the variable itself where there is a single part of the batch.
    """
    if replica()[1] == 1:
        return variable
    tensorflow = tensorflow_if_active()

    @tensorflow.custom_gradient
    def identity(value):
        return tensorflow.identity(value), tensorflow.convert_to_tensor

    return identity(tensorflow.convert_to_tensor(variable.value))


def has_workers(strategy=None):
    """Tells whether several processes train together.

    Args:
        strategy: A `tf.distribute.Strategy`; default the current one.
    """
    tensorflow = tensorflow_if_active()
    if tensorflow is None:
        return False
    several = tensorflow.distribute.MultiWorkerMirroredStrategy
    return isinstance(strategy or tensorflow.distribute.get_strategy(), several)


def wait_for_replicas():
    """Waits until every process of the current `tf.distribute.Strategy` has called this."""
    tensorflow = tensorflow_if_active()
    strategy = tensorflow.distribute.get_strategy()

    @tensorflow.function
    def count():
        return strategy.reduce("SUM", strategy.run(lambda: tensorflow.ones(())), axis=None)

    count().numpy()


def parts_of_worker(strategy, parts, spec):
    """Makes a dataset of this process's parts of each batch, where several train a model.

    Args:
        strategy: The `tf.distribute.Strategy`.
        parts: Function of the number of the first part of this process, how many it has, and how
            many there are in all; it returns an endless iterable of NumPy arrays, part by part.
        spec: Shape and dtype of these, a pair.

    Returns:
        A `tf.distribute.DistributedDataset` without end.
    """
    tensorflow = tensorflow_if_active()

    def dataset(context):
        count = context.num_replicas_in_sync
        here = count // context.num_input_pipelines
        made = tensorflow.data.Dataset.from_generator(
            lambda: ((part,) for part in parts(here * context.input_pipeline_id, here, count)),
            output_signature=(tensorflow.TensorSpec(*spec),),
        )
        endless = tensorflow.data.INFINITE_CARDINALITY
        made = made.apply(tensorflow.data.experimental.assert_cardinality(endless))
        return made.prefetch(tensorflow.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(dataset)


def load_saved_model(path):
    """Loads a SavedModel with plain TensorFlow.

    Args:
        path: Folder of the SavedModel.

    Returns:
        TensorFlow's object with the endpoints as methods.
    """
    import tensorflow

    return tensorflow.saved_model.load(str(path))


#: Dtypes of the arrays that a SavedModel's methods take.
_TAKEN = ("float32", "uint8", "float64", "float16", "bfloat16", "int64", "int32", "int16", "uint16")


def write_saved_model(folder, functions):
    """Writes a SavedModel whose methods take arrays of several dtypes, and keep what they need.

    A method is an object of its own with the variables as parts, as TensorFlow's functions hold
    theirs weakly: `tf.saved_model.load(folder).encode(images)` would find them deleted.

    Args:
        folder: The folder, empty.
        functions: Name -> list of `tf.function`s of one array, each of a dtype of its own, the
            first of float32, which becomes the signature of that name. What is of another dtype
            than all of them is cast: integers to int32 where there is such a function.
    """
    import tensorflow

    root, signatures = tensorflow.Module(), {}
    for name, each in functions.items():
        method = tensorflow.Module()
        setattr(root, name, method)
        concrete = {f.input_signature[0].dtype.name: f.get_concrete_function() for f in each}
        kept = {v.ref(): v for function in concrete.values() for v in function.variables}
        method.variables_of_function = list(kept.values())
        method.__call__ = _polymorphic(each)
        signatures[name] = each[0]
        if "uint8" in concrete:
            signatures[f"{name}_uint8"] = each[list(concrete).index("uint8")]
    signatures["serving_default"] = next(iter(functions.values()))[0]
    tensorflow.saved_model.save(root, str(folder), signatures=signatures)


def _polymorphic(functions):
    """Makes one `tf.function` of several of one array, traced for all dtypes."""
    import tensorflow

    by_dtype = {function.input_signature[0].dtype.name: function for function in functions}
    spec = functions[0].input_signature[0]

    def dispatch(array):
        dtype = array.dtype
        if dtype.name in by_dtype:
            return by_dtype[dtype.name](array)
        if dtype.is_integer and "int32" in by_dtype:
            # Numbers beyond 32 bits must not come back from the other end.
            array = tensorflow.clip_by_value(array, -1, 256) if dtype.name == "int64" else array
            return by_dtype["int32"](tensorflow.cast(array, "int32"))
        return by_dtype["float32"](tensorflow.cast(array, "float32"))

    # The name of the argument is that of the method's.
    arguments = {"image": lambda image: dispatch(image), "z": lambda z: dispatch(z)}
    method = tensorflow.function(arguments[spec.name], autograph=False)
    for dtype in _TAKEN:
        method.get_concrete_function(tensorflow.TensorSpec(spec.shape, dtype, name=spec.name))
    return method


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
