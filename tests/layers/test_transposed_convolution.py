import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.layers import TransposedConvolution, transposed_convolution

pytestmark = pytest.mark.backends

#: Shapes of inputs, and arguments after the number of filters, of which the last two have no
#: other form.
CASES = [
    ((3, 4, 4, 5), (4, 2, "same"), 6),
    ((2, 5, 7, 3), (4, 2, "same"), 1),
    ((2, 1, 1, 4), (4, 2, "same"), 3),
    ((3, 1, 1, 8), (4, 1, "valid"), 6),
    ((2, 1, 1, 8), (3, 1, "valid"), 2),
    ((2, 4, 4, 3), (4, 2, "valid"), 2),
    ((2, 4, 4, 3), (3, 2, "same"), 2),
]


@pytest.fixture(params=[True, False], ids=["other form", "as chosen"])
def form(request, monkeypatch):
    if request.param:
        monkeypatch.setattr(transposed_convolution, "computes_with_jax_on_cpu", lambda: True)


def gradients(layer, inputs, weights):
    """The gradients of a weighted sum of the outputs with respect to kernel and bias."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape() as tape:
            total = ops.sum(layer(inputs) * weights)
        return tape.gradient(total, [v.value for v in layer.trainable_variables])
    if keras.backend.backend() == "jax":
        import jax

        def total(values):
            outputs, _ = layer.stateless_call(values, [], inputs)
            return ops.sum(outputs * weights)

        return jax.grad(total)([v.value for v in layer.trainable_variables])
    layer.zero_grad()
    ops.sum(layer(inputs) * ops.convert_to_tensor(weights)).backward()
    return [v.value.grad for v in layer.trainable_variables]


@pytest.mark.parametrize(("shape", "arguments", "filters"), CASES)
def test_results_and_gradients_are_those_of_keras(form, shape, arguments, filters):
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
    for one, other in zip(
        gradients(layer, inputs, weights), gradients(expected, inputs, weights), strict=True
    ):
        np.testing.assert_allclose(
            ops.convert_to_numpy(one), ops.convert_to_numpy(other), rtol=1e-4, atol=1e-4
        )


def test_other_forms_are_taken_where_they_are_meant(monkeypatch):
    monkeypatch.setattr(transposed_convolution, "computes_with_jax_on_cpu", lambda: True)
    forms = [TransposedConvolution(f, *a)._form(s) is not None for s, a, f in CASES]
    assert forms == [True] * 5 + [False] * 2
    first = TransposedConvolution(2, 4, 2, "same", data_format="channels_first")
    dilated = TransposedConvolution(2, 4, 1, "valid", dilation_rate=2)
    assert first._form((1, 2, 4, 4)) is None and dilated._form((1, 1, 1, 3)) is None


def test_without_a_bias_and_in_half_precision(form):
    layer = TransposedConvolution(3, 4, 2, "same", use_bias=False, dtype="mixed_bfloat16")
    outputs = layer(np.ones((2, 4, 4, 5), "float32"))
    assert outputs.shape == (2, 8, 8, 3)
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
