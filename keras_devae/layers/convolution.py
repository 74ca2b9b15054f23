"""The convolution and its transpose, in the form that backend and device compute fastest."""

import functools

import keras
from keras import ops

from keras_devae.backend import backend_on_cpu, differentiated_as, torch_convolution
from keras_devae.layers import convolution_forms


class _InFastestForm:
    """Mixed into a convolution of Keras's, computes it as `_form` says."""

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
        bias = ops.convert_to_tensor(self.bias) if self.use_bias else None
        return self.activation(form(inputs, ops.convert_to_tensor(self.kernel), bias))

    def _form(self, shape, backend):
        """Returns the function of inputs, kernel and bias that computes this layer, or `None`.

        Args:
            shape: Shape of the inputs.
            backend: Name of the backend on a CPU, `None` on anything else.
        """
        if self.data_format != "channels_last" or set(self.dilation_rate) != {1}:
            return None
        if getattr(self, "groups", 1) != 1 or None in shape[1:]:
            return None
        return self._form_by_sizes(shape, backend)

    @property
    def _is_published(self):
        """Whether it is 4x4 with stride 2, as in the networks of the field."""
        return (self.kernel_size, self.strides, self.padding) == ((4, 4), (2, 2), "same")

    @property
    def _is_plain(self):
        """Whether it has no stride and no padding."""
        return (self.strides, self.padding) == ((1, 1), "valid")


@keras.saving.register_keras_serializable(package="keras_devae")
class Convolution(_InFastestForm, keras.layers.Conv2D):
    """A `keras.layers.Conv2D` with the same arguments, weights and results.

    On a CPU, some are computed in another form, which is faster there:

    - with kernel 4, stride 2 and padding "same", on JAX: XLA takes up to three times longer for
      the gradients of a convolution than for convolutions and products that give the same;
    - the same, and with stride 1 and no padding, on PyTorch: Keras changes the order of the axes
      there and back by copies.

    Everywhere else this is Keras's layer.

    Args:
        *args: Arguments of `keras.layers.Conv2D`.
        **kwargs: Arguments of `keras.layers.Conv2D`.
    """

    def _form_by_sizes(self, shape, backend):
        halves = self._is_published and shape[1] % 2 == 0 and shape[2] % 2 == 0
        if backend == "torch" and (halves or self._is_plain):
            return functools.partial(torch_convolution, stride=self.strides, padding=int(halves))
        if backend == "jax" and halves:
            return _and_bias(convolution_forms.convolved)
        return None


@keras.saving.register_keras_serializable(package="keras_devae")
class TransposedConvolution(_InFastestForm, keras.layers.Conv2DTranspose):
    """A `keras.layers.Conv2DTranspose` with the same arguments, weights and results.

    On a CPU, some are computed in another form, which is faster there:

    - with kernel 4, stride 2, padding "same" and one filter, on TensorFlow and JAX: a matrix
      product gives the 16 values that each input pixel adds to the output, which are then added
      where they overlap. TensorFlow's own kernel computes 16 filters and drops 15;
    - with the same and more filters, on JAX: a convolution to four times the filters, whose
      outputs are then put in their places, with the gradients of `Convolution`;
    - with a single input pixel and stride 1, on JAX: a matrix product;
    - with kernel 4, stride 2, padding "same", and with stride 1 and no padding, on PyTorch: without
      the copies by which Keras changes the order of the axes there and back.

    Everywhere else this is Keras's layer.

    Args:
        *args: Arguments of `keras.layers.Conv2DTranspose`.
        **kwargs: Arguments of `keras.layers.Conv2DTranspose`.
    """

    def _form_by_sizes(self, shape, backend):
        if self.output_padding is not None:
            return None
        if backend == "torch" and (self._is_published or self._is_plain):
            options = {"stride": self.strides, "padding": int(self._is_published)}
            return functools.partial(torch_convolution, transposed=True, **options)
        if self._is_published and self.filters == 1 and backend in ("tensorflow", "jax"):
            overlap = convolution_forms.transposed_by_overlap
            return _and_bias(differentiated_as(overlap, convolution_forms.transposed_as_keras))
        if self._is_published and backend == "jax":
            return _and_bias(convolution_forms.transposed)
        if self._is_plain and backend == "jax" and shape[1:3] == (1, 1):
            return _and_bias(convolution_forms.from_one_pixel)
        return None


def _and_bias(form):
    """Returns a function like one of inputs and kernel that adds a bias, if there is one."""

    def with_bias(inputs, kernel, bias):
        outputs = form(inputs, kernel)
        return outputs if bias is None else outputs + bias

    return with_bias
