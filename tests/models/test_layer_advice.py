"""A word where another latent layer than the exported one reconstructs best."""

import math

import pytest

from keras_devae.models.layer_advice import layer_advice, losses_of


@pytest.mark.parametrize(
    ("losses", "layer", "best"),
    [
        ([309.6, 258.8, 271.8], 0, 1),
        ([309.6, 258.8, 271.8], 2, 1),
        ([30.0, 25.0], 0, 1),
        # Of a Gaussian density a loss may be negative.
        ([-100.0, -110.0, -105.0], 0, 1),
        ([100.0, math.nan, 90.0], 0, 2),
        ([100.0, None, 90.0], 0, 2),
    ],
)
def test_a_better_layer_is_named_with_what_to_do(losses, layer, best):
    advice = layer_advice(dict(enumerate(losses)), layer)
    assert advice.startswith(f"Layer {layer}, which is exported")
    assert f"export RUN FOLDER --layer {best}," in advice
    assert f"model.export_encoder(folder, layer={best})" in advice


def test_the_folder_of_the_run_is_named():
    advice = layer_advice({0: 30.0, 1: 25.0}, run="my runs/a")
    assert "keras-devae export 'my runs/a' FOLDER --layer 1," in advice


def test_all_losses_are_named():
    advice = layer_advice({0: 309.6, 1: 258.8, 2: 271.8})
    assert "layers 0 / 1 / 2 lose 309.6 / 258.8 / 271.8 nats per image" in advice


@pytest.mark.parametrize(
    ("losses", "layer"),
    [
        ([21.0, 24.0, 30.0], 0),
        ([309.6, 258.8, 271.8], 1),
        # As good but for less than seeds differ by.
        ([221.0, 220.0, 225.0], 0),
        ([0.0, 0.0], 0),
        ([100.0], 0),
        ([None, None], 0),
        ([math.nan, 20.0], 0),
        ([], 0),
    ],
)
def test_nothing_is_said_of_the_best_layer(losses, layer):
    assert layer_advice(dict(enumerate(losses)), layer) is None


def test_losses_are_those_of_the_scores():
    name = "reconstruction_error.negative_log_likelihood"
    assert losses_of([{"layer": 1, name: 3.0}, {"layer": 2}]) == {1: 3.0, 2: None}
