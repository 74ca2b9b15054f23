"""The measurements of one training configuration, in a process of its own."""

import time
from collections.abc import Generator, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend import accelerator_facts, has_accelerator
from keras_devae.checks import Array
from keras_devae.evaluation.encoding import Encoding
from keras_devae.input.batches import Batches
from keras_devae.process.machine import minor_page_faults, peak_memory
from keras_devae.runs.benchmark.flops import training_flops
from keras_devae.runs.benchmark.settings import RUN_LENGTH
from keras_devae.runs.compute import completed_config, describe_compute
from keras_devae.runs.config.run_config import RunConfig, load_dataset
from keras_devae.runs.training import build_model

#: Batches that Keras's loops may have read ahead, at most.
_READ_AHEAD = 3
#: Images of a set that is kept on the device here: looking them up takes no less than from all.
_RESIDENT_IMAGES = 16_384
#: Epochs of a training that only the script ends.
_ENDLESS = 2**31
#: Sides of the largest square matrices that are multiplied.
_LARGEST_MATRIX = 8192


class BenchBatches(Batches):
    """Batches as training takes them or, where `repeated` is set, one of them again and again."""

    repeated = False

    def __init__(self, batches: Batches) -> None:
        super().__init__(
            batches.dataset, batches.batch_size, len(batches), resident=batches.resident
        )
        self._of_model = batches

    # A model may be trained on pairs of images.

    def indices(self, step: int) -> Array:
        """Returns the rows of the batch of a step."""
        return self._of_model.indices(step)

    def of_rows(self, rows: Array) -> Array:
        """Returns a batch of rows."""
        return self._of_model.of_rows(rows)

    def images(self, index: int) -> Array:
        """Returns the images of a batch, even if batches are resident."""
        return self._of_model.images(index)

    def __getitem__(self, index: int) -> Any:
        if not self.repeated:
            return super().__getitem__(index)
        if not hasattr(self, "_batch"):
            self._batch = super().__getitem__(0)
        return self._batch


