"""The package's interface to TensorFlow, which is imported on first use."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_devae.backend.interface import Backend
from keras_devae.backend.prompt_strategy import PromptStrategy
from keras_devae.checks import Tensor
from keras_devae.errors import UsageError
from keras_devae.process.machine import usable_cores


class TensorFlow(Backend):
    """Computes with TensorFlow: on a CPU without XLA, on several devices with `tf.distribute`."""

    xla_calls_host = False
    trains_well_in_bfloat16 = True
    splits_batches = True
    keras_formats = ("openvino", "litert")
    has_slow_single_filters = True

    def has_accelerator(self) -> bool:
        """Tells whether there is a GPU."""
        import tensorflow

        return bool(tensorflow.config.list_physical_devices("GPU"))

    def accelerator_facts(self) -> tuple[str | None, int | None]:
        """Returns the GPU's name and peak memory use."""
        import tensorflow

        gpu = tensorflow.config.list_physical_devices("GPU")[0]
        name = tensorflow.config.experimental.get_device_details(gpu).get("device_name")
        return name, tensorflow.config.experimental.get_memory_info("GPU:0")["peak"]

    def device_memory(self) -> int | None:
        """Returns the memory limit of the first GPU."""
        from tensorflow.python.client import device_lib

        devices = device_lib.list_local_devices()
        return next((each.memory_limit for each in devices if each.device_type == "GPU"), None)

    def compute_threads(self) -> int:
        """Returns the number of threads within one operation."""
        import tensorflow

        asked = tensorflow.config.threading.get_intra_op_parallelism_threads()
        return asked or int(os.environ.get("TF_NUM_INTRAOP_THREADS") or 0) or usable_cores()

    def compiles_with_xla(self) -> bool:
        """Returns true for one GPU: on a CPU these networks are three times faster without XLA.

        Several devices train without XLA.
        """
        import tensorflow

        return self.has_accelerator() and not tensorflow.distribute.has_strategy()

    def computes_with_onednn(self) -> bool | None:
        """Calls the private function that TensorFlow's own tests use, as there is no public one."""
        try:
            from tensorflow.python.util import _pywrap_util_port
        except ImportError:
            return None
        return _pywrap_util_port.IsMklEnabled()

    def export_options(self, quantize: str | None) -> dict[str, Any]:
        """Returns the options that store the weights of LiteRT files in 16 bits."""
        if quantize != "float16":
            return {}
        import tensorflow

        return {
            "optimizations": [tensorflow.lite.Optimize.DEFAULT],
            "target_spec": {"supported_types": [tensorflow.float16]},
        }

    def write_onnx(self, module: Any, inputs: tuple[tuple, str, str], file: Path) -> None:
        """Converts the traced module with tf2onnx, whose files Keras would name differently."""
        import tensorflow
        import tf2onnx

        shape, name, dtype = inputs
        signature = [tensorflow.TensorSpec(shape, dtype, name=name)]
        traced = tensorflow.function(module.call, input_signature=signature)
        tf2onnx.convert.from_function(traced, signature, output_path=str(file), opset=17)

    def use_deterministic_operations(self) -> None:
        """Turns on TensorFlow's deterministic operations."""
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()

    def on_host(self, function: Callable, tensor: Tensor, shape: tuple, dtype: str) -> Tensor:
        """Calls a NumPy function from a graph."""
        import tensorflow

        result = tensorflow.numpy_function(function, [tensor], dtype)
        result.set_shape(shape)
        return result

    def take_rows(self, variable: Any, rows: Tensor) -> Tensor:
        """Looks up rows in the variable itself; `keras.ops.take` would first read all of it.

        Without XLA, TensorFlow cannot look up uint8 rows of a tensor on a GPU: it would copy the
        whole variable to the host.
        """
        import tensorflow

        return tensorflow.gather(variable.value, rows)

    def differentiated_as(self, function: Callable, equal_function: Callable) -> Callable:
        """Gives a function the gradient of an equal one."""
        import tensorflow

        @tensorflow.custom_gradient
        def differentiated(*tensors):
            def gradient(upstream):
                with tensorflow.GradientTape() as tape:
                    tape.watch(tensors)
                    # The gradient of a convolution does not need its value, so a compiled step
                    # never computes it.
                    value = equal_function(*tensors)
                return tape.gradient(value, tensors, upstream)

            return function(*tensors), gradient

        # TensorFlow's custom gradients treat variables differently from tensors.
        return lambda *values: differentiated(*map(tensorflow.convert_to_tensor, values))

    def hide_accelerators(self) -> None:
        """Hides the GPUs; has no effect once TensorFlow has used them."""
        import tensorflow

        with contextlib.suppress(RuntimeError):
            tensorflow.config.set_visible_devices([], "GPU")

    def process(self) -> tuple[int, int]:
        """Reads this process's number and their count from the environment variable `TF_CONFIG`."""
        text = os.environ.get("TF_CONFIG")
        if not text:
            return 0, 1
        try:
            config = json.loads(text)
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
                f"Received: {text}."
            ) from None

    def distribution_over(self, num_processes: int) -> tuple[int, Any]:
        """Makes a strategy over the GPUs, or the logical CPUs where there are none."""
        import tensorflow

        if num_processes > 1:
            # It has to be created before TensorFlow starts, and listing devices starts it.
            strategy = tensorflow.distribute.MultiWorkerMirroredStrategy()
            return strategy.num_replicas_in_sync, strategy
        kinds = (tensorflow.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
        devices = [device.name for device in next(filter(None, kinds))]
        if len(devices) == 1:
            return 1, None
        return len(devices), tensorflow.distribute.MirroredStrategy(devices)

    def training_strategy(self, strategy: Any) -> Any:
        """Returns the strategy with which Keras trains, on one device a `PromptStrategy`."""
        import tensorflow

        several = strategy.num_replicas_in_sync > 1 or self.has_workers(strategy)
        return strategy if several else PromptStrategy(strategy, tensorflow.data.Options)

    def shares_of_batch(self, model: Any) -> int:
        """Returns the number of replicas of the model's strategy."""
        return model.distribute_strategy.num_replicas_in_sync

    def replica(self) -> tuple[Any, int]:
        """Returns the number of the current replica, a tensor, and the number of replicas."""
        import tensorflow

        context = tensorflow.distribute.get_replica_context()
        if context is None or context.num_replicas_in_sync == 1:
            return 0, 1
        return context.replica_id_in_sync_group, context.num_replicas_in_sync

    def mean_over_replicas(self, tensor: Tensor) -> Tensor:
        """Returns the mean over the replicas, with the gradient of this one."""
        if self.replica()[1] == 1:
            return tensor
        import tensorflow

        own = tensorflow.stop_gradient(tensor)
        mean = tensorflow.distribute.get_replica_context().all_reduce("MEAN", own)
        return tensor + (mean - own)

    def with_dense_gradient(self, variable: Any) -> Tensor:
        """Makes the gradient of looked-up rows dense if there are replicas.

        Otherwise each replica would add its own gradients of the same rows, and optimizers would
        square them separately.
        """
        if self.replica()[1] == 1:
            return variable
        import tensorflow

        @tensorflow.custom_gradient
        def identity(value):
            return tensorflow.identity(value), tensorflow.convert_to_tensor

        return identity(tensorflow.convert_to_tensor(variable.value))

    def has_workers(self, strategy: Any = None) -> bool:
        """Tells whether a strategy, or the current one, spans several processes."""
        import tensorflow

        several = tensorflow.distribute.MultiWorkerMirroredStrategy
        return isinstance(strategy or tensorflow.distribute.get_strategy(), several)

    def sum_over_replicas(self, number: float) -> float:
        """Sums a number over all replicas of the current strategy; waits for all processes."""
        import tensorflow

        strategy = tensorflow.distribute.get_strategy()

        @tensorflow.function
        def total():
            own = strategy.run(lambda: tensorflow.constant(number))
            return strategy.reduce("SUM", own, axis=None)

        return float(total().numpy())

    def parts_of_worker(self, strategy: Any, parts: Callable, shape: tuple, dtype: Any) -> Any:
        """Makes an endless `tf.distribute.DistributedDataset`."""
        import tensorflow

        def dataset(context):
            count = context.num_replicas_in_sync
            here = count // context.num_input_pipelines
            made = tensorflow.data.Dataset.from_generator(
                lambda: ((part,) for part in parts(here * context.input_pipeline_id, here, count)),
                output_signature=(tensorflow.TensorSpec(shape, dtype),),
            )
            endless = tensorflow.data.INFINITE_CARDINALITY
            made = made.apply(tensorflow.data.experimental.assert_cardinality(endless))
            return made.prefetch(tensorflow.data.AUTOTUNE)

        return strategy.distribute_datasets_from_function(dataset)


BACKEND = TensorFlow()

#: Dtypes of the arrays that a SavedModel's methods accept.
_TAKEN = ("float32", "uint8", "float64", "float16", "bfloat16", "int64", "int32", "int16", "uint16")


def load_saved_model(path: str | Path) -> Any:
    """Loads a SavedModel with plain TensorFlow; its endpoints are the methods of the result."""
    import tensorflow

    return tensorflow.saved_model.load(str(path))


def write_saved_model(
    folder: Path, functions: dict[str, list[Any]], image_shape: tuple[int, ...]
) -> None:
    """Writes a SavedModel whose methods take arrays of several dtypes.

    Each method is a separate object that owns its variables, as TensorFlow's functions only hold
    weak references: `tf.saved_model.load(folder).encode(images)` would find them deleted.

    Args:
        folder: An empty folder.
        functions: Name -> list of `tf.function`s of one array, each for a different dtype. The
            first is for float32 and becomes the signature of that name. Arrays of any other dtype
            are cast, integers to int32 if there is a function for it.
        image_shape: Shape of one image; with 1 or 3 channels there is also `encode_bytes`, which
            takes encoded PNG and JPEG files.
    """
    import tensorflow

    if image_shape[-1] in (1, 3):
        functions = {**functions, "encode_bytes": [_of_files(functions["encode"], image_shape)]}
    root, signatures = tensorflow.Module(), {}
    for name, each in functions.items():
        method = tensorflow.Module()
        setattr(root, name, method)
        concrete = {f.input_signature[0].dtype.name: f.get_concrete_function() for f in each}
        kept = {v.ref(): v for function in concrete.values() for v in function.variables}
        method.variables_of_function = list(kept.values())
        method.__call__ = each[0] if name == "encode_bytes" else _polymorphic(each)
        signatures[name] = each[0]
        if "uint8" in concrete:
            signatures[f"{name}_uint8"] = each[list(concrete).index("uint8")]
    signatures["serving_default"] = next(iter(functions.values()))[0]
    tensorflow.saved_model.save(root, str(folder), signatures=signatures)


def _of_files(functions: list[Any], image_shape: tuple[int, ...]) -> Any:
    """Returns the `tf.function` for uint8 images as one of the bytes of image files."""
    import tensorflow

    from keras_devae.backend.encoded_files import images_of_files

    (of_images,) = (f for f in functions if f.input_signature[0].dtype.name == "uint8")
    signature = [tensorflow.TensorSpec((None,), "string", name="image_bytes")]

    @tensorflow.function(input_signature=signature, autograph=False)
    def encode_bytes(image_bytes):
        return of_images(images_of_files(tensorflow, image_bytes, image_shape))

    return encode_bytes


def _polymorphic(functions: list[Any]) -> Any:
    """Combines `tf.function`s of one array into one that is traced for all dtypes."""
    import tensorflow

    by_dtype = {function.input_signature[0].dtype.name: function for function in functions}
    spec = functions[0].input_signature[0]

    def dispatch(array):
        dtype = array.dtype
        if dtype.name in by_dtype:
            return by_dtype[dtype.name](array)
        if dtype.is_integer and "int32" in by_dtype:
            # Numbers beyond 32 bits must not wrap around.
            array = tensorflow.clip_by_value(array, -1, 256) if dtype.name == "int64" else array
            return by_dtype["int32"](tensorflow.cast(array, "int32"))
        return by_dtype["float32"](tensorflow.cast(array, "float32"))

    # The lambda's argument name becomes the method's argument name.
    arguments = {"image": lambda image: dispatch(image), "z": lambda z: dispatch(z)}
    method = tensorflow.function(arguments[spec.name], autograph=False)
    for dtype in _TAKEN:
        method.get_concrete_function(tensorflow.TensorSpec(spec.shape, dtype, name=spec.name))
    return method
