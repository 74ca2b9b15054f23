"""Models made from presets, and presets made from models."""

import json

import h5py
import keras
import numpy as np
import pytest

import keras_devae as kd
from keras_devae.errors import FailureError, UsageError
from keras_devae.models.image_model import ImageModel


@pytest.fixture
def images(blobs):
    return blobs(6)


@pytest.fixture
def trained(tiny, images):
    model = tiny("devae")
    model.fit(images, epochs=2, verbose=0)
    return model


def hdf5_arrays(file):
    """Returns the arrays in an HDF5 file by name."""
    found = {}
    with h5py.File(file) as opened:
        opened.visititems(
            lambda name, part: found.update({name: part[()]}) if hasattr(part, "shape") else None
        )
    return found


@pytest.mark.backends
def test_a_model_comes_back_as_it_was(trained, images, tmp_path, fresh_python):
    trained.save_to_preset(tmp_path / "mine")
    assert {file.name for file in (tmp_path / "mine").iterdir()} == {
        "config.json",
        "metadata.json",
        "model.weights.h5",
    }
    loaded = kd.DeVAE.from_preset(tmp_path / "mine")
    assert type(loaded) is kd.DeVAE and getattr(loaded, "optimizer", None) is None
    np.testing.assert_array_equal(loaded.encode(images), trained.encode(images))
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "codes.npy", trained.encode(images))
    code = """
import numpy as np, keras_devae, keras
model = keras.saving.load_model("mine")
codes = model.encode(np.load("images.npy"))
np.testing.assert_allclose(codes, np.load("codes.npy"), atol=1e-5)
print(type(model).__name__, getattr(model, "optimizer", None))
"""
    assert fresh_python("-c", code)[0] == "DeVAE None\n"


@pytest.mark.backends
def test_half_the_bytes_become_float32_weights(trained, images, tmp_path):
    trained.save_to_preset(tmp_path / "small", weights_dtype="float16")
    stored = hdf5_arrays(tmp_path / "small" / "model.weights.h5")
    assert {a.dtype.name for a in stored.values() if a.ndim and a.dtype.kind == "f"} == {"float16"}
    loaded = kd.DeVAE.from_preset(tmp_path / "small")
    assert {w.dtype for w in loaded.trainable_weights} == {"float32"}
    for weight, original in zip(loaded.trainable_weights, trained.trainable_weights, strict=True):
        expected = np.array(original).astype(np.float16).astype(np.float32)
        np.testing.assert_array_equal(np.array(weight), expected)
    np.testing.assert_allclose(loaded.encode(images), trained.encode(images), atol=1e-2)


def test_what_float16_cannot_hold_stays_in_float32(trained, tmp_path):
    layer = trained.encoder.get_layer("z_mean")
    kernel = np.array(layer.kernel)
    kernel[0, 0] = 1e6
    layer.kernel.assign(kernel)
    trained.save_to_preset(tmp_path / "large", weights_dtype="float16")
    loaded = kd.DeVAE.from_preset(tmp_path / "large")
    np.testing.assert_array_equal(np.array(loaded.encoder.get_layer("z_mean").kernel), kernel)


@pytest.mark.parametrize("method", ["byol", "factor_vae", "flow_vae", "pca", "qlae"])
def test_other_models(tiny, images, tmp_path, method):
    model = tiny(method)
    model.fit(images, verbose=0)
    model.save_to_preset(tmp_path / "mine")
    loaded = ImageModel.from_preset(tmp_path / "mine")
    assert type(loaded) is type(model)
    np.testing.assert_allclose(loaded.encode(images), model.encode(images), atol=1e-6)


def test_a_base_class_returns_the_class_that_was_saved(trained, tmp_path):
    trained.save_to_preset(tmp_path / "mine")
    assert type(kd.VAE.from_preset(str(tmp_path / "mine"))) is kd.DeVAE
    with pytest.raises(UsageError, match=r"holds a DeVAE, and BetaVAE is no base class of it\."):
        kd.BetaVAE.from_preset(tmp_path / "mine")


def test_without_weights(trained, tmp_path):
    trained.save_to_preset(tmp_path / "mine")
    new = kd.DeVAE.from_preset(tmp_path / "mine", load_weights=False)
    kernel, other = (m.encoder.get_layer("z_mean").kernel for m in (new, trained))
    assert kernel.shape == other.shape and not np.allclose(kernel, other)
    assert new.get_config().keys() == trained.get_config().keys() and new.betas == trained.betas
    with pytest.raises(UsageError, match="`load_weights`"):
        kd.DeVAE.from_preset(tmp_path / "mine", load_weights="no")


