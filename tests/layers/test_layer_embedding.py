import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.layers import LayerEmbedding

pytestmark = pytest.mark.backends


@pytest.fixture
def embedding():
    layer = LayerEmbedding(3)
    layer.build((None, 2))
    layer.vectors.assign(np.float32([[1, 2], [3, 4], [5, 6]]))
    return layer


def test_appends_the_vector_of_one_layer(embedding):
    z = np.float32([[0.1, 0.2], [0.3, 0.4]])
    expected = np.float32([[0.1, 0.2, 3, 4], [0.3, 0.4, 3, 4]])
    for index in (1, ops.convert_to_tensor(1, "int32")):
        np.testing.assert_array_equal(ops.convert_to_numpy(embedding(z, index=index)), expected)


def test_appends_the_vectors_of_several_layers(embedding):
    z = np.arange(8, dtype="float32").reshape(2, 2, 2)
    index = ops.convert_to_tensor(np.array([2, 0], "int32"))
    got = ops.convert_to_numpy(embedding(z, index=index))
    np.testing.assert_array_equal(got[..., :2], z)
    np.testing.assert_array_equal(got[0, :, 2:], [[5, 6], [5, 6]])
    np.testing.assert_array_equal(got[1, :, 2:], [[1, 2], [1, 2]])


def test_symbolic_shape():
    assert LayerEmbedding(3)(keras.Input((4,)), index=0).shape == (None, 8)


def test_initial_vectors_follow_the_seed():
    def initial(seed):
        layer = LayerEmbedding(500, seed=seed)
        layer.build((None, 20))
        return ops.convert_to_numpy(layer.vectors)

    np.testing.assert_array_equal(initial(1), initial(1))
    assert not np.array_equal(initial(1), initial(2))
    # 10,000 standard normal numbers: both bounds are more than five standard errors wide.
    assert abs(initial(1).mean()) < 0.05 and abs(initial(1).std() - 1) < 0.05


def test_config_round_trip():
    config = LayerEmbedding(4, seed=7, name="vectors").get_config()
    assert config["num_layers"] == 4 and config["seed"] == 7
    assert LayerEmbedding.from_config(config).get_config() == config


def test_no_layers():
    with pytest.raises(UsageError, match="`num_layers` must be a whole number of at least 1"):
        LayerEmbedding(0)
