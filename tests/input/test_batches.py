import keras
import numpy as np
import pytest

from keras_devae import data
from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches

pytestmark = pytest.mark.backends


class Numbered:
    """A data set whose image i is filled with the number i."""

    def __init__(self, length, chunk_rows=1):
        self.length = length
        self.chunk_rows = chunk_rows

    def __len__(self):
        return self.length

    def images(self, indices):
        shape = (len(indices), 2, 2, 1)
        return np.broadcast_to(np.asarray(indices)[:, None, None, None], shape).astype(np.uint8)


class Witness(keras.Model):
    """Notes the numbers of the images that reach its training and its test steps."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.dense.build((None, 2, 2, 1))
        # A model that is not built yet uses up an epoch's beginning on some backends.
        self.built = True
        self.seen = {True: [], False: []}
        self.compile("sgd", run_eagerly=True)

    def call(self, images, training=False):
        return self.dense(keras.ops.cast(images, "float32"))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        self.seen[training].append(keras.ops.convert_to_numpy(x)[:, 0, 0, 0].tolist())
        return keras.ops.mean(y_pred)


def rows(batches, count, start=0):
    return [batches.indices(step).tolist() for step in range(start, start + count)]


def test_order_follows_seed_and_step_alone():
    first, second = (Batches(Numbered(23), 5, seed=7) for _ in range(2))
    forwards = rows(first, 30)
    backwards = [second.indices(step).tolist() for step in reversed(range(30))][::-1]
    assert forwards == backwards
    assert forwards != rows(Batches(Numbered(23), 5, seed=8), 30)


def test_batches_far_into_training():
    batches = Batches(Numbered(23), 23, seed=2**32 - 1)
    late = [batches.indices(2**40 + step) for step in range(3)]
    np.testing.assert_array_equal(np.sort(late, axis=1), np.tile(np.arange(23), (3, 1)))
    assert len({tuple(row) for row in late}) == 3
    assert all(row.dtype == np.int64 for row in late)


def test_rows_that_are_read_together_stay_near_each_other():
    batches = Batches(Numbered(64 * 10, chunk_rows=10), 80, seed=3)
    for batch in rows(batches, 16):
        assert len({row // 10 for row in batch}) == 8


@pytest.mark.parametrize(("size", "batch_size"), [(23, 5), (20, 5), (4, 7), (3, 10), (1, 2)])
def test_every_pass_holds_every_row_once(size, batch_size):
    flat = np.concatenate(rows(Batches(Numbered(size), batch_size), 12 * size))
    passes = flat[: len(flat) // size * size].reshape(-1, size)
    np.testing.assert_array_equal(
        np.sort(passes, axis=1), np.tile(np.arange(size), (len(passes), 1))
    )
    if size > 4:
        assert not np.array_equal(passes[0], passes[1])
        assert not np.array_equal(passes[0], np.arange(size))


def test_batches_hold_the_images_of_their_rows():
    batches = Batches(Numbered(23), 5, seed=2, start_step=3)
    assert len(batches) == 5
    for index in range(len(batches)):
        (images,) = batches[index]
        assert images.shape == (5, 2, 2, 1) and images.dtype == np.uint8
        assert images[:, 0, 0, 0].tolist() == batches.indices(3 + index).tolist()


def test_resident_batches_are_row_numbers():
    streamed = Batches(Numbered(23), 5, seed=2, start_step=3)
    resident = Batches(Numbered(23), 5, seed=2, start_step=3, resident=True)
    for index in range(len(resident)):
        (found,) = resident[index]
        assert found.dtype == np.int32
        assert found.tolist() == streamed.indices(3 + index).tolist()
        np.testing.assert_array_equal(resident.images(index), streamed[index][0])


def test_a_pass_without_shuffling():
    batches = Batches(Numbered(7), 3, shuffle=False)
    assert len(batches) == 3
    in_order = [[0, 1, 2], [3, 4, 5], [6]]
    assert rows(batches, 6) == in_order * 2
    assert [batch[0][:, 0, 0, 0].tolist() for batch in (batches[i] for i in range(3))] == in_order


def first_rows(batches):
    return batches[0][0][:, 0, 0, 0].tolist()


def test_an_epoch_goes_on_where_the_one_before_ended():
    batches = Batches(Numbered(10), 4, steps=4, seed=1)
    batches.on_epoch_end()  # Keras does so before the first epoch.
    assert first_rows(batches) == batches.indices(0).tolist()
    batches.on_epoch_begin()
    assert first_rows(batches) == batches.indices(0).tolist()
    batches.on_epoch_end()
    assert first_rows(batches) == batches.indices(4).tolist()
    batches.on_epoch_begin()
    assert first_rows(batches) == batches.indices(4).tolist()
    batches.on_epoch_begin()  # The second epoch was broken off.
    assert first_rows(batches) == batches.indices(8).tolist()


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize("start_step", [0, 5])
def test_order_that_training_sees(workers, start_step, shuffle):
    options = {"steps": 3, "seed": 1, "shuffle": shuffle, "workers": workers}
    batches = Batches(Numbered(10), 4, start_step=start_step, use_multiprocessing=False, **options)
    from_the_start = Batches(Numbered(10), 4, seed=1, steps=14, shuffle=shuffle)
    looped = [from_the_start[i][0][:, 0, 0, 0].tolist() for i in range(14)]
    expected = looped[start_step : start_step + 9]
    assert rows(batches, 9, start_step) == expected
    model = Witness()
    model.fit(batches, epochs=3, verbose=0, shuffle=False)
    assert model.seen[True] == expected


def test_models_of_the_package_keep_keras_from_shuffling(tiny, monkeypatch):
    """Keras shuffles the batches of an epoch by default."""
    seen = []
    model = tiny("vae", image_shape=(2, 2, 1), compile_options={"run_eagerly": True})
    pixels = model.pixels

    def note(images):
        seen.append(keras.ops.convert_to_numpy(images)[:, 0, 0, 0].tolist())
        return pixels(images)

    monkeypatch.setattr(model, "pixels", note)
    batches = Batches(Numbered(10), 4, steps=5, seed=1)
    model.fit(batches, epochs=3, verbose=0)
    # The forward pass and the loss each ask for a batch's pixels.
    assert seen[::2] == seen[1::2] == rows(batches, 15)


def test_validation_sees_every_row_once_an_epoch():
    model = Witness()
    model.fit(
        Batches(Numbered(8), 4),
        validation_data=Batches(Numbered(7), 3, shuffle=False),
        epochs=2,
        verbose=0,
        shuffle=False,
    )
    assert model.seen[False] == [[0, 1, 2], [3, 4, 5], [6]] * 2


def test_models_train_from_batches(tiny):
    model = tiny(image_shape=(2, 2, 1))
    model.fit(Batches(Numbered(100), 8, steps=5), epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 10


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 1.5}, "batch_size"),
        ({"steps": 0}, "steps"),
        ({"start_step": -1}, "start_step"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_out_of_range(options, name):
    with pytest.raises(UsageError, match=f"`{name}` must be a whole number of at least"):
        Batches(Numbered(4), **options)


def test_data_sets_pass_options_of_keras_on():
    batches = data.load("dsprites", source="rendered").batches(8, steps=2, workers=2)
    assert batches.workers == 2 and len(batches) == 2
