"""The stacks that DiT is compared with, and the owner of random numbers."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.layers import LinearStack, ParallelStack, RandomState

pytestmark = pytest.mark.backends

STACKS = (LinearStack, ParallelStack)


def as_numpy(pair):
    return tuple(ops.convert_to_numpy(tensor) for tensor in pair)


def indices(layers):
    return ops.convert_to_tensor(np.array(layers, "int32"))


@pytest.fixture
def case():
    """A linear stack of four layers, posteriors, and what follows from them layer by layer."""
    rng = np.random.default_rng(0)
    stack = LinearStack(4)
    stack.build((None, 3))
    mean, log_var = rng.normal(size=(2, 5, 3))
    means, log_vars = [mean], [log_var]
    for i in range(3):
        mean_map, log_var_map, bias = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), [1, -1, 2]
        stack.mean_maps[i].assign(mean_map)
        stack.log_var_maps[i].assign(log_var_map)
        stack.log_var_biases[i].assign(bias)
        means.append(np.einsum("bi,ij->bj", means[-1], mean_map))
        log_vars.append(np.einsum("bi,ij->bj", log_vars[-1], log_var_map) + bias)
    assert np.abs(log_vars).max() < 20
    inputs = (mean.astype("float32"), log_var.astype("float32"))
    return stack, inputs, (np.array(means), np.array(log_vars))


def test_linear_layers_follow_one_another(case):
    stack, inputs, expected = case
    for got, values in zip(as_numpy(stack(*inputs)), expected, strict=True):
        np.testing.assert_allclose(got, values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", [0, 2])
def test_one_linear_layer(case, layer):
    stack, inputs, expected = case
    for number in (layer, ops.convert_to_tensor(layer, "int32")):
        for got, values in zip(as_numpy(stack(*inputs, index=number)), expected, strict=True):
            np.testing.assert_allclose(got, values[layer], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", [[3], [2, 0], [1, 1, 3]])
def test_some_linear_layers(case, layers):
    stack, inputs, expected = case
    for got, values in zip(as_numpy(stack(*inputs, index=indices(layers))), expected, strict=True):
        np.testing.assert_allclose(got, values[layers], rtol=1e-4, atol=1e-5)


def test_linear_stack_starts_as_the_identity():
    mean, log_var = np.float32([[1, -2]]), np.float32([[0.5, 0]])
    stack = LinearStack(3)
    means, log_vars = as_numpy(stack(mean, log_var))
    np.testing.assert_array_equal(means, np.repeat(mean[None], 3, axis=0))
    np.testing.assert_array_equal(log_vars, np.repeat(log_var[None], 3, axis=0))
    shapes = sorted(tuple(weight.shape) for weight in stack.trainable_variables)
    assert shapes == [(2,)] * 2 + [(2, 2)] * 4


def test_maps_of_any_size_keep_the_variances_finite():
    stack = LinearStack(3)
    stack.build((None, 2))
    for weight in stack.trainable_variables:
        weight.assign(np.full(weight.shape, 1e6))
    for sign in (1, -1):
        _, log_vars = as_numpy(stack(np.zeros((1, 2), "float32"), np.full((1, 2), sign, "float32")))
        np.testing.assert_array_equal(np.abs(log_vars[1:]), 20)
        assert np.isfinite(np.exp(log_vars)).all()


def test_parallel_layers_are_parts():
    mean = np.arange(24, dtype="float32").reshape(2, 12)
    log_var = -mean
    expected = np.stack([mean[:, 0:4], mean[:, 4:8], mean[:, 8:12]])
    stack = ParallelStack(3)
    for got, sign in zip(as_numpy(stack(mean, log_var)), (1, -1), strict=True):
        np.testing.assert_array_equal(got, sign * expected)
    for number in (1, ops.convert_to_tensor(1, "int32")):
        for got, sign in zip(as_numpy(stack(mean, log_var, index=number)), (1, -1), strict=True):
            np.testing.assert_array_equal(got, sign * mean[:, 4:8])
    for got, sign in zip(
        as_numpy(stack(mean, log_var, index=indices([2, 0]))), (1, -1), strict=True
    ):
        np.testing.assert_array_equal(got, sign * expected[[2, 0]])
    assert stack.weights == []


@pytest.mark.parametrize("stack_class", STACKS)
def test_a_single_layer_is_the_encoders(stack_class):
    mean, log_var = np.float32([[1, -2]]), np.float32([[0.5, 0]])
    stack = stack_class(1)
    means, log_vars = as_numpy(stack(mean, log_var))
    np.testing.assert_array_equal(means, mean[None])
    np.testing.assert_array_equal(log_vars, log_var[None])
    assert stack.weights == []


@pytest.mark.parametrize("stack_class", STACKS)
def test_stacks_compute_in_float32_under_mixed_precision(stack_class, float32_policy):
    keras.config.set_dtype_policy("mixed_float16")
    halves = np.ones((1, 2), "float16"), np.zeros((1, 2), "float16")
    for tensor in stack_class(2)(*halves):
        assert keras.backend.standardize_dtype(tensor.dtype) == "float32"


@pytest.mark.parametrize("stack_class", STACKS)
def test_stacks_round_trip(stack_class):
    config = keras.saving.serialize_keras_object(stack_class(4, name="stack"))
    assert config["registered_name"] == f"keras_devae>{stack_class.__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert (again.num_layers, again.name) == (4, "stack")
    assert again.warnings() == []
    with pytest.raises(UsageError, match="`num_layers` must be a whole number of at least 1"):
        stack_class(0)


def draws(layer, count=2):
    return [
        ops.convert_to_numpy(keras.random.uniform((3,), seed=layer.seed_generator))
        for _ in range(count)
    ]


def test_random_state_is_saved():
    layer, store = RandomState(seed=5), {}
    first = draws(layer)
    layer.save_own_variables(store)
    going_on = draws(layer)
    other = RandomState(seed=6)
    other.load_own_variables(store)
    np.testing.assert_array_equal(draws(other), going_on)
    assert not np.array_equal(first, going_on)
    np.testing.assert_array_equal(draws(RandomState(seed=5)), first)


def test_random_state_round_trip():
    config = keras.saving.serialize_keras_object(RandomState(seed=7, name="random"))
    assert config["registered_name"] == "keras_devae>RandomState"
    again = keras.saving.deserialize_keras_object(config)
    assert (again.seed, again.name) == (7, "random")
