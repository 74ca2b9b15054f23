"""Kernels divided by their spectral norm."""

import keras
import numpy as np
import pytest
from half_precision import needs_half_precision
from keras import ops

from keras_devae.layers import Convolution, SpectralNormalization

pytestmark = pytest.mark.backends


def settled(layer, inputs, calls=60):
    for _ in range(calls):
        layer(inputs, training=True)
    return layer


def array(tensor):
    return np.float64(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: keras.layers.Dense(4), (5, 7)),
        (lambda: keras.layers.Dense(1), (5, 7)),
        (lambda: Convolution(6, 4, 2, padding="same"), (2, 8, 8, 3)),
    ],
)
def test_outputs_are_those_of_the_divided_kernel(make, shape):
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    layer = settled(SpectralNormalization(make(), seed=0), inputs)
    kernel = layer.layer.kernel
    before = array(kernel)
    norm = np.linalg.norm(before.reshape(-1, before.shape[-1]), ord=2)
    layer.layer.bias.assign(np.arange(before.shape[-1]))
    got = array(layer(inputs))
    np.testing.assert_array_equal(array(kernel), before)
    kernel.assign(before / norm)
    np.testing.assert_allclose(got, array(layer.layer(inputs)), rtol=1e-3, atol=1e-4)


def test_the_gradient_passes_through_the_norm(gradients_of):
    """It is that of central differences with the singular values of NumPy."""
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(size=(5, 4)), rng.normal(size=(5, 3))
    # Of some other kernels, singular values are so close that the iteration does not settle.
    spread = keras.initializers.RandomNormal(seed=1)
    layer = settled(
        SpectralNormalization(
            keras.layers.Dense(3, use_bias=False, kernel_initializer=spread),
            seed=0,
        ),
        inputs.astype("float32"),
    )
    kernel = array(layer.layer.kernel)
    state = [variable.value for variable in layer.non_trainable_variables]

    def total(kernel):
        outputs = layer.stateless_call([kernel], state, ops.cast(inputs, "float32"))[0]
        return ops.sum(outputs * ops.cast(weights, "float32"))

    def numpy_total(kernel):
        return (inputs @ (kernel / np.linalg.norm(kernel, ord=2)) * weights).sum()

    expected = np.zeros_like(kernel)
    for place in np.ndindex(kernel.shape):
        step = np.zeros_like(kernel)
        step[place] = 1e-5
        expected[place] = (numpy_total(kernel + step) - numpy_total(kernel - step)) / 2e-5
    (got,) = gradients_of(total, kernel.astype("float32"))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)


def test_only_training_moves_the_vector():
    layer = SpectralNormalization(keras.layers.Dense(3), seed=0)
    inputs = np.ones((2, 4), "float32")
    layer(inputs)
    before = array(layer.singular_vector)
    layer(inputs, training=False)
    np.testing.assert_array_equal(array(layer.singular_vector), before)
    layer(inputs, training=True)
    assert np.linalg.norm(array(layer.singular_vector)) == pytest.approx(1, abs=1e-6)


def test_a_kernel_of_zeros_gives_the_bias():
    layer = SpectralNormalization(keras.layers.Dense(3, kernel_initializer="zeros"), seed=0)
    outputs = layer(np.ones((2, 4), "float32"), training=True)
    np.testing.assert_array_equal(array(outputs), 0)


def test_it_is_saved_with_its_vector(tmp_path):
    inputs = keras.Input((4,))
    outputs = SpectralNormalization(keras.layers.Dense(3), seed=0)(inputs)
    model = keras.Model(inputs, outputs)
    images = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    settled(model, images, calls=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(array(loaded(images)), array(model(images)), rtol=1e-6)
    assert len(loaded.weights) == 3


@needs_half_precision
def test_half_precision_computes_the_norm_in_float32():
    layer = SpectralNormalization(
        keras.layers.Dense(3, dtype="mixed_float16"), seed=0, dtype="mixed_float16"
    )
    # The largest number of float16 is 65,504.
    inputs = np.full((2, 400), 1e-2, "float16")
    layer(inputs)
    layer.layer.kernel.assign(np.full((400, 3), 3e4, "float32"))
    outputs = layer(inputs)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    np.testing.assert_allclose(array(outputs), 1e-2 * 400 / np.sqrt(1200), rtol=1e-2)
