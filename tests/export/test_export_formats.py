"""Every format of an export, loaded with the printed lines where only its runtime is there."""

import importlib
import importlib.util
import subprocess
import sys
from functools import partial

import keras
import numpy as np
import pytest
from image_shapes import SHAPES

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.export import FORMATS, QUANTIZATIONS, check_export, export_model, loading_code
from keras_devae.export import exporting as exporting_module
from keras_devae.export import formats as formats_module
from keras_devae.models.saving import own_modules
from keras_devae.networks import mlp_decoder

pytestmark = pytest.mark.backends

RUNTIMES = {
    "tf_saved_model": "tensorflow",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "litert": "ai_edge_litert",
    "torch": "torch",
}
#: What the lines may not import: this package, Keras, and the runtimes of other formats.
WITHOUT = "import sys\nfor name in {names!r}: sys.modules[name] = None\n"


def installed(name):
    return importlib.util.find_spec(name) is not None


def needs(format, quantize=None):
    ways = FORMATS[format].backends.items()
    extra = [package.replace("-", "_") for package in QUANTIZATIONS.get(quantize, ())]
    possible = all(map(installed, [RUNTIMES[format], *extra])) and any(
        all(map(installed, [backend, *packages])) for backend, packages in ways
    )
    return pytest.mark.skipif(not possible, reason=f"needs what {format} needs")


ALL = [pytest.param(name, marks=needs(name)) for name in FORMATS]


def run_code(code, format, folder):
    others = {"keras", "keras_devae", "doubling", *RUNTIMES.values()} - {RUNTIMES[format]}
    alone = WITHOUT.format(names=sorted(others)) + code
    result = subprocess.run(
        [sys.executable, "-c", alone], capture_output=True, text=True, cwd=folder
    )
    assert result.returncode == 0, result.stderr[-2000:]


def moved(model):
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        value = keras.ops.convert_to_numpy(variable)
        variable.assign(value + rng.normal(0, 0.1, value.shape))
    return model


def lines_for(code, endpoint, given, output):
    """The printed lines for another endpoint, with batches of 1 and 7."""
    lines = [line for line in code.splitlines() if not line.startswith("images =")]
    made = "\n".join(lines).replace("encode_uint8", endpoint).replace("z_mean", output)
    made = made.replace("encoder.encode(", f"encoder.{endpoint}(")
    if endpoint == "decode":
        made = made.replace('"image"', '"z"').replace("image=", "z=")
    *load, encode = made.split("\n")
    for count in (1, 7):
        load += [f'images = np.load("{given}.npy")[:{count}]', encode]
        load += [f'np.save("{endpoint}{count}.npy", np.asarray(codes))']
    return load


