"""The orthogonality of a Jacobian: both forms against closed forms and automatic derivatives."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.losses import orthogonal_jacobian

pytestmark = pytest.mark.backends


def linear(rng, latent_dim=4, outputs=12):
    return rng.normal(size=(outputs, latent_dim)).astype("float32")


def closed_form(matrix):
    """Penalty and scale of a linear function, in float64."""
    products = matrix.astype("float64").T @ matrix.astype("float64")
    off_diagonal = products - np.diag(np.diag(products))
    return 2 * np.square(off_diagonal).sum(), np.trace(products)


def numpy(found):
    return [ops.convert_to_numpy(value).astype("float64") for value in found]


@pytest.mark.parametrize("step", [0.1, 1.0])
def test_a_linear_function_exactly(step):
    rng = np.random.default_rng(0)
    matrix = linear(rng)
    z = rng.normal(size=(5, 4)).astype("float32")
    penalty, scale = numpy(
        orthogonal_jacobian(lambda x: ops.matmul(x, matrix.T), z, vectors=0, step=step)
    )
    expected = closed_form(matrix)
    np.testing.assert_allclose(penalty, np.full(5, expected[0]), rtol=2e-4)
    np.testing.assert_allclose(scale, np.full(5, expected[1]), rtol=2e-4)


@pytest.mark.parametrize("vectors", [2, 5])
def test_a_linear_function_by_random_vectors(vectors):
    """The variance of a variance: with 20,000 rows the mean is known to about a percent."""
    rng = np.random.default_rng(0)
    matrix, z = linear(rng), np.zeros((20_000, 4), "float32")
    found = orthogonal_jacobian(lambda x: ops.matmul(x, matrix.T), z, vectors, seed=1)
    penalty, scale = numpy(found)
    expected = closed_form(matrix)
    assert len({*penalty.round(3)}) > 2, "all rows have the same vectors"
    assert penalty.mean() == pytest.approx(expected[0], rel=0.05)
    assert scale.mean() == pytest.approx(expected[1], rel=0.02)


def test_all_sign_vectors_have_the_exact_variance():
    """The published claim, apart from this code: the variance over all 16 vectors."""
    matrix = linear(np.random.default_rng(3)).astype("float64")
    signs = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1)
    lengths = np.square(matrix @ signs).sum(axis=0)
    assert (lengths.var(), lengths.mean()) == pytest.approx(closed_form(matrix))


def test_orthogonal_columns_have_no_penalty():
    matrix = np.linalg.qr(linear(np.random.default_rng(1)))[0] * [1, 2, 3, 4]
    matrix = matrix.astype("float32")
    for vectors in (0, 2):
        penalty, scale = numpy(
            orthogonal_jacobian(
                lambda x: ops.matmul(x, matrix.T), np.zeros((8, 4), "float32"), vectors, seed=0
            )
        )
        assert np.abs(penalty).max() < 1e-4
        np.testing.assert_allclose(scale, 1 + 4 + 9 + 16, rtol=1e-5)


def curved(z):
    """Two outputs of images `(rows, 1, 2, 1)` whose Jacobian is known."""
    outputs = ops.stack([ops.sin(z[:, 0]) * z[:, 1], ops.square(z[:, 1])], axis=1)
    return ops.reshape(outputs, (-1, 1, 2, 1))


def test_a_curved_function_at_each_code():
    z = np.random.default_rng(2).normal(size=(6, 2))
    # The columns are (cos(z_0) z_1, 0) and (sin(z_0), 2 z_1).
    first, second = np.cos(z[:, 0]) * z[:, 1], np.sin(z[:, 0])
    found = orthogonal_jacobian(curved, z, vectors=0, step=1e-2)
    penalty, scale = numpy(found)
    np.testing.assert_allclose(penalty, 4 * np.square(first * second), rtol=0.1, atol=0.02)
    np.testing.assert_allclose(scale, first**2 + second**2 + 4 * z[:, 1] ** 2, rtol=0.05, atol=0.02)


def test_more_axes_and_half_precision():
    rng = np.random.default_rng(0)
    matrix, z = linear(rng), rng.normal(size=(3, 2, 4)).astype("float16")
    for vectors in (0, 2):
        found = orthogonal_jacobian(lambda x: ops.matmul(x, matrix.T), z, vectors, seed=0)
        assert [tuple(value.shape) for value in found] == [(3, 2)] * 2
        assert {keras.backend.standardize_dtype(value.dtype) for value in found} == {"float32"}


def test_vectors_follow_their_seed():
    def penalty(seed):
        matrix = linear(np.random.default_rng(0))
        z = np.zeros((5, 4), "float32")
        return numpy(orthogonal_jacobian(lambda x: ops.matmul(x, matrix.T), z, 2, seed=seed))[0]

    generator = keras.random.SeedGenerator(0)
    assert (penalty(generator) != penalty(generator)).any()
    np.testing.assert_array_equal(penalty(7), penalty(7))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"vectors": 1}, "`vectors` must be 0 or a whole number of at least 2. Received: 1"),
        ({"vectors": -1}, "`vectors` must be 0 or a whole number of at least 2"),
        ({"vectors": 2.0}, "`vectors` must be 0 or a whole number of at least 2"),
        ({"step": 0}, "`step` must be a finite number above 0"),
    ],
)
def test_wrong_arguments(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        orthogonal_jacobian(lambda z: z, np.zeros((2, 3), "float32"), **options)
