"""BYOL against NumPy: its loss, its gradient and its target; and that it does not collapse."""

import json

import keras
import numpy as np
import pytest
from keras import ops

import keras_devae as kd
from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends

SMALL = {"projector_units": (6, 4), "predictor_units": (5,)}
#: Two equal views, so that NumPy needs no augmentations.
ALIKE = {**SMALL, "augmentation_strength": 0}


@pytest.fixture
def byol(tiny):
    def make(**options):
        return tiny("byol", **{**ALIKE, **options})

    return make


def arrays(layer):
    return [ops.convert_to_numpy(w).astype("float64") for w in layer]


def mlp(x, weights):
    """Dense, batch normalisation with the batch's statistics, ReLU, dense."""
    kernel, bias, gamma, beta, _, _, last_kernel, last_bias = weights
    x = x @ kernel + bias
    x = gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3) + beta
    return np.maximum(x, 0) @ last_kernel + last_bias


def project(pixels, encoder, projector):
    kernel, bias, mean_kernel, mean_bias = encoder
    hidden = np.maximum(pixels.reshape(len(pixels), -1) @ kernel + bias, 0)
    return mlp(hidden @ mean_kernel + mean_bias, projector)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def loss_of(pixels, online, target):
    """The loss of two equal views: 2 - 2 cos, twice."""
    encoder, projector, predictor = online
    predictions = mlp(project(pixels, encoder, projector), predictor)
    cosines = (unit(predictions) * unit(project(pixels, *target))).sum(axis=1)
    return (2 * (2 - 2 * cosines)).mean()


def parts_of(model):
    networks = (model.encoder, model.projector, model.predictor)
    online = [arrays(network.variables) for network in networks]
    return online, [arrays(t.copies) for t in (model.target_encoder, model.target_projector)]


def scrambled(model, seed=0):
    """Gives the target other weights than the online network."""
    rng = np.random.default_rng(seed)
    for copies in (model.target_encoder.copies, model.target_projector.copies):
        for copy in copies:
            copy.assign(copy + 0.3 * rng.normal(size=copy.shape) ** 2)
    return model


def test_the_loss_is_that_of_numpy(byol, blobs):
    model, images = scrambled(byol(target_decay=1.0)), blobs(12)
    online, target = parts_of(model)
    pixels = images / 255.0
    terms = model.loss_terms(model.pixels(images), model(images), training=True)
    assert float(terms.total) == pytest.approx(loss_of(pixels, online, target), rel=1e-5)
    codes = unit(model.encode(images).astype("float64"))
    assert float(terms.state["spread"]) == pytest.approx(
        codes.std(axis=0).mean() * 3**0.5, rel=1e-4
    )


def test_the_gradient_is_that_of_numpy_with_a_constant_target(byol, blobs):
    """None reaches the target, whose weights the same step would otherwise have moved."""
    model, images = scrambled(byol(target_decay=1.0)), blobs(12)
    model.compile(keras.optimizers.SGD(1.0))
    before, target = parts_of(model)
    model.fit(images, batch_size=12, verbose=0)
    after, same = parts_of(model)
    for one, other in zip(target[0], same[0], strict=True):
        np.testing.assert_array_equal(one, other)
    pixels, small = images / 255.0, 1e-5
    for part, (weights, moved) in enumerate(zip(before, after, strict=True)):
        weight, change = weights[0], moved[0] - weights[0]
        for place in [(0, 0), (2, 1), (2, 3)]:
            if place[1] >= weight.shape[1]:
                continue
            losses = []
            for sign in (1, -1):
                varied = weight.copy()
                varied[place] += sign * small
                online = [list(each) for each in before]
                online[part][0] = varied
                losses.append(loss_of(pixels, online, target))
            expected = -(losses[0] - losses[1]) / (2 * small)
            assert change[place] == pytest.approx(expected, rel=2e-3, abs=2e-6)


def averaged(step_weights, decays):
    """The averages by NumPy in float32, which begin with the weights of the first step."""
    averages = [w.copy() for w in step_weights[0]]
    for weights, decay in zip(step_weights, decays, strict=True):
        for average, weight in zip(averages, weights, strict=True):
            average += (np.float32(1) - np.float32(decay)) * (weight - average)
    return averages


