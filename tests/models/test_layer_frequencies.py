"""The layer that a compiled training step draws: no draw may be frozen when a step is traced."""

import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops

pytestmark = pytest.mark.backends

STEPS, BATCH = 1000, 2


def layer_counts(model):
    """How many steps of the last epoch drew each layer: images seen a layer, over the batch."""
    seen = [float(tracker.count) for tracker in model.layer_trackers[::2]]
    return np.array(seen) / BATCH


def train(tiny, blobs, method="devae", **compile_options):
    model = tiny(method, betas=(1, 2, 3, 4), compile_options=compile_options)
    model.fit(blobs(STEPS * BATCH), batch_size=BATCH, verbose=0)
    counts = layer_counts(model)
    assert counts.sum() == STEPS == int(model.optimizer.iterations)
    return model, counts


def check(model, counts):
    assert scipy.stats.chisquare(counts).pvalue > 0.001, counts
    untrained = type(model.stack)(4)
    untrained.build((None, model.latent_dim))
    for weight, old in zip(model.stack.weights, untrained.weights, strict=True):
        assert np.all(ops.convert_to_numpy(weight) != ops.convert_to_numpy(old)), weight.path


@pytest.mark.parametrize("method", ["devae", "devae_linear"])
def test_every_layer_is_drawn_and_trained(tiny, blobs, method):
    check(*train(tiny, blobs, method))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="not supported on PyTorch")
def test_with_several_steps_an_execution(tiny, blobs):
    check(*train(tiny, blobs, steps_per_execution=10))


@pytest.mark.slow
def test_with_xla(tiny, blobs):
    check(*train(tiny, blobs, jit_compile=True))


@pytest.mark.parametrize(("weight_base", "layer"), [(0, 0), (1e6, 3)])
def test_the_weight_base_reaches_the_step(tiny, blobs, weight_base, layer):
    model = tiny(betas=(1, 2, 3, 4), layer_weight_base=weight_base)
    model.fit(blobs(20), batch_size=BATCH, verbose=0)
    assert layer_counts(model)[layer] == 10
