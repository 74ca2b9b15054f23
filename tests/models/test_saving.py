"""Saving, loading and going on."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.models import MODELS
from keras_devae.pipeline import Batches

pytestmark = pytest.mark.backends


class BlobData:
    """As much of a data set as `Batches` needs."""

    def __init__(self, images):
        self.stored = images

    def __len__(self):
        return len(self.stored)

    def images(self, indices):
        return self.stored[indices]


def seed_states(model):
    layers = [model.sampling, *([model.layer_draw] if hasattr(model, "layer_draw") else [])]
    return [ops.convert_to_numpy(layer.seed_generator.state).tolist() for layer in layers]


@pytest.fixture(scope="module")
def saved_models(tiny, blobs, tmp_path_factory):
    """A folder of models, each saved after its construction and after `fit`, and their codes."""
    folder, images, codes = tmp_path_factory.mktemp("models"), blobs(9), {}
    np.save(folder / "images.npy", images)
    for method in MODELS:
        model = tiny(method)
        for state in ("new", "trained"):
            if state == "trained":
                model.fit(images, verbose=0)
            model.save(folder / f"{method}_{state}.keras")
            codes[f"{method}_{state}"] = model.encode(images)
    return folder, codes


@pytest.mark.parametrize("order", ["import keras, keras_devae", "import keras_devae, keras"])
def test_a_fresh_process_loads_them(saved_models, tmp_path, fresh_python, order):
    folder, expected = saved_models
    code = f"""{order}
import glob, os, sys, numpy
images = numpy.load(os.path.join(sys.argv[1], "images.npy"))
codes = {{
    os.path.basename(path)[:-6]: keras.models.load_model(path, safe_mode=True).encode(images)
    for path in glob.glob(os.path.join(sys.argv[1], "*.keras"))
}}
numpy.savez("codes.npz", **codes)
"""
    fresh_python("-c", code, folder)
    with np.load(tmp_path / "codes.npz") as codes:
        assert set(codes) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(codes[name], value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("method", MODELS)
def test_archive_holds_no_lambda(tiny, tmp_path, method):
    tiny(method).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert config["registered_name"] == f"keras_devae>{MODELS[method].__name__}"
    assert "Lambda" not in json.dumps(config)


OPTIONS = {
    "vae": {"likelihood": "gaussian"},
    "beta_vae": {"beta": 2.5},
    "devae": {"betas": (0.5, 3), "objective": "summed", "layer_weight_base": 0.5},
}


@pytest.mark.parametrize("method", MODELS)
def test_config_round_trip(tiny, method):
    model = tiny(method, name="mine", seed=9, **OPTIONS[method])
    config = model.get_config()
    assert type(model).from_config(config).get_config() == config
    through_json = json.loads(json.dumps(config))
    restored = type(model).from_config(through_json)
    assert json.loads(json.dumps(restored.get_config())) == through_json
    assert restored.name == "mine" and restored.seed == 9
    for name, value in OPTIONS[method].items():
        got = getattr(restored, name)
        assert (got.name if name == "likelihood" else got) == value


@pytest.mark.parametrize("method", MODELS)
def test_training_state_survives(tiny, blobs, tmp_path, method):
    model, images = tiny(method, **OPTIONS[method]), blobs(12)
    model.fit(images, batch_size=4, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert int(loaded.optimizer.iterations) == 3
    pairs = zip(model.optimizer.variables, loaded.optimizer.variables, strict=True)
    for saved, restored in pairs:
        np.testing.assert_array_equal(
            ops.convert_to_numpy(saved), ops.convert_to_numpy(restored), err_msg=saved.path
        )
    assert seed_states(loaded) == seed_states(model) != seed_states(tiny(method))
    assert loaded.evaluate(images, verbose=0) == pytest.approx(
        model.evaluate(images, verbose=0), rel=1e-6
    )


def test_weights_alone_carry_the_generators(tiny, blobs, tmp_path):
    model = tiny()
    model.fit(blobs(12), batch_size=4, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = tiny()
    assert seed_states(other) != seed_states(model)
    other.load_weights(tmp_path / "m.weights.h5")
    assert seed_states(other) == seed_states(model)


def test_interrupted_training_equals_uninterrupted(tiny, blobs, tmp_path):
    data = BlobData(blobs(40))

    def batches(start_step):
        return Batches(data, batch_size=8, steps=7, seed=3, start_step=start_step)

    whole = tiny().fit(batches(0), epochs=4, verbose=0, shuffle=False).history
    model = tiny()
    first = model.fit(batches(0), epochs=2, verbose=0, shuffle=False).history
    model.save(tmp_path / "m.keras")
    del model
    resumed = keras.models.load_model(tmp_path / "m.keras")
    second = resumed.fit(batches(14), epochs=2, verbose=0, shuffle=False).history
    for name, values in whole.items():
        np.testing.assert_allclose(first[name] + second[name], values, rtol=1e-6, err_msg=name)


def test_saved_compile_options(tiny, tmp_path):
    model = tiny(learning_rate=0.25)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert float(loaded.optimizer.learning_rate) == 0.25
    assert loaded.jit_compile == model.jit_compile


def test_models_that_were_not_compiled(blobs, tmp_path):
    model = MODELS["vae"].for_images((8, 8, 1), latent_dim=2, network="mlp", seed=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    images = blobs(3)
    np.testing.assert_allclose(loaded.encode(images), model.encode(images), atol=1e-6)
