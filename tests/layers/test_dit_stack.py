import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.layers import DiTStack

pytestmark = pytest.mark.backends


def stack_of(mean_rows, std_rows, **options):
    """A built stack with the given rows of log-scales."""
    mean_rows, std_rows = np.asarray(mean_rows, "float32"), np.asarray(std_rows, "float32")
    stack = DiTStack(len(mean_rows) + 1, **options)
    stack.build((None, mean_rows.shape[1]))
    stack.mean_log_scale.assign(mean_rows)
    stack.std_log_scale.assign(std_rows)
    return stack


def numpy_stack(mean, log_var, mean_rows, std_rows):
    """Layer after layer, as in equations 4 and 5 of the paper: sigma_i = exp(w2) sigma_(i-1)."""
    means, log_vars = [mean], [log_var]
    for w1, w2 in zip(mean_rows, std_rows, strict=True):
        means.append(np.exp(w1) * means[-1])
        log_vars.append(2 * np.log(np.exp(w2) * np.exp(log_vars[-1] / 2)))
    return np.stack(means), np.stack(log_vars)


@pytest.fixture
def case():
    rng = np.random.default_rng(3)
    mean, log_var = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    mean_rows, std_rows = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    expected = numpy_stack(mean, log_var, mean_rows, std_rows)
    arrays = [np.asarray(a, "float32") for a in (mean, log_var)]
    return stack_of(mean_rows, std_rows), *arrays, expected, (mean_rows, std_rows)


def as_numpy(pair):
    return tuple(ops.convert_to_numpy(tensor) for tensor in pair)


def test_projection_of_the_released_code(oracle):
    projection = oracle("devae")["projection"]
    # The released code adds W2 to the log-variance; here w2 scales the standard deviation, which
    # adds 2 w2. Half of its W2 is therefore the same transformation.
    stack = stack_of([projection["W1"]], [np.array(projection["W2"]) / 2])
    mean, log_var = as_numpy(stack(np.float32(projection["mu"]), np.float32(projection["logvar"])))
    np.testing.assert_allclose(mean[1], projection["mu_out"], rtol=1e-6)
    np.testing.assert_allclose(log_var[1], projection["logvar_out"], rtol=1e-6)
    np.testing.assert_allclose(mean[0], projection["mu"], rtol=1e-6)


