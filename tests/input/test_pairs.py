"""Batches of pairs of images."""

import pickle

import keras
import numpy as np
import pytest

from keras_devae import data
from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def numbered():
    """24 images, each filled with its number, on a grid of three factors."""
    grid = data.FactorGrid(("a", "b", "c"), (4, 3, 2))
    images = np.arange(24, dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((2, 3, 1), np.uint8)
    return data.from_arrays(images, grid.factors(range(24)))


def test_first_images_are_those_of_batches(numbered):
    single, pairs = numbered.batches(5, seed=4), numbered.pairs(batch_size=5, seed=4)
    assert len(pairs) == len(single) == 5
    for step in (0, 7, 2**40):
        rows = pairs.indices(step)
        assert rows.shape == (5, 2) and rows.dtype == np.int64
        np.testing.assert_array_equal(rows[:, 0], single.indices(step))
        differing = numbered.factors(rows[:, 0]) != numbered.factors(rows[:, 1])
        assert set(differing.sum(axis=1)) == {1}


def test_batches_hold_the_images_of_their_rows(numbered):
    pairs = numbered.pairs("random", batch_size=5, seed=2, start_step=3)
    for index in range(len(pairs)):
        (images,) = pairs[index]
        assert images.shape == (5, 2, 2, 3, 1) and images.dtype == np.uint8
        np.testing.assert_array_equal(images[:, :, 0, 0, 0], pairs.indices(3 + index))
        np.testing.assert_array_equal(pairs.images(index), images)


def test_resident_batches_are_row_numbers(numbered):
    streamed = numbered.pairs(batch_size=5, seed=2)
    resident = numbered.pairs(batch_size=5, seed=2, resident=True)
    (rows,) = resident[1]
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows, streamed.indices(1))
    np.testing.assert_array_equal(resident.images(1), streamed.images(1))


def test_a_pass_without_shuffling(numbered):
    pairs = numbered.pairs(batch_size=10, shuffle=False)
    assert [pairs.indices(step)[:, 0].tolist() for step in range(3)] == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 24)),
    ]
    # The same images meet others in the next pass.
    assert (pairs.indices(0)[:, 1] != pairs.indices(3)[:, 1]).any()


def test_another_process_yields_the_same(numbered):
    pairs = numbered.pairs(batch_size=5, seed=2)
    other = pickle.loads(pickle.dumps(pairs))
    np.testing.assert_array_equal(other[3][0], pairs[3][0])


def test_unknown_options_are_refused(numbered):
    with pytest.raises(UsageError, match="sede"):
        numbered.pairs(sede=1)


def same_training(tiny, numbered, **compile_options):
    histories = []
    for resident in (False, True):
        model = tiny("ada_gvae", image_shape=(2, 3, 1), compile_options=compile_options)
        pairs = numbered.pairs(batch_size=8, steps=4, seed=5, resident=resident)
        histories.append(model.fit(pairs, epochs=2, verbose=0).history)
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-6, err_msg=name)


def test_training_on_resident_images_is_that_of_streamed_ones(tiny, numbered):
    same_training(tiny, numbered)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no such thing there")
def test_several_steps_an_execution(tiny, numbered):
    same_training(tiny, numbered, steps_per_execution=4)
