import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.layers import GaussianSampling, LayerDraw

pytestmark = pytest.mark.backends


@pytest.mark.parametrize(
    ("weight_base", "expected"),
    [
        (0, [1, 0, 0]),
        (1, [1 / 3, 1 / 3, 1 / 3]),
        (2, [1 / 7, 2 / 7, 4 / 7]),
        (0.5, [4 / 7, 2 / 7, 1 / 7]),
    ],
)
def test_probabilities_of_the_layers(weight_base, expected):
    np.testing.assert_allclose(LayerDraw(3, weight_base).probabilities, expected, rtol=1e-12)


@pytest.mark.parametrize("weight_base", [0, 1, 2, 0.5])
def test_draws_follow_the_probabilities(weight_base):
    layer = LayerDraw(3, weight_base, seed=5)
    drawn = [layer.draw() for _ in range(400)]
    assert {tuple(d.shape) for d in drawn} == {(1,)}
    assert {keras.backend.standardize_dtype(d.dtype) for d in drawn} == {"int32"}
    counts = np.bincount([int(d[0]) for d in drawn], minlength=3)
    if weight_base == 0:
        assert counts.tolist() == [400, 0, 0]
    else:
        expected = 400.0 * weight_base ** np.arange(3) / sum(weight_base**i for i in range(3))
        assert scipy.stats.chisquare(counts, expected).pvalue > 0.001


def test_draws_follow_the_seed():
    def draws(seed):
        layer = LayerDraw(5, seed=seed)
        return [int(layer.draw()[0]) for _ in range(20)]

    assert draws(1) == draws(1) != draws(2)


def test_a_single_layer_is_always_drawn():
    layer = LayerDraw(1, seed=0)
    assert {int(layer.draw()[0]) for _ in range(5)} == {0}


def test_layer_draw_config_round_trip():
    config = LayerDraw(4, weight_base=0.5, seed=7, name="draw").get_config()
    assert (config["num_layers"], config["weight_base"], config["seed"]) == (4, 0.5, 7)
    assert LayerDraw.from_config(config).get_config() == config


@pytest.mark.parametrize("weight_base", [-1, float("nan"), float("inf")])
def test_weight_base_out_of_range(weight_base):
    with pytest.raises(UsageError, match="`weight_base` must be a finite number of at least 0"):
        LayerDraw(3, weight_base)


def test_moments_of_the_samples():
    mean, log_var = np.array([0.5, -2.0]), np.array([np.log(4.0), np.log(0.25)])
    n = 20_000
    z = ops.convert_to_numpy(
        GaussianSampling(seed=0)(
            np.broadcast_to(mean, (n, 2)).astype("float32"),
            np.broadcast_to(log_var, (n, 2)).astype("float32"),
        )
    )
    sigma = np.array([2.0, 0.5])
    # Five standard errors of a mean, of a standard deviation and of a correlation.
    assert np.all(np.abs(z.mean(0) - mean) < 5 * sigma / np.sqrt(n))
    assert np.all(np.abs(z.std(0) - sigma) < 5 * sigma / np.sqrt(2 * n))
    assert abs(np.corrcoef(z.T)[0, 1]) < 5 / np.sqrt(n)


def test_samples_differ_from_call_to_call_and_follow_the_seed():
    zeros = np.zeros((2, 3, 4), "float32")

    def draws(seed):
        layer = GaussianSampling(seed=seed)
        return np.stack([ops.convert_to_numpy(layer(zeros, zeros)) for _ in range(2)])

    first = draws(1)
    assert first.shape == (2, 2, 3, 4)
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_array_equal(first, draws(1))
    assert not np.array_equal(first, draws(2))


def test_samples_are_float32_under_mixed_precision(float32_policy):
    keras.config.set_dtype_policy("mixed_float16")
    z = GaussianSampling(seed=0)(np.zeros((1, 2), "float16"), np.full((1, 2), 24, "float16"))
    assert keras.backend.standardize_dtype(z.dtype) == "float32"
    # A standard deviation of e^12 = 162,755 would be infinite in float16.
    assert np.isfinite(ops.convert_to_numpy(z)).all()


def test_gaussian_sampling_config_round_trip():
    config = GaussianSampling(seed=3, name="sampling").get_config()
    assert config["seed"] == 3
    assert GaussianSampling.from_config(config).get_config() == config


def test_generator_states_survive_saving(tmp_path):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, GaussianSampling(seed=4)(inputs, inputs))
    zeros = np.zeros((3, 2), "float32")
    before = ops.convert_to_numpy(model(zeros))
    model.save(tmp_path / "m.keras")
    after = ops.convert_to_numpy(model(zeros))
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(loaded(zeros)), after)
    assert not np.array_equal(before, after)
