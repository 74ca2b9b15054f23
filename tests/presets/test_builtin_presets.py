"""Every preset that comes with the package, where there are any."""

import json

import numpy as np
import pytest

from keras_devae.presets import builtin_presets, find_preset
from keras_devae.runs import Run

PRESETS = builtin_presets()

pytestmark = pytest.mark.parametrize("name", PRESETS)


def test_it_is_intact_small_and_described(name):
    preset = find_preset(name)
    assert preset.name == name and preset.size() < 2_000_000
    assert preset.metadata["sha256"].keys() == {
        *("config.json", "model.weights.h5", "run.json", "scores.json", "codes.json"),
        "history.csv",
    }
    card = preset.card()
    for words in ("## Scores", "## Limits", f'from_preset("{name}")', "traversal.png"):
        assert words in card
    assert preset.metadata["sha256"]["model.weights.h5"] in card
    assert preset.metadata["weights_dtype"] == "float16"
    assert {"mig.score", "kl.total"} <= preset.scores[0].keys()


@pytest.mark.backends
def test_its_codes_are_those_that_were_kept(name, fresh_python):
    code = """
import json, pathlib, sys
import numpy as np, keras_devae, keras
folder = pathlib.Path(sys.argv[1])
kept = json.loads((folder / "codes.json").read_text())
images = keras_devae.runs.Run.open(sys.argv[2]).dataset.images(kept["rows"])
model = keras.saving.load_model(folder)
np.testing.assert_allclose(model.encode(images), kept["z_mean"], atol=1e-4)
"""
    fresh_python("-c", code, PRESETS[name].path, name)


@pytest.mark.thorough
def test_its_scores_are_computed_again(name):
    kept = json.loads((PRESETS[name].path / "scores.json").read_text())
    found = Run.open(name).score()
    for layer, expected in zip(found["layers"], kept["layers"], strict=True):
        for key, value in expected.items():
            np.testing.assert_allclose(layer[key], value, rtol=1e-3, atol=1e-3, err_msg=key)
