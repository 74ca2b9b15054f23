import keras
import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.schedules import PositionPIController, StepCounter

pytestmark = pytest.mark.backends


def test_counts_and_can_be_set():
    counter = StepCounter()
    assert counter.built
    assert int(counter.step) == 0
    counter.advance()
    counter.advance()
    assert int(counter.step) == 2
    counter.set(16_777_217)
    counter.advance()
    # Beyond 2^24 float32 would stand still.
    assert int(counter.step) == 16_777_218


def test_step_is_a_state_and_not_trained():
    counter = StepCounter()
    assert [tuple(weight.shape) for weight in counter.non_trainable_variables] == [()]
    assert counter.trainable_variables == []
    assert counter.step.dtype == keras.optimizers.SGD().iterations.dtype


@pytest.mark.parametrize("value", [-1, 1.5, None])
def test_value_must_be_a_whole_number(value):
    with pytest.raises(UsageError, match="`value` must be a whole number of at least 0"):
        StepCounter().set(value)


def test_config_round_trip():
    config = keras.saving.serialize_keras_object(StepCounter(name="steps"))
    assert config["registered_name"] == "keras_devae>StepCounter"
    assert keras.saving.deserialize_keras_object(config).name == "steps"


def test_equals_the_optimizers_count_and_survives_saving(driven_model, tmp_path):
    model = driven_model(PositionPIController(), target=6)
    model.compile(keras.optimizers.SGD(0.0))
    kl = np.full((14, 1), 9, "float32")
    model.fit(kl, batch_size=2, verbose=0)
    assert int(model.counter.step) == int(model.optimizer.iterations) == 7
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert int(loaded.counter.step) == 7
    loaded.fit(kl, batch_size=2, verbose=0)
    assert int(loaded.counter.step) == int(loaded.optimizer.iterations) == 14
