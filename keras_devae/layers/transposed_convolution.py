"""The transposed convolution, in the form that backend and device compute fastest."""

import keras
import numpy as np
from keras import ops

from keras_devae.backend import computes_with_jax_on_cpu

#: For an even and an odd place of the output, which of a kernel's four values meet the input's
#: neighbours before, at and behind it; 4 stands for none.
_TAPS = np.array([[3, 1, 4], [4, 2, 0]])


@keras.saving.register_keras_serializable(package="keras_devae")
class TransposedConvolution(keras.layers.Conv2DTranspose):
    """A `keras.layers.Conv2DTranspose` with the same arguments, weights and results.

    On a CPU, JAX takes many times longer for the gradients of transposed convolutions than for
    those of ordinary ones. There, two forms are computed as what they are besides: with kernel 4,
    stride 2 and padding "same", an ordinary 3x3 convolution to the four output pixels of each input
    pixel, which are then put in their places; and with a single input pixel and stride 1, a matrix
    product. Everywhere else this is Keras's layer.

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
        form = self._form(tuple(inputs.shape)) if computes_with_jax_on_cpu() else None
        if form is None:
            return super().call(inputs)
        outputs = form(inputs, self.kernel)
        if self.use_bias:
            outputs = outputs + self.bias
        return self.activation(outputs)

    def _form(self, shape):
        """Returns the function that computes this layer in another form, or `None`."""
        if self.data_format != "channels_last" or set(self.dilation_rate) != {1}:
            return None
        if self.kernel_size == (4, 4) and self.strides == (2, 2) and self.padding == "same":
            return _by_phases
        if shape[1:3] == (1, 1) and self.strides == (1, 1) and self.padding == "valid":
            return _from_one_pixel
        return None


def _by_phases(inputs, kernel):
    """Convolves 4x4, stride 2, "same", by a 3x3 convolution to the four pixels of each pixel."""
    _, height, width, channels = inputs.shape
    filters = kernel.shape[2]
    padded = ops.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
    taps = ops.take(ops.take(padded, _TAPS, axis=0), _TAPS, axis=2)
    phases = ops.reshape(ops.transpose(taps, (1, 3, 5, 0, 2, 4)), (3, 3, channels, 4 * filters))
    pixels = ops.conv(inputs, phases, padding="same")
    pixels = ops.reshape(pixels, (-1, height, width, 2, 2, filters))
    pixels = ops.transpose(pixels, (0, 1, 3, 2, 4, 5))
    return ops.reshape(pixels, (-1, 2 * height, 2 * width, filters))


def _from_one_pixel(inputs, kernel):
    """Convolves images of one pixel: a product with the kernel as a matrix."""
    height, width, filters, channels = kernel.shape
    matrix = ops.reshape(ops.transpose(kernel, (3, 0, 1, 2)), (channels, -1))
    product = ops.matmul(ops.reshape(inputs, (-1, channels)), matrix)
    return ops.reshape(product, (-1, height, width, filters))
