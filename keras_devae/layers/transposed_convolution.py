"""The transposed convolution, in the form that backend and device compute fastest."""

import keras
from keras import ops

from keras_devae.backend import backend_on_cpu, differentiated_as

#: For an even and an odd place of the output: which of the input's neighbours (0 before, 1 at, 2
#: behind) meet which of the kernel's four values.
_TAPS = (((0, 3), (1, 1)), ((1, 2), (2, 0)))


@keras.saving.register_keras_serializable(package="keras_devae")
class TransposedConvolution(keras.layers.Conv2DTranspose):
    """A `keras.layers.Conv2DTranspose` with the same arguments, weights and results.

    On a CPU, some are computed in another form, which is faster there:

    - with kernel 4, stride 2, padding "same" and one filter, on TensorFlow and JAX: a matrix
      product gives the 16 values that each input pixel adds to the output, which are then added
      where they overlap. TensorFlow's own kernel computes 16 filters and drops 15;
    - with the same and more filters, on JAX: matrix products for each of the four output pixels of
      an input pixel, which are then put in their places. JAX takes many times longer for the
      gradients of transposed convolutions than for those of products;
    - with a single input pixel and stride 1, on JAX: a matrix product.

    Everywhere else this is Keras's layer.

    Args:
        *args: Arguments of `keras.layers.Conv2DTranspose`.
        **kwargs: Arguments of `keras.layers.Conv2DTranspose`.
    """

    def call(self, inputs):
        """Convolves.

        Args:
            inputs: Tensor `(batch, height, width, channels)`.

        Returns:
            Tensor `(batch, new height, new width, filters)`.
        """
        form = self._form(tuple(inputs.shape), backend_on_cpu())
        if form is None:
            return super().call(inputs)
        outputs = form(inputs, ops.convert_to_tensor(self.kernel))
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)

    def _form(self, shape, backend):
        """Returns the function that computes this layer in another form, or `None`."""
        if self.data_format != "channels_last" or set(self.dilation_rate) != {1}:
            return None
        if self.output_padding is not None or None in shape[1:]:
            return None
        if self.kernel_size == (4, 4) and self.strides == (2, 2) and self.padding == "same":
            if self.filters == 1 and backend in ("tensorflow", "jax"):
                return differentiated_as(_by_overlap, _as_keras)
            return _by_phases if backend == "jax" else None
        from_one_pixel = shape[1:3] == (1, 1) and self.strides == (1, 1)
        if backend == "jax" and from_one_pixel and self.padding == "valid":
            return _from_one_pixel
        return None


def _as_keras(inputs, kernel):
    """Convolves 4x4, stride 2, "same", as Keras does."""
    return ops.conv_transpose(inputs, kernel, strides=2, padding="same")


def _by_overlap(inputs, kernel):
    """Convolves 4x4, stride 2, "same", to one filter, by a product whose results overlap."""
    _, height, width, channels = inputs.shape
    pixels = ops.transpose(ops.reshape(inputs, (-1, channels)))
    products = ops.matmul(ops.reshape(kernel, (16, channels)), pixels)
    # By place in the kernel first: what is added below lies in a row.
    products = ops.reshape(products, (4, 4, -1, height, width))
    rows = [_overlapped(row, axis=2) for row in _overlapped(products, axis=2)]
    places = ops.stack([ops.stack(row, axis=-1) for row in rows], axis=2)
    return ops.reshape(places, (-1, 2 * height, 2 * width, 1))


def _overlapped(products, axis):
    """Adds what falls on the even and on the odd places of one axis.

    Args:
        products: `(4, ...)`, by place in the kernel along this axis.
        axis: The axis, counted without the first one.

    Returns:
        List of two tensors, the first axis gone.
    """
    return [
        products[1] + _moved(products[3], axis, 1),
        products[2] + _moved(products[0], axis, -1),
    ]


def _moved(values, axis, by):
    """Moves values by one place along an axis, zeros behind them."""
    size = values.shape[axis]
    kept = slice(0, size - 1) if by == 1 else slice(1, size)
    padding = [(0, 0)] * len(values.shape)
    padding[axis] = (1, 0) if by == 1 else (0, 1)
    return ops.pad(values[(slice(None),) * axis + (kept,)], padding)


def _by_phases(inputs, kernel):
    """Convolves 4x4, stride 2, "same", by products with the neighbours of each input pixel."""
    _, height, width, _ = inputs.shape
    padded = ops.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def product(row, column):
        (i, a), (j, b) = row, column
        neighbours = padded[:, i : i + height, j : j + width]
        return ops.matmul(neighbours, ops.transpose(kernel[a, b]))

    def phase(rows, columns):
        return sum(product(row, column) for row in rows for column in columns)

    phases = [ops.stack([phase(rows, columns) for columns in _TAPS], axis=3) for rows in _TAPS]
    outputs = ops.stack(phases, axis=2)
    return ops.reshape(outputs, (-1, 2 * height, 2 * width, kernel.shape[2]))


def _from_one_pixel(inputs, kernel):
    """Convolves images of one pixel: a product with the kernel as a matrix."""
    height, width, filters, channels = kernel.shape
    matrix = ops.reshape(ops.transpose(kernel, (3, 0, 1, 2)), (channels, -1))
    product = ops.matmul(ops.reshape(inputs, (-1, channels)), matrix)
    return ops.reshape(product, (-1, height, width, filters))
