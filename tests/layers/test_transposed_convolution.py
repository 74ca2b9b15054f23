import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.layers import TransposedConvolution, transposed_convolution

pytestmark = pytest.mark.backends

#: Shapes of inputs, arguments after the number of filters, that number, and whether there is
#: another form on a CPU for TensorFlow and for JAX.
CASES = [
    ((3, 4, 4, 5), (4, 2, "same"), 6, False, True),
    ((2, 5, 7, 3), (4, 2, "same"), 1, True, True),
    ((2, 1, 1, 4), (4, 2, "same"), 3, False, True),
    ((2, 1, 1, 4), (4, 2, "same"), 1, True, True),
    ((3, 1, 1, 8), (4, 1, "valid"), 6, False, True),
    ((2, 1, 1, 8), (3, 1, "valid"), 2, False, True),
    ((2, 4, 4, 3), (4, 2, "valid"), 1, False, False),
    ((2, 4, 4, 3), (3, 2, "same"), 2, False, False),
]


@pytest.fixture(params=["tensorflow", "jax", None], ids=["as TensorFlow", "as JAX", "as chosen"])
def form(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(transposed_convolution, "backend_on_cpu", lambda: request.param)


@pytest.mark.parametrize(("shape", "arguments", "filters"), [case[:3] for case in CASES])
def test_results_and_gradients_are_those_of_keras(form, shape, arguments, filters, gradients_of):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=shape).astype("float32")
    expected, layer = (
        kind(filters, *arguments, activation="tanh", bias_initializer="normal")
        for kind in (keras.layers.Conv2DTranspose, TransposedConvolution)
    )
    expected.build(shape)
    layer.build(shape)
    layer.set_weights(expected.get_weights())
    outputs = ops.convert_to_numpy(expected(inputs))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(inputs)), outputs, atol=1e-5)
    weights = rng.normal(size=outputs.shape).astype("float32")

    def total_of(layer):
        def total(inputs, *values):
            return ops.sum(ops.multiply(layer.stateless_call(values, [], inputs)[0], weights))

        return total

    for one, other in zip(
        gradients_of(total_of(layer), inputs, *layer.get_weights()),
        gradients_of(total_of(expected), inputs, *layer.get_weights()),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_other_forms_are_taken_where_they_are_meant():
    for shape, arguments, filters, *expected in CASES:
        layer = TransposedConvolution(filters, *arguments)
        assert [layer._form(shape, b) is not None for b in ("tensorflow", "jax")] == expected
        assert layer._form(shape, "torch") is None and layer._form(shape, None) is None
    first = TransposedConvolution(2, 4, 2, "same", data_format="channels_first")
    dilated = TransposedConvolution(2, 4, 1, "valid", dilation_rate=2)
    padded = TransposedConvolution(1, 4, 2, "same", output_padding=1)
    free = TransposedConvolution(1, 4, 2, "same")
    assert first._form((1, 2, 4, 4), "jax") is None
    assert dilated._form((1, 1, 1, 3), "jax") is None
    assert padded._form((1, 4, 4, 3), "jax") is None
    assert free._form((1, None, None, 3), "jax") is None


@pytest.mark.parametrize("filters", [1, 3])
def test_without_a_bias_and_in_half_precision(form, filters):
    layer = TransposedConvolution(filters, 4, 2, "same", use_bias=False, dtype="mixed_bfloat16")
    outputs = layer(np.ones((2, 4, 4, 5), "float32"))
    assert outputs.shape == (2, 8, 8, filters)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_comes_back_from_its_configuration(tmp_path):
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, TransposedConvolution(2, 4, 2, "same", activation="relu")(images))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[1]) is TransposedConvolution
    assert loaded.layers[1].get_config() == model.layers[1].get_config()
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (model(inputs), loaded(inputs))))
