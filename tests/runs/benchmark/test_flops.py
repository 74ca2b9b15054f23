"""Operations of a training step, against what networks of ones add up to and PyTorch's counter."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_devae as kd
from keras_devae.runs.benchmark.flops import multiply_adds, training_flops

pytestmark = pytest.mark.backends


@pytest.mark.parametrize(
    ("layer", "input_shape"),
    [
        (layers.Dense(3), (5,)),
        (layers.Dense(3), (4, 5)),
        (layers.Conv2D(3, 4, strides=2), (10, 8, 2)),
        (layers.Conv2D(4, (3, 1), groups=2), (6, 5, 4)),
        (layers.Conv2DTranspose(3, 4, strides=2), (5, 4, 2)),
        (layers.Conv2DTranspose(2, 3), (1, 1, 7)),
    ],
)
def test_every_product_of_ones_adds_one_to_the_output(layer, input_shape):
    inputs = keras.Input(input_shape)
    network = keras.Model(inputs, layer(inputs))
    layer.kernel.assign(np.ones(layer.kernel.shape))
    total = network.predict(np.ones((1, *input_shape)), verbose=0).sum()
    assert multiply_adds(layer) == total > 0


def test_other_layers_count_nothing():
    inputs = keras.Input((4, 4, 1))
    activation, flatten = layers.ReLU(), layers.Flatten()
    flatten(activation(inputs))
    assert multiply_adds(activation) == multiply_adds(flatten) == 0


def test_the_published_networks():
    model = kd.DeVAE.for_images((64, 64, 1), latent_dim=10)
    # Places, values of a kernel, and products, from the table of the paper.
    encoder = [
        *(32 * 32 * 16 * 1 * 32, 16 * 16 * 16 * 32 * 32, 8 * 8 * 16 * 32 * 64),
        *(4 * 4 * 16 * 64 * 64, 16 * 64 * 256, 2 * 256 * 10),
    ]
    decoder = [
        *(20 * 256, 16 * 256 * 64, 4 * 4 * 16 * 64 * 64, 8 * 8 * 16 * 64 * 32),
        *(16 * 16 * 16 * 32 * 32, 32 * 32 * 16 * 32 * 1),
    ]
    without_input_gradient = 3 * sum(encoder + decoder) - encoder[0]
    assert training_flops(model, 256) == 2 * 256 * without_input_gradient
    assert training_flops(model, 64) * 4 == training_flops(model, 256)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="counts what PyTorch runs")
@pytest.mark.parametrize(
    ("image_shape", "network"), [((32, 32, 3), "convolutional"), ((8, 8, 1), "mlp")]
)
def test_a_step_runs_that_many_operations(image_shape, network):
    from torch.utils.flop_counter import FlopCounterMode

    model = kd.DeVAE.for_images(image_shape, latent_dim=4, network=network)
    model.compile(keras.optimizers.Adam(1e-4))
    with FlopCounterMode(display=False) as counter:
        model.train_on_batch(np.zeros((3, *image_shape), np.uint8))
    assert training_flops(model, 3) == counter.get_total_flops()
