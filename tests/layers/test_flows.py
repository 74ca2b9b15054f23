import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.layers import (
    MADE,
    FlowChain,
    InverseAutoregressiveFlow,
    MaskedDense,
    PlanarFlow,
    gated_flow,
    planar_flow,
)

pytestmark = pytest.mark.backends

D = 4
LAYERS = {
    "planar": lambda: PlanarFlow(D, parameter_scale=1.0),
    "iaf": lambda: InverseAutoregressiveFlow(D, (7, 6), seed=1),
    "iaf reversed": lambda: InverseAutoregressiveFlow(D, (7, 6), reverse=True, seed=1),
    "planar chain": lambda: FlowChain(D, "planar", 3),
    "iaf chain": lambda: FlowChain(D, "iaf", 3, (7, 6), seed=1),
}


def filled(layer, scale=1.5, seed=0):
    """A layer, by its name or itself, with weights far from their start."""
    rng = np.random.default_rng(seed)
    layer = LAYERS[layer]() if isinstance(layer, str) else layer
    layer.build()
    for weight in layer.weights:
        weight.assign(scale * rng.normal(size=weight.shape))
    return layer


def inputs(layer, count=3, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    shapes = (count, D), (count, layer.num_parameters)
    return [(scale * rng.normal(size=shape)).astype("float32") for shape in shapes]


def jacobians(function, z, gradients_of):
    """Derivatives `(batch, output, input)` by the backend's automatic differentiation."""
    return np.stack(
        [gradients_of(lambda z, i=i: ops.sum(function(z)[:, i]), z)[0] for i in range(D)], axis=1
    ).astype("float64")


@pytest.mark.parametrize("name", LAYERS)
def test_log_determinant_of_the_jacobian(name, gradients_of):
    layer = filled(name)
    z, parameters = inputs(layer, scale=2.0)
    end, log_determinant = map(ops.convert_to_numpy, layer(z, parameters))
    sign, expected = np.linalg.slogdet(
        jacobians(lambda z: layer(z, parameters)[0], z, gradients_of)
    )
    np.testing.assert_array_equal(sign, 1)
    np.testing.assert_allclose(log_determinant, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(expected).max() > 1e-2 and np.abs(end - z).max() > 0.1


@pytest.mark.parametrize(("name", "seen"), [("iaf", np.tril), ("iaf reversed", np.triu)])
def test_an_autoregressive_jacobian_is_triangular(name, seen, gradients_of):
    layer = filled(name)
    z, parameters = inputs(layer)
    found = jacobians(lambda z: layer(z, parameters)[0], z, gradients_of)
    np.testing.assert_array_equal(found, seen(found))
    # No dimension before is left out.
    below = np.abs(found).max(axis=0)[seen(np.ones((D, D), bool))]
    assert below.min() > 1e-6


def test_a_chain_of_both_orders_mixes_all_dimensions(gradients_of):
    layer = filled("iaf chain")
    z, parameters = inputs(layer, count=20)
    found = jacobians(lambda z: layer(z, parameters)[0], z, gradients_of)
    assert np.abs(found).max(axis=0).min() > 0


@pytest.mark.parametrize("name", LAYERS)
def test_zero_weights_and_parameters_change_nothing(name):
    layer = filled(name, scale=0.0)
    z, parameters = inputs(layer)
    if name.startswith("planar"):
        parameters = np.zeros_like(parameters)
    end, log_determinant = map(ops.convert_to_numpy, layer(z, parameters))
    np.testing.assert_array_equal(end, z)
    np.testing.assert_array_equal(log_determinant, np.zeros(len(z)))


def test_draws_share_the_parameters_of_their_image():
    for layer in map(filled, ("planar chain", "iaf chain")):
        parameters = inputs(layer)[1]
        draws = np.random.default_rng(1).normal(size=(5, 3, D)).astype("float32")
        end, log_determinant = map(ops.convert_to_numpy, layer(draws, parameters))
        for i, draw in enumerate(draws):
            one = map(ops.convert_to_numpy, layer(draw, parameters))
            for got, expected in zip((end[i], log_determinant[i]), one, strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def numpy_planar(z, u, w, b):
    """One image, in float64; the paper's m, shifted to pass through the origin."""
    along = w @ u
    allowed = -1 + np.logaddexp(0, along + np.log(np.e - 1))
    direction = u + (allowed - along) * w / (w @ w)
    return z + direction * np.tanh(w @ z + b), direction


def test_planar_flow_by_its_formula():
    rng = np.random.default_rng(2)
    z, u, w = rng.normal(size=(3, 50, D)) * 2
    b = rng.normal(size=(50, 1))
    got, _ = planar_flow(*(ops.convert_to_tensor(x, "float32") for x in (z, u, w, b)))
    for one, *of in zip(ops.convert_to_numpy(got), z, u, w, b[:, 0], strict=True):
        np.testing.assert_allclose(one, numpy_planar(*of)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("along", [-1e4, -30, -1.5, 0.0, 1e-3, 2.0, 50.0, 1e4])
def test_planar_flow_is_invertible(along):
    # Along w, the flow is t + (w . u') tanh(t + b): increasing, whatever u asks for.
    t = np.linspace(-4, 4, 161)
    w = np.float32([[0.6, 0, -0.8, 0]])
    z = (t[:, None] * w).astype("float32")
    u = np.float32([[along * 0.6, 3, along * -0.8, 0]])
    end, log_determinant = map(ops.convert_to_numpy, planar_flow(z, u, w, np.float32([[0.1]])))
    rises = np.diff(end.astype("float64") @ w[0])
    # Where it hardly rises, it may stand still in float32.
    assert rises.min() >= -1e-6 * max(1, abs(along))
    assert np.isfinite(log_determinant).all()
    expected = np.log(np.maximum(rises / np.diff(t), 1e-30))
    middle = (log_determinant[1:] + log_determinant[:-1]) / 2
    steep = rises > 1e-3 * np.diff(t) * max(1, abs(along))
    np.testing.assert_allclose(middle[steep], expected[steep], atol=0.05)


def test_planar_flow_keeps_what_is_beside_w():
    z, u, w = np.float32([[1, 2]]), np.float32([[-5, 3]]), np.float32([[2, 0]])
    end, _ = planar_flow(z, u, w, np.float32([[0]]))
    np.testing.assert_allclose(ops.convert_to_numpy(end)[0, 1], 2 + 3 * np.tanh(2), rtol=1e-6)


def test_gates_are_those_of_the_paper():
    z, shift, gate = np.random.default_rng(3).normal(size=(3, 6, D)).astype("float32")
    end, log_determinant = map(ops.convert_to_numpy, gated_flow(z, shift, gate, forget_bias=2.0))
    sigma, first = 1 / (1 + np.exp(-gate - 2.0)), 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(end, sigma * z / first + (1 - sigma) * shift, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_determinant, np.log(sigma / first).sum(-1), rtol=1e-4, atol=1e-6)


def test_extreme_gates_and_parameters_stay_finite(gradients_of):
    huge = np.float32([[1e6, -1e6, 0, 1]])
    for found in gated_flow(huge, huge, huge):
        assert np.isfinite(ops.convert_to_numpy(found)).all()
    for u, w in [(huge, huge / 1e6), (-huge, huge / 1e6), (huge, 0 * huge), (0 * huge, huge / 1e6)]:

        def total(u, w):
            end, log_determinant = planar_flow(np.float32([[0.3] * 4]), u, w, np.float32([[0]]))
            return ops.sum(end) + ops.sum(log_determinant)

        assert np.isfinite(gradients_of(total, u, w)).all()


def test_made_is_a_dense_network_with_holes():
    made = filled(MADE(3, (6, 3), 2, seed=0))
    rng = np.random.default_rng(4)
    z, context = rng.normal(size=(5, 3)), rng.normal(size=(5, 6))
    x = z
    # Two units each of the degrees 0, 1 and 2, and one each.
    degrees = [np.array([1, 2, 3]), np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 2])]
    for i, dense in enumerate(made.hidden):
        mask = degrees[i + 1][None] >= degrees[i][:, None]
        x = x @ (ops.convert_to_numpy(dense.kernel) * mask) + ops.convert_to_numpy(dense.bias)
        x = x + context if i == 0 else x
        x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    mask = np.tile(degrees[0][None] > degrees[2][:, None], 2)
    x = x @ (ops.convert_to_numpy(made.outputs_of.kernel) * mask)
    x = x + ops.convert_to_numpy(made.outputs_of.bias)
    got = ops.convert_to_numpy(made(z.astype("float32"), context.astype("float32")))
    np.testing.assert_allclose(got, np.stack([x[:, :3], x[:, 3:]]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        MaskedDense((1, 2, 3), (0, 1), strict=True, seed=3, name="masked"),
        MADE(5, (4, 3), 3, reverse=True, seed=3, name="made"),
        PlanarFlow(5, name="planar"),
        InverseAutoregressiveFlow(5, (4, 3), True, 0.5, 2.0, seed=3, name="iaf"),
        FlowChain(5, "iaf", 3, (4, 3), seed=3, name="chain"),
    ],
    ids=lambda layer: layer.name,
)
def test_round_trip(layer):
    config = layer.get_config()
    again = type(layer).from_config(config)
    assert again.get_config() == config
    assert keras.saving.get_registered_name(type(layer)) == f"keras_devae>{type(layer).__name__}"
    for each in (layer, again):
        each.build((None, 3))
    for one, other in zip(layer.weights, again.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))


def test_wrong_arguments():
    with pytest.raises(UsageError, match="Unknown flow 'radial'"):
        FlowChain(3, "radial")
    with pytest.raises(UsageError, match="`num_flows` must be a whole number of at least 1"):
        FlowChain(3, num_flows=0)
    with pytest.raises(UsageError, match="`input_degrees` must be a list of whole numbers"):
        MaskedDense([0.5], [1])
