"""The convolutions of the networks, in the forms that a backend computes fastest on a CPU.

All but `from_one_pixel` are 4x4 convolutions with stride 2 and padding "same", or their transposes.
They equal a 2x2 convolution with stride 1 between blocks: images are padded by one pixel on all
sides, and every 2x2 pixels become one pixel with four times the channels (`_to_blocks`).
"""

from keras import ops

from keras_devae.backend import computed_first
from keras_devae.checks import Tensor

#: Up to this many channels, all image values under the kernel are gathered side by side.
_FEW_CHANNELS = 2


@ops.custom_gradient
def convolved(images: Tensor, kernel: Tensor) -> Tensor:
    """Computes a 4x4 convolution with stride 2, "same", with gradients in forms that suit XLA.

    Images `(batch, height, width, channels)`, of even sides, and a kernel `(4, 4, channels,
    filters)` give `(batch, height / 2, width / 2, filters)`.
    """

    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        return _enlarged(upstream, kernel), _kernel_gradient(images, upstream)

    return _reduced(images, kernel), gradient


@ops.custom_gradient
def transposed(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Computes a transposed 4x4 convolution with stride 2, "same", in forms that suit XLA.

    Inputs `(batch, height, width, channels)` and a kernel `(4, 4, filters, channels)` give
    `(batch, 2 * height, 2 * width, filters)`.
    """

    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        return _reduced(upstream, kernel), _kernel_gradient(upstream, inputs)

    return _enlarged(inputs, kernel), gradient


def from_one_pixel(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Computes the transposed convolution of one-pixel images as a matrix product."""
    height, width, filters, channels = kernel.shape
    matrix = ops.reshape(ops.transpose(kernel, (3, 0, 1, 2)), (channels, -1))
    product = ops.matmul(ops.reshape(inputs, (-1, channels)), matrix)
    return ops.reshape(product, (-1, height, width, filters))


def transposed_as_keras(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Same as `transposed`, computed by Keras."""
    return ops.conv_transpose(inputs, kernel, strides=2, padding="same")


def transposed_by_overlap(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Same as `transposed`, for one filter, computed by a product whose results overlap.

    The product gives the 16 values that each input pixel adds to the output.
    """
    _, height, width, channels = inputs.shape
    pixels = ops.transpose(ops.reshape(inputs, (-1, channels)))
    products = ops.matmul(ops.reshape(kernel, (16, channels)), pixels)
    # The place in the kernel comes first, so that the sums below read contiguous memory.
    products = ops.reshape(products, (4, 4, -1, height, width))
    rows = [_overlapped(row, axis=2) for row in _overlapped(products, axis=2)]
    places = ops.stack([ops.stack(row, axis=-1) for row in rows], axis=2)
    return ops.reshape(places, (-1, 2 * height, 2 * width, 1))


def _overlapped(products: Tensor, axis: int) -> list[Tensor]:
    """Sums the products that fall on even and on odd places of one axis, not counting the first.

    The first axis of the products, of size 4, is the place in the kernel along that axis.
    """
    return [products[1] + _moved(products[3], axis, 1), products[2] + _moved(products[0], axis, -1)]


def _moved(values: Tensor, axis: int, by: int) -> Tensor:
    """Shifts values by one place along an axis and fills in zeros."""
    size = values.shape[axis]
    kept = slice(0, size - 1) if by == 1 else slice(1, size)
    padding = [(0, 0)] * len(values.shape)
    padding[axis] = (1, 0) if by == 1 else (0, 1)
    return ops.pad(values[(slice(None),) * axis + (kept,)], padding)


def _reduced(images: Tensor, kernel: Tensor) -> Tensor:
    return ops.conv(images, kernel, strides=2, padding="same")


def _enlarged(inputs: Tensor, kernel: Tensor) -> Tensor:
    """Computes the transposed convolution as a 2x2 convolution that yields the output's blocks."""
    _, height, width, _ = inputs.shape
    channels = kernel.shape[2]
    of_blocks = ops.transpose(ops.flip(_of_blocks(kernel), axis=(0, 1)), (0, 1, 3, 2))
    padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    blocks = ops.conv(padded, of_blocks, padding="valid")
    blocks = ops.reshape(blocks, (-1, height + 1, width + 1, 2, 2, channels))
    pixels = ops.transpose(blocks, (0, 1, 3, 2, 4, 5))
    pixels = ops.reshape(pixels, (-1, 2 * height + 2, 2 * width + 2, channels))
    return pixels[:, 1:-1, 1:-1]


def _kernel_gradient(images: Tensor, outputs: Tensor) -> Tensor:
    """Returns the gradient `(4, 4, channels, filters)` of the kernel.

    Takes images `(batch, 2 * height, 2 * width, channels)` and outputs `(batch, height, width,
    filters)`; one of the two is a gradient.
    """
    channels, filters = images.shape[-1], outputs.shape[-1]
    product = _side_by_side if channels <= _FEW_CHANNELS else _by_moved_outputs
    gradient = ops.reshape(product(images, outputs), (2, 2, 2, 2, channels, filters))
    return ops.reshape(ops.transpose(gradient, (0, 2, 1, 3, 4, 5)), (4, 4, channels, filters))


def _side_by_side(images: Tensor, outputs: Tensor) -> Tensor:
    _, height, width, filters = outputs.shape
    blocks = _to_blocks(images)
    met = [blocks[:, i : i + height, j : j + width] for i in range(2) for j in range(2)]
    met = ops.reshape(ops.concatenate(met, axis=-1), (-1, 16 * images.shape[-1]))
    return ops.matmul(ops.transpose(met), ops.reshape(outputs, (-1, filters)))


def _by_moved_outputs(images: Tensor, outputs: Tensor) -> Tensor:
    # XLA multiplies many times faster if the few rows of the left matrix are contiguous in memory
    # and neither matrix still has to be computed.
    _, height, width, filters = outputs.shape
    blocks = _to_blocks(images)
    blocks = computed_first(ops.reshape(blocks, (-1, blocks.shape[-1])))
    rows = ops.reshape(ops.transpose(outputs, (3, 0, 1, 2)), (filters, -1, height, width))
    padded = ops.pad(computed_first(rows), ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = [
        ops.reshape(padded[:, :, 1 - i :, 1 - j :][:, :, : height + 1, : width + 1], (filters, -1))
        for i in range(2)
        for j in range(2)
    ]
    product = ops.matmul(computed_first(ops.concatenate(moved, axis=0)), blocks)
    product = ops.reshape(product, (4, filters, blocks.shape[-1]))
    return ops.transpose(product, (0, 2, 1))


def _to_blocks(images: Tensor) -> Tensor:
    """Pads images by one pixel and merges every 2x2 pixels into one."""
    _, height, width, channels = images.shape
    padded = ops.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = height // 2 + 1, width // 2 + 1
    blocks = ops.reshape(padded, (-1, height, 2, width, 2, channels))
    return ops.reshape(ops.transpose(blocks, (0, 1, 3, 2, 4, 5)), (-1, height, width, 4 * channels))


def _of_blocks(kernel: Tensor) -> Tensor:
    """Turns the 4x4 kernel over pixels into the 2x2 kernel over blocks."""
    channels, filters = kernel.shape[2:]
    kernel = ops.reshape(kernel, (2, 2, 2, 2, channels, filters))
    return ops.reshape(ops.transpose(kernel, (0, 2, 1, 3, 4, 5)), (2, 2, 4 * channels, filters))
