"""The package's interface to PyTorch, which is imported on first use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_devae.backend.interface import Backend
from keras_devae.checks import Tensor
from keras_devae.errors import UsageError


class Torch(Backend):
    """Computes with PyTorch, step by step and on one device."""

    compiles_several_steps = False
    copies_images_to_convolve = True
    keras_formats = ("torch",)
    exports_from_accelerator = False

    def has_accelerator(self) -> bool:
        """Tells whether there is a GPU."""
        import torch

        return torch.cuda.is_available()

    def accelerator_facts(self) -> tuple[str | None, int | None]:
        """Returns the GPU's name and peak memory use."""
        import torch

        return torch.cuda.get_device_name(), torch.cuda.max_memory_allocated()

    def device_memory(self) -> int | None:
        """Returns the memory of the GPU."""
        import torch

        return torch.cuda.mem_get_info()[1] if torch.cuda.is_available() else None

    def compute_threads(self) -> int:
        """Returns the number of threads within one operation."""
        import torch

        return torch.get_num_threads()

    def compiles_with_xla(self) -> bool:
        """Returns false: PyTorch's equivalent is never chosen automatically."""
        return False

    def computes_with_onednn(self) -> bool | None:
        """Tells whether PyTorch was built with oneDNN."""
        import torch

        return torch.backends.mkldnn.is_available()

    def export_options(self, quantize: str | None) -> dict[str, Any]:
        """Returns the option that lets batches have any size."""
        import torch

        return {"dynamic_shapes": {0: torch.export.Dim("batch", min=1)}}

    def write_onnx(self, module: Any, inputs: tuple[tuple, str, str], file: Path) -> None:
        """Converts the traced module, as Keras does, which would not name the outputs."""
        import torch

        shape, name, dtype = inputs
        sample = torch.zeros((1, *shape[1:]), dtype=getattr(torch, dtype))
        names = list(module(sample))

        class Ordered(torch.nn.Module):
            """The module with its outputs in the order of their names."""

            def __init__(self):
                super().__init__()
                self.module = module

            def forward(self, array):
                outputs = self.module(array)
                return tuple(outputs[each] for each in names)

        torch.onnx.export(
            Ordered().eval(),
            (sample,),
            str(file),
            input_names=[name],
            output_names=names,
            dynamic_axes={each: {0: "batch"} for each in (name, *names)},
            opset_version=17,
            # The newer exporter cannot leave the size of batches open for these models.
            dynamo=False,
        )

    def use_deterministic_operations(self) -> None:
        """Turns on PyTorch's deterministic algorithms."""
        import torch

        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False

    def on_host(self, function: Callable, tensor: Tensor, shape: tuple, dtype: str) -> Tensor:
        """Calls a NumPy function; not where Keras infers shapes, with tensors that hold nothing."""
        if tensor.device.type == "meta":
            import torch

            return tensor.new_empty(shape, dtype=getattr(torch, dtype))
        return super().on_host(function, tensor, shape, dtype)

    def process(self) -> tuple[int, int]:
        """Raises a `UsageError`: PyTorch trains on one device here."""
        raise UsageError(
            "PyTorch trains on one device here. For several, choose the backend jax or tensorflow."
        )


BACKEND = Torch()


def channels_last_convolution(
    inputs: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: int,
    transposed: bool = False,
) -> Any:
    """Convolves in PyTorch's channels-last format, without copying the images.

    Args:
        inputs: Tensor `(batch, height, width, channels)`.
        kernel: Tensor `(height, width, channels, filters)`; for a transposed convolution, filters
            come before channels.
        bias: Tensor `(filters,)` or `None`.
        stride: Strides `(height, width)`.
        padding: Pixels of padding on each side.
        transposed: Whether the convolution is transposed; default false.

    Returns:
        Tensor `(batch, new height, new width, filters)`.
    """
    import torch

    convolve = torch.nn.functional.conv_transpose2d if transposed else torch.nn.functional.conv2d
    # This permutes the axes but not the memory. The kernel tells PyTorch which memory order is
    # meant, as images with one channel fit both.
    kernel = kernel.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
    outputs = convolve(inputs.permute(0, 3, 1, 2), kernel, bias, stride=stride, padding=padding)
    return outputs.permute(0, 2, 3, 1)
