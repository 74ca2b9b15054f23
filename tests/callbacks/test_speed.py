"""The callback that notes how fast a model trains."""

import csv

import keras
import pytest

from keras_devae.callbacks import SpeedCallback
from keras_devae.callbacks import speed as module

pytestmark = pytest.mark.backends


class Clock:
    """A clock that a callback moves."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def trained(tiny, stored_images, blobs, clock, callback, seconds, epochs=1):
    """Trains for steps that take these seconds."""
    from keras_devae.input.batches import Batches

    taken = iter(seconds * epochs)

    def move(batch, logs):
        clock.now += next(taken)

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=move)
    batches = Batches(stored_images(blobs()), 4, len(seconds))
    tiny().fit(batches, epochs=epochs, verbose=0, callbacks=[watch, callback])


def test_leaves_the_first_step_out(tiny, stored_images, blobs, clock, tmp_path):
    callback = SpeedCallback(every_steps=3, directory=tmp_path)
    trained(tiny, stored_images, blobs, clock, callback, [100.0, 1, 1, 0.5, 0.5, 0.5, 4])
    assert callback.rows == [
        {"step": 3, "steps_per_second": 1.0},
        {"step": 6, "steps_per_second": 2.0},
        {"step": 7, "steps_per_second": 0.25},
    ]
    with open(tmp_path / "speed.csv", newline="") as file:
        assert [float(row["steps_per_second"]) for row in csv.DictReader(file)] == [1, 2, 0.25]


def test_one_execution_is_no_stretch(tiny, stored_images, blobs, clock, tmp_path):
    callback = SpeedCallback(every_steps=2, directory=tmp_path)
    trained(tiny, stored_images, blobs, clock, callback, [1.0])
    assert callback.rows == [] and not (tmp_path / "speed.csv").exists()


def test_a_second_training_waits_for_its_own_first_step(tiny, stored_images, blobs, clock):
    callback = SpeedCallback(every_steps=2)
    trained(tiny, stored_images, blobs, clock, callback, [1.0, 1, 1])
    clock.now += 1000
    trained(tiny, stored_images, blobs, clock, callback, [50.0, 0.25])
    assert callback.rows[-1] == {"step": 2, "steps_per_second": 4.0}


def test_stretches_go_over_epochs(tiny, stored_images, blobs, clock):
    callback = SpeedCallback(every_steps=4)
    trained(tiny, stored_images, blobs, clock, callback, [1.0, 1, 1], epochs=2)
    assert [row["step"] for row in callback.rows] == [4, 6]
    assert all(row["steps_per_second"] == 1.0 for row in callback.rows)
