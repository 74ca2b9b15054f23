"""What the backends answer, and that the active one does what it says."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae import backend
from keras_devae.backend.interface import active, backend_named
from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends

#: Capability -> what TensorFlow, JAX and PyTorch answer.
CAPABILITIES = {
    "xla_calls_host": (False, True, True),
    "compiles_several_steps": (True, True, False),
    "trains_well_in_bfloat16": (True, False, False),
    "splits_batches": (True, False, False),
    "keras_formats": (("openvino", "litert"), (), ("torch",)),
    "exports_from_accelerator": (True, True, False),
}


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_capabilities(capability):
    answers = [getattr(backend_named(name), capability) for name in ("tensorflow", "jax", "torch")]
    assert tuple(answers) == CAPABILITIES[capability]


def test_the_active_backend_is_that_of_keras():
    name = keras.backend.backend()
    assert active() is backend_named(name)
    assert backend.xla_calls_host() is (name != "tensorflow")
    assert backend.compiles_several_steps() is (name != "torch")


def test_names_are_checked():
    with pytest.raises(UsageError, match=r"Unknown backend 'tensorflwo'.*'tensorflow'"):
        backend_named("tensorflwo")


def test_a_function_on_the_host():
    doubled = backend.on_host(lambda array: 2 * array, ops.arange(3, dtype="int32"), (3,), "int32")
    np.testing.assert_array_equal(ops.convert_to_numpy(doubled), [0, 2, 4])
    assert keras.backend.standardize_dtype(doubled.dtype) == "int32"


def test_rows_of_a_variable():
    table = np.arange(12, dtype="uint8").reshape(4, 3)
    variable = keras.Variable(table, dtype="uint8", trainable=False)
    rows = backend.take_rows(variable, ops.convert_to_tensor(np.array([2, 0, 2])))
    np.testing.assert_array_equal(ops.convert_to_numpy(rows), table[[2, 0, 2]])


def test_a_gradient_of_an_equal_function(gradients_of):
    function = backend.differentiated_as(lambda x: x * x, lambda x: ops.square(x))
    (gradient,) = gradients_of(
        lambda x: ops.sum(backend.computed_first(function(x))), np.array([3.0], "float32")
    )
    np.testing.assert_allclose(gradient, [6.0])