@pytest.mark.parametrize("options", [{"target_schedule": "constant"}, {"target_decay_steps": 3}])
def test_the_target_moves_by_the_average(byol, blobs, options):
    model, images, seen = byol(target_decay=0.9, **options), blobs(16), []
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=keras.backend.backend() != "jax")
    trained = [v for n in (model.encoder, model.projector) for v in n.trainable_variables]
    for start in range(0, 16, 4):
        seen.append([np.array(ops.convert_to_numpy(v)) for v in trained])
        model.fit(images[start : start + 4], batch_size=4, verbose=0)
    decays = [np.float32(model.decay_at(ops.convert_to_tensor(k))) for k in range(4)]
    rising = [1 - 0.1 * (np.cos(np.pi * min(k, 3) / 3) + 1) / 2 for k in range(4)]
    known = [0.9] * 4 if "target_schedule" in options else rising
    np.testing.assert_allclose(decays, known, rtol=1e-6)
    expected = averaged(seen, decays)
    layers = ((model.target_encoder, model.encoder), (model.target_projector, model.projector))
    found = [
        ops.convert_to_numpy(copy)
        for target, network in layers
        for copy, variable in zip(target.copies, network.variables, strict=True)
        if variable.trainable
    ]
    for one, other in zip(found, expected, strict=True):
        if keras.backend.backend() == "jax":  # Its compiler may round products and sums together.
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)
        else:
            np.testing.assert_array_equal(one, other)


def test_several_steps_per_call_move_the_target_alike(byol, blobs):
    found = []
    for steps in (1, 4):
        model = byol(target_decay=0.5)
        model.compile(keras.optimizers.Adam(1e-2), steps_per_execution=steps)
        model.fit(blobs(16), batch_size=4, shuffle=False, verbose=0)
        found.append(arrays([*model.target_encoder.copies, *model.target_projector.copies]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_batch_statistics_are_the_targets_own(byol, blobs):
    model = byol(target_decay=1.0)
    model.fit(blobs(16), batch_size=8, verbose=0)
    moved = [
        ops.convert_to_numpy(copy)
        for copy, variable in zip(
            model.target_projector.copies, model.projector.variables, strict=True
        )
        if not variable.trainable
    ]
    assert moved and all(np.abs(m).sum() > 0 and np.isfinite(m).all() for m in moved)
    losses = [model.evaluate(blobs(8), verbose=0) for _ in range(2)]
    assert losses[0] == losses[1]


def test_initial_weights_begin_a_new_target(byol):
    model, other = byol(), byol(seed=5)
    model.encoder.set_weights(other.encoder.get_weights())
    model.note_initial_weights()
    for copy, weight in zip(model.target_encoder.copies, other.encoder.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(copy), ops.convert_to_numpy(weight))


def test_a_frozen_encoder_stays(byol, blobs):
    model = byol(target_decay=0.5)
    model.encoder.trainable = False
    model.compile("adam")
    before = model.encoder.get_weights()
    model.fit(blobs(8), batch_size=4, verbose=0)
    for one, other in zip(before, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentations": ["hue"]}, "need images of 3 channels"),
        ({"augmentations": ["blurr"]}, "Did you mean 'blur'"),
        ({"augmentations": []}, "at least one augmentation"),
        ({"augmentations": ["blur", "blur"]}, "each once"),
        ({"projector_units": ()}, "at least 1 width"),
        ({"target_decay": 1.5}, "from 0 to 1"),
        ({"decoder": "broadcast"}, "no decoder"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        kd.BYOL.for_images((8, 8, 1), network="mlp", network_units=(8,), **options)


def test_a_collapse_is_reported(byol):
    (sentence,) = byol().training_warnings({"spread": 0.001, "loss": 0.0})
    assert "collapsed" in sentence
    assert byol().training_warnings({"spread": 0.5}) == []


def test_evaluation_reports_med(byol, blobs):
    factors = np.indices((6, 6)).reshape(2, 36).T
    data = kd.data.from_arrays(blobs(36), factors)
    scores = kd.evaluation.evaluate(byol(), data, ("med",), images=36, settings="fast")["layers"][0]
    assert {"med.disentanglement", "med.top_k_disentanglement"} <= set(scores)
    json.dumps(scores)


@pytest.mark.thorough
def test_no_collapse_over_2000_steps():
    data = kd.data.load("dsprites", source="rendered", image_size=32)
    model = kd.BYOL.for_images((32, 32, 1), seed=0, network="mlp", network_units=(128, 128))
    model.compile(keras.optimizers.Adam(1e-3))
    spreads = []
    for _ in range(8):
        batches = data.batches(64, steps=250, seed=len(spreads))
        logs = model.fit(batches, verbose=0).history
        codes = model.encode(data.images(np.arange(0, len(data), len(data) // 2000)))
        spreads.append(unit(codes).std(axis=0).mean() * 10**0.5)
    assert min(spreads) > 0.3, spreads
    assert logs["loss"][0] < 4
