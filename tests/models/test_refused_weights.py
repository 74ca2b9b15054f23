"""Weights that do not fit, and files of other kinds: the model stays as it was."""

import h5py
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import FailureError, UsageError

pytestmark = pytest.mark.backends


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [ops.convert_to_numpy(variable).copy() for variable in variables]


def unlike(model, folder, name):
    """Files of weights that do not fit, by what is wrong with them."""
    file = folder / name
    if name.startswith("cut"):
        model().save(folder / "whole.keras")
        file.write_bytes((folder / "whole.keras").read_bytes()[:3000])
        return file
    other = {
        "narrow": {"units": (12,)},
        "deep": {"units": (16, 16)},
        "shallow": {"units": ()},
        "latent": {"latent_dim": 2},
    }
    made = model(**other.get(name.partition(".")[0], {}))
    if name.endswith(".keras"):
        made.save(file)
    else:
        made.save_weights(file)
    if name.startswith("empty"):
        h5py.File(file, "w").close()
    return file


WRONG = [
    "narrow.weights.h5",
    "narrow.keras",
    "deep.weights.h5",
    "shallow.weights.h5",
    "latent.weights.h5",
    "latent.keras",
    "empty.weights.h5",
    "cut.keras",
]


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("method", ["devae", "factor_vae"])
def test_a_refused_file_changes_nothing(tiny, blobs, tmp_path, method, name):
    model = tiny(method, compile_options={"run_eagerly": True})
    model.fit(blobs(8), verbose=0)
    before = state(model)
    file = unlike(lambda **options: tiny(method, **options), tmp_path, name)
    with pytest.raises((UsageError, FailureError), match=r"left as it was"):
        model.load_weights(file)
    for now, then in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_what_fits_is_loaded(tiny, blobs, tmp_path, suffix):
    model, other = tiny(), tiny(latent_dim=3, seed=7)
    other.encoder.set_weights([w + 1 for w in other.encoder.get_weights()])
    file = tmp_path / f"m{suffix}"
    (other.save_weights if "weights" in suffix else other.save)(file)
    model.load_weights(file)
    np.testing.assert_array_equal(model.encode(blobs(3)), other.encode(blobs(3)))


def test_arrays_that_do_not_fit(tiny):
    model = tiny("vae")
    before = state(model)
    wrong = [w + 1 for w in model.get_weights()]
    for weights in (wrong[:-1], [*wrong[:-1], wrong[-1][..., None]], [*wrong, wrong[0]], ["a"]):
        with pytest.raises(UsageError, match="`weights` must be arrays of the shapes"):
            model.set_weights(weights)
    for now, then in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(now, then)
    model.set_weights(wrong)
    np.testing.assert_array_equal(model.get_weights()[0], wrong[0])


@pytest.mark.parametrize("name", ["m.h5", "folder", "m.pt", "m.weights", "m.tf"])
def test_names_of_files(tiny, tmp_path, name):
    model = tiny("vae")
    with pytest.raises(UsageError, match=r"\*\.keras.*export_encoder"):
        model.save(tmp_path / name)
    with pytest.raises(UsageError, match=r"\*\.weights\.h5"):
        model.save_weights(tmp_path / name)
    with pytest.raises(UsageError, match=r"\*\.weights\.h5"):
        model.load_weights(tmp_path / name)
    with pytest.raises(UsageError, match="There is no file"):
        model.load_weights(tmp_path / "missing.weights.h5")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["tf_saved_model", "onnx", "openvino", "litert"])
def test_keras_s_export_names_the_package_s(tiny, tmp_path, format):
    with pytest.raises(UsageError, match=r"model\.export_encoder\('.*folder'\)"):
        tiny("vae").export(tmp_path / "folder", format=format)