def test_no_folder_is_overwritten(trained, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="taken exists"):
        trained.save_to_preset(tmp_path / "taken")
    assert not any((tmp_path / "taken").iterdir())
    with pytest.raises(UsageError, match="weights_dtype"):
        trained.save_to_preset(tmp_path / "new", weights_dtype="int8")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_mixed_precision_does_not_travel(tiny, images, tmp_path, float32_policy):
    keras.config.set_dtype_policy("mixed_bfloat16")
    tiny("beta_vae").save_to_preset(tmp_path / "mine")
    keras.config.set_dtype_policy("float32")
    loaded = kd.BetaVAE.from_preset(tmp_path / "mine")
    assert loaded.dtype_policy.name == "float32"
    assert {layer.dtype_policy.name for layer in loaded.encoder.layers} == {"float32"}


def test_presets_of_classes(shipped):
    (name, description), *more = kd.DeVAE.presets.items()
    assert name == shipped and not more
    assert description == (
        "DeVAE on dsprites (rendered, 32x32x1), trained for 30 steps of 16 images"
    )
    assert kd.VAE.presets == ImageModel.presets == kd.DeVAE.presets and kd.BetaVAE.presets == {}
    assert type(kd.VAE.from_preset(shipped)) is kd.DeVAE


def test_a_folder_wins_over_a_name(shipped, trained):
    trained.save_to_preset(shipped)
    assert kd.DeVAE.from_preset(shipped).image_shape == trained.image_shape


def test_what_is_not_there(shipped, begun, tmp_path):
    with pytest.raises(UsageError, match=r"Unknown preset 'stand_on'. Did you mean 'stand_in'\?"):
        kd.DeVAE.from_preset("stand_on")
    with pytest.raises(UsageError, match="not of a run"):
        kd.DeVAE.from_preset(begun)
    with pytest.raises(UsageError, match="must be a path"):
        kd.DeVAE.from_preset(3)


def test_damage_is_said_in_one_sentence(preset):
    weights = preset / "model.weights.h5"
    content = weights.read_bytes()
    weights.write_bytes(content[:-10])
    with pytest.raises(FailureError, match=r"damaged, model\.weights\.h5: its SHA-256 begins"):
        kd.DeVAE.from_preset(preset)
    weights.write_bytes(content)
    (preset / "scores.json").unlink()
    with pytest.raises(FailureError, match=r"damaged, scores\.json: No such file"):
        kd.DeVAE.from_preset(preset)
    (preset / "metadata.json").write_text("[]")
    with pytest.raises(FailureError, match=r"metadata\.json: it does not describe a preset"):
        kd.DeVAE.from_preset(preset)


def test_damage_without_hashes_is_said_in_one_sentence(preset):
    (preset / "metadata.json").write_text("{}")
    assert type(kd.DeVAE.from_preset(preset)) is kd.DeVAE
    (preset / "model.weights.h5").write_bytes(b"nothing")
    with pytest.raises(FailureError, match="cannot be loaded"):
        kd.DeVAE.from_preset(preset)
    (preset / "config.json").write_text(json.dumps({"class_name": "DeVAE"}))
    with pytest.raises(FailureError, match="describes no model"):
        kd.DeVAE.from_preset(preset, load_weights=False)


def test_another_model_of_keras_is_refused(tmp_path):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    keras.saving.save_model(model, tmp_path / "other", zipped=False)
    with pytest.raises(FailureError, match="it holds a Functional, not a model of this package"):
        kd.VAE.from_preset(tmp_path / "other")


def test_the_hub(hub, trained, images):
    trained.save("hf://me/shapes")
    for loaded in (keras.saving.load_model("hf://me/shapes"), kd.VAE.from_preset("hf://me/shapes")):
        assert type(loaded) is kd.DeVAE
        np.testing.assert_array_equal(loaded.encode(images), trained.encode(images))
    with pytest.raises(FailureError, match=r"hf://me/other cannot be fetched: .*404 Client Error"):
        kd.DeVAE.from_preset("hf://me/other")
    for address in ("hf://me", "hf://me/shapes/1", "hf://"):
        with pytest.raises(UsageError, match="is hf://owner/name"):
            kd.DeVAE.from_preset(address)
        with pytest.raises(UsageError, match="is hf://owner/name"):
            trained.save(address)


def test_without_the_package_of_the_hub(monkeypatch, trained):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for use in (kd.DeVAE.from_preset, trained.save):
        with pytest.raises(UsageError, match=r"needs huggingface_hub.*keras-devae\[hub\]"):
            use("hf://me/shapes")


def test_the_hub_out_of_reach(hub, monkeypatch, trained):
    def unreachable(*arguments, **options):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", unreachable)
    with pytest.raises(FailureError, match="not saved to hf://me/shapes: ConnectionError: Name"):
        trained.save("hf://me/shapes")
