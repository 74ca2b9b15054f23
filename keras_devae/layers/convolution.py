"""The convolution and its transpose, in the form that is fastest on the backend and device."""

import functools
from collections.abc import Callable

import keras
from keras import ops

from keras_devae.backend import differentiated_as, has_accelerator
from keras_devae.backend.interface import Backend, active
from keras_devae.backend.torch import channels_last_convolution
from keras_devae.checks import Tensor
from keras_devae.layers import convolution_forms

#: Computes a layer from its inputs, kernel and bias, which may be `None`.
_Form = Callable[[Tensor, Tensor, Tensor | None], Tensor]


class _InFastestForm(keras.layers.Layer):
    """Mixin for a Keras convolution that computes it in the form chosen by `_form` on a CPU."""

    def call(self, inputs: Tensor) -> Tensor:
        """Convolves `(batch, height, width, channels)`, see `keras.layers.Conv2D`."""
        form = None if has_accelerator() else self._form(tuple(inputs.shape), active())
        if form is None:
            return super().call(inputs)
        bias = ops.convert_to_tensor(self.bias) if self.use_bias else None
        return self.activation(form(inputs, ops.convert_to_tensor(self.kernel), bias))

    def _form(self, shape: tuple[int | None, ...], backend: Backend) -> _Form | None:
        """Returns the function that computes this layer for a shape, or `None` to use Keras's."""
        if self.data_format != "channels_last" or set(self.dilation_rate) != {1}:
            return None
        if getattr(self, "groups", 1) != 1 or None in shape[1:]:
            return None
        return self._form_by_sizes(shape, backend)

    @property
    def _is_published(self) -> bool:
        """Whether it is 4x4 with stride 2, as in the published networks."""
        return (self.kernel_size, self.strides, self.padding) == ((4, 4), (2, 2), "same")

    @property
    def _is_plain(self) -> bool:
        """Whether it has no stride and no padding."""
        return (self.strides, self.padding) == ((1, 1), "valid")


@keras.saving.register_keras_serializable(package="keras_devae")
class Convolution(_InFastestForm, keras.layers.Conv2D):
    """A `keras.layers.Conv2D` with the same arguments, weights and results.

    On a CPU, these cases are computed in another form, which is faster there:

    - kernel 4, stride 2 and padding "same", on JAX: XLA takes up to three times longer for the
      gradients of a convolution than for equivalent convolutions and products;
    - the same, and stride 1 with no padding, on PyTorch: Keras makes copies to reorder the axes
      back and forth.

    Example:
        >>> layer = Convolution(32, 4, strides=2, padding="same")
        >>> ops.shape(layer(ops.ones((8, 64, 64, 3))))
        (8, 32, 32, 32)
    """

    def _form_by_sizes(self, shape: tuple[int, ...], backend: Backend) -> _Form | None:
        halves = self._is_published and shape[1] % 2 == 0 and shape[2] % 2 == 0
        if backend.copies_images_to_convolve and (halves or self._is_plain):
            options = {"stride": self.strides, "padding": int(halves)}
            return functools.partial(channels_last_convolution, **options)
        if backend.has_slow_convolution_gradients and halves:
            return _and_bias(convolution_forms.convolved)
        return None


@keras.saving.register_keras_serializable(package="keras_devae")
class TransposedConvolution(_InFastestForm, keras.layers.Conv2DTranspose):
    """A `keras.layers.Conv2DTranspose` with the same arguments, weights and results.

    On a CPU, these cases are computed in another form, which is faster there:

    - kernel 4, stride 2, padding "same" and one filter, on TensorFlow and JAX: a matrix product
      gives the 16 values that each input pixel adds to the output, which are then added where they
      overlap. TensorFlow's own kernel computes 16 filters and drops 15;
    - the same with more filters, on JAX: a convolution with four times the filters, whose outputs
      are then rearranged, with the gradients of `Convolution`;
    - a single input pixel and stride 1, on JAX: a matrix product;
    - kernel 4, stride 2 and padding "same", or stride 1 and no padding, on PyTorch: avoids the
      copies that Keras makes to reorder the axes back and forth.

    Example:
        >>> layer = TransposedConvolution(3, 4, strides=2, padding="same")
        >>> ops.shape(layer(ops.ones((8, 32, 32, 32))))
        (8, 64, 64, 3)
    """

    def _form_by_sizes(self, shape: tuple[int, ...], backend: Backend) -> _Form | None:
        if self.output_padding is not None:
            return None
        if backend.copies_images_to_convolve and (self._is_published or self._is_plain):
            options = {"stride": self.strides, "padding": int(self._is_published)}
            return functools.partial(channels_last_convolution, transposed=True, **options)
        if self._is_published and self.filters == 1 and backend.has_slow_single_filters:
            overlap = convolution_forms.transposed_by_overlap
            return _and_bias(differentiated_as(overlap, convolution_forms.transposed_as_keras))
        if self._is_published and backend.has_slow_convolution_gradients:
            return _and_bias(convolution_forms.transposed)
        if self._is_plain and backend.has_slow_convolution_gradients and shape[1:3] == (1, 1):
            return _and_bias(convolution_forms.from_one_pixel)
        return None


def _and_bias(form: Callable[[Tensor, Tensor], Tensor]) -> _Form:
    """Makes a form from a function of inputs and kernel; it adds the bias, if there is one."""

    def with_bias(inputs: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        outputs = form(inputs, kernel)
        return outputs if bias is None else outputs + bias

    return with_bias