def check_outputs(model, format, folder, tolerance=1e-5):
    """Compares a folder's endpoints with the live model."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, *model.image_shape), dtype=np.uint8)
    codes, expected = model.encode(images), model.reconstruct(images)
    arrays = {"images": images, "pixels": (images / 255).astype("float32"), "codes": codes}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    endpoints = {
        "encode_uint8": ("images", "z_mean", codes),
        "encode": ("pixels", "z_mean", codes),
        "decode": ("codes", "reconstruction", expected),
        "reconstruct": ("pixels", "reconstruction", expected),
    }
    if format == "tf_saved_model":
        del endpoints["encode_uint8"]
    code = loading_code(folder / "encoder", format, model.image_shape)
    script = [code, f"assert codes.shape == (7, {model.latent_dim})"]
    for endpoint, (given, output, _) in endpoints.items():
        script += lines_for(code, endpoint, given, output)
    run_code("\n".join(script), format, folder)
    for endpoint, (*_, value) in endpoints.items():
        atol = tolerance * max(1, np.abs(value).max())
        for count in (1, 7):
            found = np.load(folder / f"{endpoint}{count}.npy")
            np.testing.assert_allclose(found, value[:count], atol=atol, err_msg=endpoint)


@pytest.mark.parametrize("format", ALL)
def test_the_printed_lines_give_the_codes_of_the_live_model(format, tiny, tmp_path):
    model = moved(tiny("devae"))
    export_model(model, tmp_path / "encoder", format)
    check_outputs(model, format, tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize("format", ALL)
def test_convolutions_in_every_format(format, tmp_path):
    model = kd.BetaVAE.for_images((32, 32, 3), 4, seed=0)
    export_model(model, tmp_path / "encoder", format)
    check_outputs(model, format, tmp_path)


NATIVE = {"tensorflow": "tf_saved_model", "jax": "onnx", "torch": "torch"}[keras.backend.backend()]


@needs(NATIVE)
@pytest.mark.thorough
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_size_is_exported(shape, tmp_path):
    model = kd.VAE.for_images(shape, 3, likelihood="gaussian", seed=0)
    export_model(model, tmp_path / "encoder", NATIVE)
    check_outputs(model, NATIVE, tmp_path)


NETWORKS = [
    ((28, 28, 1), {"network": "residual"}),
    ((218, 178, 3), {"network": "convolutional"}),
    ((17, 23, 16), {"network": "mlp", "network_units": (8,), "decoder": "broadcast"}),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("shape", "options"), NETWORKS, ids=str)
@pytest.mark.parametrize("format", ALL)
def test_every_network_in_every_format(format, shape, options, tmp_path):
    model = kd.BetaVAE.for_images(shape, 3, seed=0, **options)
    export_model(model, tmp_path / "encoder", format)
    check_outputs(model, format, tmp_path)


DOUBLING = """
import keras


@keras.saving.register_keras_serializable(package="doubling")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable(package="doubling")
def halve(x):
    return x / 2
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A model with a layer and an activation of a user's module `doubling`."""
    (tmp_path / "doubling.py").write_text(DOUBLING)
    monkeypatch.syspath_prepend(tmp_path)
    doubling = importlib.import_module("doubling")
    images = keras.Input((4, 5, 1))
    x = keras.layers.Dense(3, doubling.halve)(keras.layers.Flatten()(images))
    heads = {name: keras.layers.Dense(2)(doubling.Doubled()(x)) for name in ("z_mean", "z_log_var")}
    model = kd.VAE(keras.Model(images, heads), mlp_decoder(2, (4, 5, 1), units=(4,)), seed=0)
    # As where another backend converts.
    monkeypatch.setattr(
        exporting_module,
        "_writer",
        lambda name: partial(exporting_module._write_in_other_process, name),
    )
    yield model
    del sys.modules["doubling"]


@needs(NATIVE)
@pytest.mark.thorough
def test_another_process_imports_own_layers_and_functions(own, tmp_path):
    export_model(own, tmp_path / "encoder", NATIVE)
    check_outputs(own, NATIVE, tmp_path)


@needs(NATIVE)
def test_own_layers_that_another_process_cannot_import_are_refused(own, tmp_path, monkeypatch):
    assert own_modules(own) == ["doubling"]
    monkeypatch.setattr(sys.modules["doubling"].Doubled, "__module__", "__main__")
    assert own_modules(own) == ["__main__", "doubling"]
    with pytest.raises(UsageError, match=r"defined in the running script.*into a module"):
        export_model(own, tmp_path / "encoder", NATIVE)
    assert not (tmp_path / "encoder").exists()


def in_eight_bits(weights):
    """Whole multiples of a 127th of each output channel's largest weight; small arrays as is."""
    if weights.size < 4096:
        return weights
    step = np.abs(weights).max(axis=tuple(range(weights.ndim - 1))) / 127
    return np.round(weights / step) * step


def in_half_precision(weights):
    return weights.astype("float16").astype("float32")


QUANTIZED = [
    pytest.param("int8", 0.5, in_eight_bits, marks=needs("litert", "int8")),
    pytest.param("float16", 0.6, in_half_precision, marks=[needs("litert"), pytest.mark.thorough]),
]