def test_all_layers(case):
    stack, mean, log_var, (means, log_vars), _ = case
    got_means, got_log_vars = as_numpy(stack(mean, log_var))
    assert got_means.shape == got_log_vars.shape == (4, 5, 4)
    np.testing.assert_allclose(got_means, means, rtol=2e-5)
    np.testing.assert_allclose(got_log_vars, log_vars, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("index", [0, 1, 3])
def test_one_layer(case, index):
    stack, mean, log_var, (means, log_vars), _ = case
    for number in (index, ops.convert_to_tensor(index, "int32")):
        got_mean, got_log_var = as_numpy(stack(mean, log_var, index=number))
        assert got_mean.shape == (5, 4)
        np.testing.assert_allclose(got_mean, means[index], rtol=2e-5)
        np.testing.assert_allclose(got_log_var, log_vars[index], rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("index", [[2], [3, 0], [1, 1, 2]])
def test_some_layers(case, index):
    stack, mean, log_var, (means, log_vars), _ = case
    tensor = ops.convert_to_tensor(np.array(index, "int32"))
    got_means, got_log_vars = as_numpy(stack(mean, log_var, index=tensor))
    np.testing.assert_allclose(got_means, means[index], rtol=2e-5)
    np.testing.assert_allclose(got_log_vars, log_vars[index], rtol=2e-5, atol=1e-5)


def test_scales_are_the_cumulated_factors(case):
    stack, *_, rows = case
    for got, weights in zip(as_numpy(stack.scales()), rows, strict=True):
        assert got.shape == (4, 4)
        expected = np.cumprod(np.concatenate([np.ones((1, 4)), np.exp(weights)]), axis=0)
        np.testing.assert_allclose(got, expected, rtol=2e-5)


def test_starts_as_the_identity():
    stack = DiTStack(3)
    mean, log_var = np.float32([[1, -2]]), np.float32([[0.5, 0]])
    means, log_vars = as_numpy(stack(mean, log_var))
    np.testing.assert_array_equal(means, np.repeat(mean[None], 3, axis=0))
    np.testing.assert_array_equal(log_vars, np.repeat(log_var[None], 3, axis=0))
    assert [tuple(weight.shape) for weight in stack.trainable_variables] == [(2, 2), (2, 2)]


@pytest.mark.parametrize("sign", [1, -1])
def test_ten_layers_of_scaling_ten_stay_finite(sign):
    rows = np.full((10, 2), 10.0 * sign)
    stack = stack_of(rows, rows)
    means, log_vars = as_numpy(stack(np.ones((3, 2), "float32"), np.zeros((3, 2), "float32")))
    assert np.isfinite(means).all() and np.isfinite(np.exp(log_vars)).all()
    # Layers 1 to 10 all sit at the bound of e^10 (mean) and 2 * 10 (log-variance).
    np.testing.assert_allclose(means[1:], np.exp(10.0 * sign), rtol=1e-5)
    np.testing.assert_allclose(log_vars[1:], 20.0 * sign, rtol=1e-6)
    unclipped = ops.convert_to_numpy(stack.cumulated_log_scales(clip=False)[0])
    np.testing.assert_allclose(unclipped[-1], 100.0 * sign)


def test_one_layer_has_no_weights():
    stack = DiTStack(1)
    mean, log_var = np.float32([[1, -2]]), np.float32([[0.5, 0]])
    means, log_vars = as_numpy(stack(mean, log_var))
    np.testing.assert_array_equal(means, mean[None])
    np.testing.assert_array_equal(log_vars, log_var[None])
    assert stack.weights == []
    assert [tuple(scale.shape) for scale in stack.scales()] == [(1, 2), (1, 2)]


@pytest.mark.parametrize("multiplier", [0.25, 4.0])
def test_a_multiplier_acts_as_another_learning_rate(multiplier):
    def log_scales_after_a_step(learning_rate, multiplier):
        mean = keras.Input((2,))
        log_var = keras.ops.zeros_like(mean)
        stack = DiTStack(2, learning_rate_multiplier=multiplier)
        model = keras.Model(mean, sum(stack(mean, log_var, index=1)))
        model.compile(keras.optimizers.Adam(learning_rate, epsilon=1e-12), "mse")
        model.fit(np.array([[1.0, -2.0]]), np.array([[3.0, -1.0]]), verbose=0)
        return [ops.convert_to_numpy(scale) for scale in stack.cumulated_log_scales()]

    expected = log_scales_after_a_step(0.1 * multiplier, 1.0)
    assert np.abs(expected[0][1]).min() > 0.01
    np.testing.assert_allclose(log_scales_after_a_step(0.1, multiplier), expected, rtol=1e-4)


def test_symbolic_shapes():
    mean, log_var = keras.Input((4,)), keras.Input((4,))
    stack = DiTStack(3)
    assert [t.shape for t in stack(mean, log_var)] == [(3, None, 4)] * 2
    assert [t.shape for t in stack(mean, log_var, index=1)] == [(None, 4)] * 2


def test_computes_in_float32_under_mixed_precision(float32_policy):
    keras.config.set_dtype_policy("mixed_float16")
    means, log_vars = DiTStack(2)(np.ones((1, 2), "float16"), np.zeros((1, 2), "float16"))
    assert {keras.backend.standardize_dtype(t.dtype) for t in (means, log_vars)} == {"float32"}


def test_config_round_trip():
    config = DiTStack(4, log_scale_limit=6.0, name="stack").get_config()
    assert config["num_layers"] == 4 and config["log_scale_limit"] == 6.0
    assert DiTStack.from_config(config).get_config() == config


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"num_layers": 0}, "num_layers"),
        ({"num_layers": 2.5}, "num_layers"),
        ({"num_layers": 2, "log_scale_limit": 0}, "log_scale_limit"),
        ({"num_layers": 2, "log_scale_limit": 21}, "log_scale_limit"),
    ],
)
def test_arguments_out_of_range(options, name):
    with pytest.raises(UsageError, match=f"`{name}` must"):
        DiTStack(**options)
