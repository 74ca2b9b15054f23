"""Models trained in step, against the same models trained by their own `fit`."""

import contextlib

import keras
import numpy as np
import pytest

from keras_devae.backend.interface import active
from keras_devae.data import from_arrays
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.fitting import Fit, carried_out
from keras_devae.models.fitting_together import kind_of, train_together
from keras_devae.models.training_callbacks import TrainingGuard
from keras_devae.process.interruption import Interruption

pytestmark = [
    pytest.mark.backends,
    pytest.mark.skipif(
        not active().trains_together, reason="this backend trains models one by one"
    ),
]
TRAINED = [name for name, each in MODEL_CATALOGUE.items() if not each.fitted]


class Notes(TrainingGuard):
    """Keeps what each step and each epoch shows."""

    def __init__(self):
        super().__init__(0)
        self.rows = []

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self.rows.append({name: float(value) for name, value in logs.items()})

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        self.rows.append({name: float(value) for name, value in logs.items()})


@pytest.fixture(scope="module")
def dataset(blobs):
    images = blobs(64, (8, 8, 1))
    return from_arrays(images, np.stack(np.divmod(np.arange(64), 8), axis=1))


@pytest.fixture
def fit_of(tiny, dataset):
    """Makes the `Fit` of two epochs of two steps of a model."""

    def make(method, seed=0, **options):
        keras.utils.clear_session()
        model = tiny(method, seed=seed, **options)
        batches = model.training_batches(dataset, batch_size=8, steps=2, seed=seed)
        return Fit(model, batches, 2, Notes())

    return make


def within(fit):
    return contextlib.nullcontext()


def check(alone, together, tolerance=1e-5):
    """Trains the first by their own `fit` and the others in step, and compares them."""
    for fit in alone:
        fit.carry_out()
    assert train_together(together, 2, Interruption(), within) == dict.fromkeys(range(len(alone)))
    for fit, other in zip(alone, together, strict=True):
        assert len(other.callback.rows) == len(fit.callback.rows) == 6
        for row, other_row in zip(fit.callback.rows, other.callback.rows, strict=True):
            # In the order in which the history shows them.
            assert list(other_row) == list(row)
            assert other_row == {n: pytest.approx(v, tolerance, tolerance) for n, v in row.items()}
        state = [*fit.model.variables, *fit.model.optimizer.variables]
        other_state = [*other.model.variables, *other.model.optimizer.variables]
        for variable, other_variable in zip(state, other_state, strict=True):
            value, other_value = map(keras.ops.convert_to_numpy, (variable, other_variable))
            np.testing.assert_allclose(other_value, value, tolerance, tolerance)


@pytest.mark.thorough
@pytest.mark.parametrize("method", TRAINED)
def test_every_model_is_trained_as_alone(fit_of, monkeypatch, method):
    assert set(TRAINED) < set(MODELS)
    monkeypatch.setattr(type(active()), "mapping", lambda self: "vmap")
    check(*([fit_of(method, seed) for seed in (0, 1)] for _ in range(2)))


def test_the_kinds_of_fits(fit_of):
    kind = kind_of(fit_of("beta_vae"))
    assert kind == kind_of(fit_of("beta_vae", 1, beta=3.0))
    assert kind != kind_of(fit_of("vae"))
    eager = fit_of("beta_vae", compile_options={"run_eagerly": True, "jit_compile": False})
    assert kind_of(eager) is None
    # What a function on the host does with its numbers cannot be seen in the step.
    assert kind_of(fit_of("cascade_vae")) != kind_of(fit_of("cascade_vae", pairwise_cost=0.5))


def test_an_error_is_raised_where_the_part_was_yielded(fit_of):
    fit, seen = fit_of("vae"), []

    def parts():
        try:
            yield fit
        except ZeroDivisionError as error:
            seen.append(error)
        return "the end"

    fit.carry_out = lambda: 1 / 0
    assert carried_out(parts()) == "the end" and len(seen) == 1