@pytest.mark.parametrize(("quantize", "ratio", "stored"), QUANTIZED)
def test_quantized_files_compute_with_rounded_weights(quantize, ratio, stored, tiny, tmp_path):
    model = moved(tiny("vae", units=(256,)))
    export_model(model, tmp_path / "full", "litert")
    export_model(model, tmp_path / "encoder", "litert", quantize=quantize)
    sizes = [(tmp_path / name / "encode.tflite").stat().st_size for name in ("full", "encoder")]
    assert sizes[1] < ratio * sizes[0]
    for variable in model.trainable_variables:
        variable.assign(stored(keras.ops.convert_to_numpy(variable)))
    check_outputs(model, "litert", tmp_path, 1e-4)


@needs("litert", "int8")
@pytest.mark.thorough
def test_a_trained_encoder_stays_within_a_hundredth_in_8_bits(tmp_path):
    """The figures of the guide: codes of a trained model are large, and its weights unequal."""
    data = kd.data.load("dsprites", source="rendered", image_size=32)
    model = kd.BetaVAE.for_images((32, 32, 1), 10, beta=0.5, seed=0)
    model.compile(keras.optimizers.Adam(5e-4))
    model.fit(data.batches(batch_size=32, steps=500), verbose=0)
    images = data.images(np.random.default_rng(1).choice(len(data), 256, replace=False))
    codes, expected = model.encode(images), model.reconstruct(images)
    assert np.abs(codes).max() > 2
    export_model(model, tmp_path / "encoder", "litert", quantize="int8")
    np.savez(tmp_path / "given.npz", encode_uint8=images, decode=codes)
    size = (tmp_path / "encoder" / "encode.tflite").stat().st_size
    assert size < 0.3 * 4 * model.encoder.count_params()
    lines = [
        "import numpy as np",
        FORMATS["litert"].loading[0],
        'given = np.load("given.npz")',
        'for name, key in (("encode_uint8", "image"), ("decode", "z")):',
        '    run = Interpreter(model_path=f"encoder/{name}.tflite").get_signature_runner()',
        "    np.savez(name, **run(**{key: given[name]}))",
    ]
    run_code("\n".join(lines), "litert", tmp_path)
    found = np.load(tmp_path / "encode_uint8.npz")["z_mean"]
    assert np.abs(found - codes).max() < 1e-2 * np.abs(codes).max()
    errors = np.load(tmp_path / "decode.npz")["reconstruction"] - expected
    assert np.sqrt(np.mean(errors**2)) < 1e-2 * expected.std(0).max()
    assert np.abs(errors).max() < 3e-2


@needs("litert", "int8")
@pytest.mark.thorough
def test_a_model_of_small_layers_only_keeps_its_weights(tiny, tmp_path):
    model = moved(tiny("vae"))
    export_model(model, tmp_path / "encoder", "litert", quantize="int8")
    check_outputs(model, "litert", tmp_path)


def test_what_is_missing_is_named_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(formats_module, "_is_installed", lambda name: name == "tensorflow")
    with pytest.raises(UsageError, match=r"needs openvino.*`pip install openvino`"):
        check_export(tmp_path / "encoder", "openvino")
    with pytest.raises(UsageError, match=r"needs torch.*`pip install torch`"):
        check_export(tmp_path / "encoder", "torch")
    check_export(tmp_path / "encoder", "litert")
    with pytest.raises(
        UsageError, match=r"needs ai-edge-quantizer.*`pip install ai-edge-quantizer`"
    ):
        check_export(tmp_path / "encoder", "litert", "int8")


def test_wrong_quantizations_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"float16, int8"):
        check_export(tmp_path / "encoder", "litert", "int4")
    with pytest.raises(UsageError, match="Only the format litert"):
        check_export(tmp_path / "encoder", "onnx", "float16")
