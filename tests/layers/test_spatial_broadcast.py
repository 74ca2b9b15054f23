import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.layers import SpatialBroadcast

pytestmark = pytest.mark.backends


def test_every_pixel_has_the_code_and_its_own_place():
    z = np.float32([[5, 6], [7, 8]])
    features = ops.convert_to_numpy(SpatialBroadcast((3, 5))(z))
    assert features.shape == (2, 3, 5, 4)
    for i in range(2):
        for row, y in enumerate((-1, 0, 1)):
            for column, x in enumerate((-1, -0.5, 0, 0.5, 1)):
                np.testing.assert_allclose(features[i, row, column], [*z[i], y, x], atol=1e-6)


def test_batches_of_any_size_and_half_precision():
    z = keras.Input((3,))
    layer = SpatialBroadcast((2, 4), dtype="mixed_bfloat16")
    network = keras.Model(z, layer(z))
    assert network.output_shape == (None, 2, 4, 5)
    assert keras.backend.standardize_dtype(network.output.dtype) == "bfloat16"
    for count in (1, 7):
        assert ops.shape(network(np.ones((count, 3), "float32"))) == (count, 2, 4, 5)
    assert SpatialBroadcast.from_config(layer.get_config()).size == (2, 4)


@pytest.mark.parametrize("size", [(4,), (4, 4, 1), 4, (0, 4)])
def test_sizes_that_are_none(size):
    with pytest.raises(UsageError, match="`size`"):
        SpatialBroadcast(size)
