"""Checkpoints written beside the training hold exactly the state that was handed over."""

import keras
import numpy as np
import pytest
from keras import ops
from thoroughness import quick_first

from keras_devae.errors import FailureError, UsageError
from keras_devae.models import MODELS, BetaVAE
from keras_devae.networks import mlp_decoder, mlp_encoder
from keras_devae.runs.checkpoints import (
    CheckpointWriter,
    check_finite,
    copy_state,
    save_model,
)

pytestmark = pytest.mark.backends

TRAINED = [method for method in MODELS if method not in ("ica", "pca")]


def everything(model):
    """Weights, optimizer state and the states of random generators, by what Keras saves."""
    generators = [layer.seed_generator.state for layer in seeded(model)]
    variables = [*model.weights, *model.optimizer.variables, *generators]
    return [ops.convert_to_numpy(variable).copy() for variable in variables]


def seeded(model):
    names = ("sampling", "layer_draw", "permutations", "gumbel")
    return [getattr(model, name) for name in names if hasattr(model, name)]


def nothing():
    pass


@pytest.fixture
def started(tiny, blobs, to_fit, tmp_path):
    """Makes a model that was trained, and the writer of its checkpoints."""
    writers = []

    def make(method="vae", **options):
        model = tiny(method, **options)
        model.fit(to_fit(method, blobs(8)), batch_size=4, verbose=0)
        save_model(model, tmp_path / "start.keras")
        writers.append(CheckpointWriter(tmp_path / "start.keras"))
        return model, writers[-1]

    yield make
    for writer in writers:
        writer.close()


WRITTEN = [*TRAINED, "factor_vae in float16"]


@pytest.mark.parametrize("method", quick_first(WRITTEN, {"devae", "cascade_vae", WRITTEN[-1]}))
def test_the_state_handed_over_is_what_is_written(
    method, started, blobs, to_fit, tmp_path, float32_policy
):
    if method.endswith("float16"):
        keras.config.set_dtype_policy("mixed_float16")
    model, writer = started(method.split()[0])
    images = to_fit(method, blobs(8))
    model.fit(images, batch_size=4, epochs=2, verbose=0)
    expected = everything(model)
    # Twice: the second time it overwrites the copy of the first.
    writer.write(model, 3, tmp_path / "first.keras", nothing, nothing)
    writer.write(model, 3, tmp_path / "next.keras", nothing, nothing)
    # Training goes on meanwhile, and must not reach into the copy.
    model.fit(images, batch_size=4, epochs=2, verbose=0)
    writer.wait()
    loaded = keras.models.load_model(tmp_path / "next.keras")
    assert type(loaded.optimizer) is type(model.optimizer)
    for got, wanted in zip(everything(loaded), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_what_belongs_before_a_checkpoint_is_there_before_it(started, tmp_path):
    model, writer = started()
    file, order = tmp_path / "next.keras", []
    before = lambda: order.append(("before", file.exists()))  # noqa: E731
    writer.write(model, 3, file, before, lambda: order.append(("after", file.exists())))
    writer.wait()
    assert order == [("before", False), ("after", True)]


def test_what_goes_wrong_beside_the_training_is_raised_in_it(started, tmp_path):
    model, writer = started()

    def fail():
        raise FailureError("no room")

    writer.write(model, 3, tmp_path / "next.keras", fail, nothing)
    with pytest.raises(FailureError, match="no room"):
        writer.write(model, 6, tmp_path / "later.keras", nothing, nothing)
    assert not (tmp_path / "next.keras").exists()


def test_a_model_that_cannot_be_loaded_again_is_refused_before_training(tmp_path, blobs):
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    images = keras.Input((8, 8, 1))
    encoder = keras.Model(images, mlp_encoder((8, 8, 1), 2, units=(4,))(Own()(images)))
    model = BetaVAE(encoder, mlp_decoder(2, (8, 8, 1), (4,)))
    model.compile("adam")
    save_model(model, tmp_path / "start.keras")
    with pytest.raises(UsageError, match="register_keras_serializable"):
        CheckpointWriter(tmp_path / "start.keras")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_state_that_is_not_finite_is_named_and_not_written(started, value, tmp_path):
    model, writer = started("factor_vae")
    writer.write(model, 6, tmp_path / "next.keras", nothing, nothing)
    slots = [v for v in model.discriminator_optimizer.variables if len(v.shape) == 2]
    bad = np.zeros(slots[-1].shape)
    bad[1, 0] = value
    slots[-1].assign(bad)
    writer.write(model, 7, tmp_path / "bad.keras", nothing, nothing)
    with pytest.raises(FailureError, match=r"stopped at step 7: \S*velocity\S* is not finite"):
        writer.wait()
    assert (tmp_path / "next.keras").is_file() and not (tmp_path / "bad.keras").exists()


def test_large_numbers_are_finite(started):
    model, _ = started()
    kernel = model.encoder.get_layer("z_mean").kernel
    kernel.assign(np.full(kernel.shape, 3e38))
    state = copy_state(model)
    check_finite([str(number) for number in range(len(state))], state, 1)
