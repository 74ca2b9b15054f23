import keras
import numpy as np
import pytest
from half_precision import needs_half_precision
from keras import ops

from keras_devae.backend.interface import backend_named
from keras_devae.layers import Convolution, TransposedConvolution, convolution

pytestmark = pytest.mark.backends

KERAS_LAYERS = {
    Convolution: keras.layers.Conv2D,
    TransposedConvolution: keras.layers.Conv2DTranspose,
}
BACKENDS = ("tensorflow", "jax", "torch")
PUBLISHED = (4, 2, "same")
#: Layer, shape of inputs, arguments after the number of filters, that number, and the backends
#: that have another form on a CPU.
CASES = [
    (Convolution, (3, 8, 6, 5), PUBLISHED, 6, ("jax", "torch")),
    (Convolution, (2, 4, 8, 1), PUBLISHED, 3, ("jax", "torch")),
    (Convolution, (2, 2, 2, 2), PUBLISHED, 1, ("jax", "torch")),
    (Convolution, (2, 5, 8, 3), PUBLISHED, 2, ()),
    (Convolution, (2, 4, 4, 3), (4, 1, "valid"), 5, ("torch",)),
    (Convolution, (2, 6, 6, 3), (4, 2, "valid"), 5, ()),
    (TransposedConvolution, (3, 4, 4, 5), PUBLISHED, 6, ("jax", "torch")),
    (TransposedConvolution, (3, 3, 5, 4), PUBLISHED, 2, ("jax", "torch")),
    (TransposedConvolution, (2, 5, 7, 3), PUBLISHED, 1, BACKENDS),
    (TransposedConvolution, (2, 1, 1, 4), PUBLISHED, 3, ("jax", "torch")),
    (TransposedConvolution, (2, 1, 1, 4), PUBLISHED, 1, BACKENDS),
    (TransposedConvolution, (3, 1, 1, 8), (4, 1, "valid"), 6, ("jax", "torch")),
    (TransposedConvolution, (2, 1, 1, 8), (3, 1, "valid"), 2, ("jax", "torch")),
    (TransposedConvolution, (2, 3, 3, 8), (3, 1, "valid"), 2, ("torch",)),
    (TransposedConvolution, (2, 4, 4, 3), (4, 2, "valid"), 1, ()),
    (TransposedConvolution, (2, 4, 4, 3), (3, 2, "same"), 2, ()),
]


@pytest.mark.parametrize(("kind", "shape", "arguments", "filters"), [case[:4] for case in CASES])
def test_results_and_gradients_are_those_of_keras(kind, shape, arguments, filters, gradients_of):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=shape).astype("float32")
    expected, layer = (
        one_kind(filters, *arguments, activation="tanh", bias_initializer="normal")
        for one_kind in (KERAS_LAYERS[kind], kind)
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
    for kind, shape, arguments, filters, expected in CASES:
        layer = kind(filters, *arguments)
        forms = {name: layer._form(shape, backend_named(name)) for name in BACKENDS}
        found = tuple(name for name, form in forms.items() if form is not None)
        assert found == expected, (kind, shape, arguments, filters)


def test_keras_computes_on_an_accelerator(monkeypatch):
    monkeypatch.setattr(convolution, "has_accelerator", lambda: True)
    for kind, shape, arguments, filters, _ in CASES:
        layer = kind(filters, *arguments)
        monkeypatch.setattr(layer, "_form", lambda *given: pytest.fail("another form"))
        layer(np.zeros(shape, "float32"))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (TransposedConvolution(2, *PUBLISHED, data_format="channels_first"), (1, 2, 4, 4)),
        (TransposedConvolution(2, 4, 1, "valid", dilation_rate=2), (1, 1, 1, 3)),
        (TransposedConvolution(1, *PUBLISHED, output_padding=1), (1, 4, 4, 3)),
        (TransposedConvolution(1, *PUBLISHED), (1, None, None, 3)),
        (Convolution(2, *PUBLISHED, data_format="channels_first"), (1, 2, 4, 4)),
        (Convolution(2, 4, 1, "valid", dilation_rate=2), (1, 8, 8, 3)),
        (Convolution(2, *PUBLISHED, groups=2), (1, 4, 4, 2)),
        (Convolution(2, *PUBLISHED), (1, None, None, 3)),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_keras(layer, shape, backend):
    assert layer._form(shape, backend_named(backend)) is None


@needs_half_precision
@pytest.mark.parametrize("filters", [1, 3])
@pytest.mark.parametrize(("kind", "size"), [(Convolution, 2), (TransposedConvolution, 8)])
def test_without_a_bias_and_in_half_precision(kind, size, filters):
    layer = kind(filters, *PUBLISHED, use_bias=False, dtype="mixed_bfloat16")
    outputs = layer(np.ones((2, 4, 4, 5), "float32"))
    assert outputs.shape == (2, size, size, filters)
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


@pytest.mark.parametrize("kind", [Convolution, TransposedConvolution])
def test_comes_back_from_its_configuration(kind, tmp_path):
    images = keras.Input((4, 4, 3))
    model = keras.Model(images, kind(2, *PUBLISHED, activation="relu")(images))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[1]) is kind
    assert loaded.layers[1].get_config() == model.layers[1].get_config()
    inputs = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_array_equal(*map(ops.convert_to_numpy, (model(inputs), loaded(inputs))))
