"""Trainings that go wrong."""

import logging

import keras
import numpy as np
import pytest

from keras_devae import BetaVAE, DeVAE
from keras_devae.callbacks import TrainingGuard
from keras_devae.errors import FailureError
from keras_devae.networks import mlp_decoder, mlp_encoder

pytestmark = pytest.mark.backends

SHAPE = (8, 8, 1)


class TurnsBad(keras.utils.PyDataset):
    """Good batches, of which one holds a NaN."""

    def __init__(self, images, bad_batch, length=6):
        super().__init__()
        self.images, self.bad_batch, self.length = images, bad_batch, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        batch = self.images.astype("float32") / 255
        if index == self.bad_batch:
            batch[1, 0, 0] = np.nan
        return (batch,)


@pytest.mark.parametrize("learning_rate", [1e3, 1e9])
@pytest.mark.parametrize("method", ["beta_vae", "devae"])
def test_huge_learning_rates(tiny, blobs, method, learning_rate):
    """They need not end in a NaN, as log-variances are bounded; what they do is said or finite."""
    model = tiny(method, learning_rate=learning_rate)
    try:
        history = model.fit(blobs(64), batch_size=4, verbose=0).history
    except FailureError as error:
        assert "Training stopped at step " in str(error)
    else:
        assert np.isfinite(list(history.values())).all()


@pytest.mark.parametrize("method", ["beta_tc_vae", "cascade_vae", "devae", "factor_vae", "vae"])
def test_a_learning_rate_that_overflows(tiny, blobs, method):
    """The assignment of CascadeVAE, too, leaves it to the guard to say so."""
    options = {"matching_stage": 0} if method == "cascade_vae" else {}
    model = tiny(method, learning_rate=1e30, **options)
    with pytest.raises(FailureError, match=r"stopped at step \d+: \w+ became (nan|-?inf)"):
        model.fit(blobs(64), batch_size=4, verbose=0)


def test_the_step_is_named(tiny, blobs):
    model = tiny("vae")
    with pytest.raises(
        FailureError, match=r"stopped at step 4: (reconstruction|kl)_loss became nan"
    ):
        model.fit(TurnsBad(blobs(4), bad_batch=3), shuffle=False, verbose=0)


def test_the_step_counts_from_the_beginning_of_training(tiny, blobs):
    model = tiny("vae")
    model.fit(TurnsBad(blobs(4), bad_batch=None), epochs=2, shuffle=False, verbose=0)
    with pytest.raises(FailureError, match="stopped at step 15: "):
        model.fit(TurnsBad(blobs(4), bad_batch=2), shuffle=False, verbose=0)


def test_the_step_counts_from_where_a_run_goes_on(tiny, blobs):
    """The optimizer may have counted fewer."""
    guard = TrainingGuard(start_step=10)
    model, batches = tiny("vae"), TurnsBad(blobs(4), bad_batch=3)
    with pytest.raises(FailureError, match=r"stopped at step 14: .*--learning-rate"):
        model.fit(batches, shuffle=False, verbose=0, callbacks=[guard])


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="not supported on PyTorch")
def test_with_several_steps_an_execution(tiny, blobs):
    model = tiny("vae", compile_options={"steps_per_execution": 3})
    with pytest.raises(FailureError, match="stopped in steps 4 to 6: "):
        model.fit(TurnsBad(blobs(4), bad_batch=3), shuffle=False, verbose=0)


def test_the_component_is_named(blobs):
    encoder, decoder = mlp_encoder(SHAPE, 2, units=()), mlp_decoder(2, SHAPE, units=())
    encoder.get_layer("z_mean").bias.assign(np.float32([1e30, 0]))
    for weight in decoder.weights:
        weight.assign(np.zeros(weight.shape))
    model = BetaVAE(encoder, decoder)
    model.compile("sgd")
    with pytest.raises(FailureError, match="stopped at step 1: kl_loss became inf"):
        model.fit(blobs(4), verbose=0)


def complaints(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "keras_devae"]


def test_a_collapse_is_reported(tiny, blobs, caplog):
    model = tiny("beta_vae", beta=1000, learning_rate=1e-2)
    with caplog.at_level(logging.WARNING):
        model.fit(blobs(64), batch_size=4, epochs=6, verbose=0)
    (sentence,) = complaints(caplog)
    assert sentence.startswith("The posterior has collapsed: its KL divergence is 0.0")
    assert sentence.endswith("Lower `beta`, or train for longer.")
    assert "Lower `betas`, or" in collapsed_devae().training_warnings({"kl_loss_layer_0": 0.0})[0]


def collapsed_devae(**options):
    """A DeVAE whose posterior is the prior, and which does not learn."""
    encoder, decoder = mlp_encoder(SHAPE, 2, units=()), mlp_decoder(4, SHAPE, units=())
    for weight in encoder.weights:
        weight.assign(np.zeros(weight.shape))
    model = DeVAE(encoder, decoder, seed=0, **options)
    model.compile(keras.optimizers.SGD(0.0))
    return model


def test_a_collapse_of_layer_0_is_reported(blobs, caplog):
    with caplog.at_level(logging.WARNING):
        collapsed_devae(objective="summed").fit(blobs(8), verbose=0)
    (sentence,) = complaints(caplog)
    assert "KL divergence is 0.000 nats" in sentence


def test_a_healthy_training_is_silent(tiny, blobs, caplog):
    model = tiny("vae")
    model.encoder.get_layer("z_mean").bias.assign(np.ones(3))
    with caplog.at_level(logging.WARNING):
        model.fit(blobs(8), verbose=0)
    assert complaints(caplog) == []


def test_a_layer_that_was_not_drawn_has_not_collapsed(tiny, blobs, caplog):
    model = tiny(betas=(1, 1), layer_weight_base=1e6)
    model.encoder.get_layer("z_mean").bias.assign(np.ones(3))
    with caplog.at_level(logging.WARNING):
        logs = model.fit(blobs(8), verbose=0).history
    # Layer 1 is drawn in practice every time.
    assert logs["reconstruction_loss_layer_0"] == [0]
    assert complaints(caplog) == []


@pytest.mark.parametrize("name", ["mean_log_scale", "std_log_scale"])
def test_a_scaling_at_its_bound_is_reported(blobs, caplog, name):
    model = collapsed_devae(objective="summed")
    model.encoder.get_layer("z_mean").bias.assign(np.ones(2))
    getattr(model.stack, name).assign(np.float32([[-6, 0], [-5, 0]]))
    with caplog.at_level(logging.WARNING):
        model.fit(blobs(8), verbose=0)
    (sentence,) = complaints(caplog)
    assert sentence.startswith("The scaling of a latent layer has reached its limit of e^10")