class Bench:
    """A model, trained in a precision from `PRECISION_NAMES` that replaces the one in `config`.

    Every measurement takes at least `seconds`.
    """

    def __init__(self, config: RunConfig, precision: str, seconds: float) -> None:
        self.seconds = seconds
        dataset = load_dataset(config, fetch=False)
        config = config.resolved(dataset)
        # Without the settings that depend on backend and device, which train would choose.
        names = ("mixed_precision", "jit_compile", "steps_per_execution", "resident")
        open_config = config.replace(**dict.fromkeys(names), **RUN_LENGTH)
        self.choices = describe_compute(completed_config(open_config, dataset))
        if precision == "mixed":
            precision = "float16" if has_accelerator() else "bfloat16"
        self.config = completed_config(config.replace(mixed_precision=precision), dataset)
        self.left_out = 0
        if self.config.compute.resident and len(dataset) > _RESIDENT_IMAGES:
            self.left_out = len(dataset) - _RESIDENT_IMAGES
            variants = (*config.data.variants, f"subset:{_RESIDENT_IMAGES}")
            dataset = load_dataset(config.replace(variants=variants), fetch=False)
        self.dataset = dataset
        self.model = build_model(self.config, dataset)
        self.batches = BenchBatches(
            self.model.training_batches(
                dataset,
                batch_size=config.training.batch_size,
                steps=config.training.steps,
                resident=bool(self.config.compute.resident),
            )
        )
        self._position = 0
        self._matrix: Any = None
        self._encodings = 0

    def train(self, script: Iterator[Any]) -> None:
        """Trains in Keras's loop, advancing the script after every execution until it ends."""
        self.model.fit(self.batches, epochs=_ENDLESS, verbose=0, callbacks=[_ScriptRunner(script)])

    def training_rate(self, repeated: bool) -> Generator[None, None, tuple[float, float | None]]:
        """Measures steps per second, and minor page faults per step (`None` on Windows).

        It is part of a script of `train`: it yields once per execution. With `repeated`, the same
        batch is used every time.
        """
        self.batches.repeated = repeated
        steps, start = self.config.compute.steps_per_execution or 1, time.perf_counter()
        # Uses up the batches that were read ahead before.
        for _ in range(-(-_READ_AHEAD // steps)):
            yield
            if time.perf_counter() - start > self.seconds:
                break
        executions, faults, start = 0, minor_page_faults(), time.perf_counter()
        while (passed := time.perf_counter() - start) < self.seconds or not executions:
            yield
            executions += 1
        count, faults_after = executions * steps, minor_page_faults()
        if faults is None or faults_after is None:
            return count / passed, None
        return count / passed, (faults_after - faults) / count

    def data_rate(self) -> float:
        """Measures the images per second that `Batches` reads while nothing else runs."""
        size = self.config.training.batch_size
        batches = self.model.training_batches(self.dataset, batch_size=size)
        count, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < self.seconds:
            batches.images(self._position)
            self._position += 1
            count += self._images_per_step
        return count / passed

    @property
    def _images_per_step(self) -> int:
        return self.config.training.batch_size * (2 if self.model.declaration.takes_pairs else 1)

    def encoding_rate(self) -> float:
        """Measures the images per second that are read and encoded as for metrics."""
        rows = np.random.default_rng(self._encodings)
        if not self._encodings:
            # Compiles.
            Encoding(self.model, self.dataset).prepare(np.arange(min(256, len(self.dataset))))
        self._encodings += 1
        count, start = 0, time.perf_counter()
        while (passed := time.perf_counter() - start) < self.seconds:
            encoding = Encoding(self.model, self.dataset)
            encoding.prepare(rows.choice(len(self.dataset), min(2048, len(self.dataset)), False))
            count += encoding.encoded_count
        return count / passed

    def product_rate(self) -> float:
        """Measures the operations per second of products of large matrices, the best of several."""
        if self._matrix is None:
            self._matrix = self._large_matrix()
        best, start = np.inf, time.perf_counter()
        while time.perf_counter() - start < self.seconds:
            best = min(best, _product_seconds(self._matrix))
        return 2 * self._matrix.shape[0] ** 3 / best

    def _large_matrix(self) -> Any:
        """Returns a matrix large enough to be multiplied at full speed, in the layers' dtype."""
        dtype, side = self.model.dtype_policy.compute_dtype, 256
        while True:
            numbers = np.random.default_rng(0).random((side, side), np.float32)
            matrix = ops.convert_to_tensor(numbers, dtype)
            _product_seconds(matrix)
            if side >= _LARGEST_MATRIX or _product_seconds(matrix) > 0.05:
                return matrix
            side *= 2

    def facts(self) -> dict[str, Any]:
        """Returns what is known after the first steps, a dictionary that `json.dump` takes."""
        name, memory = accelerator_facts()
        return {
            "precision": self.model.dtype_policy.name,
            "accelerator": name,
            "choices": self.choices,
            "settings": describe_compute(self.config),
            "data": self.dataset.description,
            "images_left_out": self.left_out,
            "memory_megabytes": peak_memory(),
            "device_memory_megabytes": memory,
            "images_per_step": self._images_per_step,
            "step_gigaflop": training_flops(self.model, self._images_per_step) / 1e9,
        }


class _ScriptRunner(keras.callbacks.Callback):
    """Advances an iterator after every execution, and ends training with it."""

    def __init__(self, script: Iterator[Any]) -> None:
        super().__init__()
        self._script = script

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advances the script, and ends training with it."""
        if next(self._script, self) is self:
            self.model.stop_training = True


def _product_seconds(matrix: Any) -> float:
    start = time.perf_counter()
    product = ops.matmul(matrix, matrix)
    # Waits for the product. From TensorFlow, NumPy takes arrays of bfloat16 but no scalar.
    ops.convert_to_numpy(product[:1, :1])
    return time.perf_counter() - start
