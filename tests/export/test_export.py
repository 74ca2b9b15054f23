"""The exported encoder and decoder, loaded by TensorFlow or ONNX Runtime alone."""

import importlib.util
import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from half_precision import needs_half_precision
from keras import ops
from thoroughness import quick_first

import keras_devae as kd
from keras_devae.backend.tensorflow import load_saved_model
from keras_devae.errors import FailureError, UsageError

pytestmark = pytest.mark.backends


def missing(*packages):
    return [name for name in packages if importlib.util.find_spec(name) is None]


needs_tensorflow = pytest.mark.skipif(bool(missing("tensorflow")), reason="needs TensorFlow")
needs_onnx = pytest.mark.skipif(
    bool(missing("onnxruntime", "onnx")) or all(map(missing, ("tf2onnx", "torch", "jax2onnx"))),
    reason="needs the onnx extra",
)

# Runs where neither keras nor keras_devae can be imported.
READ_SAVED_MODEL = """
import json, sys
sys.modules["keras"] = sys.modules["keras_devae"] = None
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
given = np.load(sys.argv[2])
out = {}
for count in (1, 7):
    x = tf.constant(given["x"][:count])
    for name in ("encode", "encode_all_layers", "reconstruct"):
        for key, value in getattr(model, name)(x).items():
            out[f"{name}.{key}.{count}"] = value.numpy()
    out[f"decode.reconstruction.{count}"] = model.decode(tf.constant(given["z"][:count]))[
        "reconstruction"
    ].numpy()
out["again"] = model.encode(tf.constant(given["x"]))["z_mean"].numpy()
signatures = {
    name: sorted(f.structured_input_signature[1]) + sorted(f.structured_outputs)
    for name, f in model.signatures.items()
}
print(json.dumps(signatures))
np.savez(sys.argv[3], **out)
"""


def make_model():
    model = kd.DeVAE.for_images((32, 32, 1), latent_dim=4, betas=(1, 5, 20), seed=3)
    rng = np.random.default_rng(0)
    model.stack.mean_log_scale.assign(rng.normal(0, 0.3, (2, 4)))
    model.stack.std_log_scale.assign(rng.normal(0, 0.3, (2, 4)))
    images = rng.random((7, 32, 32, 1), dtype=np.float32)
    return model, images


def expected_outputs(model, images):
    mean, log_var = model.posterior(images)
    means, log_vars = model.posterior(images, layer=None)
    return {
        "encode.z_mean": mean,
        "encode.z_log_var": log_var,
        "encode_all_layers.z_mean": means.transpose(1, 0, 2),
        "encode_all_layers.z_log_var": log_vars.transpose(1, 0, 2),
        "decode.reconstruction": model.decode(mean),
        "reconstruct.reconstruction": model.reconstruct(images),
    }


@needs_tensorflow
def test_saved_model_equals_the_live_model_without_keras(tmp_path):
    model, images = make_model()
    model.export_encoder(tmp_path / "encoder")
    np.savez(tmp_path / "given.npz", x=images, z=model.encode(images))
    result = subprocess.run(
        [sys.executable, "-c", READ_SAVED_MODEL, "encoder", "given.npz", "out.npz"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    out = np.load(tmp_path / "out.npz")
    for name, value in expected_outputs(model, images).items():
        np.testing.assert_allclose(out[f"{name}.7"], value, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(out[f"{name}.1"], value[:1], atol=1e-5, err_msg=name)
    np.testing.assert_array_equal(out["again"], out["encode.z_mean.7"])
    signatures = json.loads(result.stdout.splitlines()[-1])
    assert signatures["encode"] == ["image", "z_log_var", "z_mean"]
    assert signatures["serving_default"] == signatures["encode"]
    assert signatures["decode"] == ["z", "reconstruction"]


@needs_tensorflow
def test_another_layer_can_be_exported(tmp_path, caplog):
    (model, images), layer = make_model(), 2
    with caplog.at_level("INFO", logger="tensorflow"):
        model.export_encoder(tmp_path / "encoder", layer=layer)
    assert not caplog.records
    exported = load_saved_model(tmp_path / "encoder")
    mean, log_var = model.posterior(images, layer)
    for name, value in {"z_mean": mean, "z_log_var": log_var}.items():
        np.testing.assert_allclose(exported.encode(images)[name], value, atol=1e-5)
    for found in (exported.decode(mean), exported.reconstruct(images)):
        expected = model.reconstruct(images, layer)
        np.testing.assert_allclose(found["reconstruction"], expected, atol=1e-5)
    assert not np.allclose(mean, model.encode(images), atol=1e-3)


def test_a_layer_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"layers 0 to 2\. Received: 3"):
        make_model()[0].export_encoder(tmp_path / "encoder", layer=3)
    assert not list(tmp_path.iterdir())


def test_a_better_layer_than_the_exported_one_is_named(tmp_path, tiny, monkeypatch):
    written = []
    monkeypatch.setattr("keras_devae.export.export_model", lambda *given: written.append(given))
    model, losses = tiny("devae"), (309.6, 258.8, 271.8)
    model.export_encoder(tmp_path / "untrained")  # warnings are errors here
    for tracker, loss in zip(model.layer_trackers[::2], losses, strict=True):
        tracker.update_state(loss, sample_weight=8)
    assert model.layer_losses() == pytest.approx(dict(enumerate(losses)))
    with pytest.warns(UserWarning, match=r"309\.6 / 258\.8 / 271\.8 nats.*layer=1"):
        model.export_encoder(tmp_path / "first")
    model.export_encoder(tmp_path / "best", layer=1)
    assert [layer for *_, layer, _ in written] == [0, 0, 1]


# The last line of each is README's own: nothing keeps the loaded object.
READ_DTYPES = """
import sys
sys.modules["keras"] = sys.modules["keras_devae"] = None
import numpy as np, tensorflow as tf
images, out = np.load(sys.argv[2]), {}
for name in ("encode", "encode_all_layers", "reconstruct"):
    for dtype in ("uint8", "int32", "int64", "float32", "float64"):
        given = (images / 255).astype(dtype) if dtype.startswith("float") else images.astype(dtype)
        read = lambda: getattr(tf.saved_model.load(sys.argv[1]), name)
        out[f"{name}.{dtype}"] = [value.numpy() for value in read()(given).values()][-1]
out["codes"] = tf.saved_model.load(sys.argv[1]).encode(images)["z_mean"].numpy()
np.savez(sys.argv[3], **out)
"""


@needs_tensorflow
def test_a_fresh_process_encodes_every_dtype_in_one_line(tmp_path):
    model, _ = make_model()
    images = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 1), dtype=np.uint8)
    model.export_encoder(tmp_path / "encoder")
    np.save(tmp_path / "images.npy", images)
    result = subprocess.run(
        [sys.executable, "-c", READ_DTYPES, "encoder", "images.npy", "out.npz"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    means, log_vars = model.posterior(images, layer=None)
    # Of `z_log_var` and `z_mean`, one or the other comes last.
    expected = {
        "encode": (means[0], log_vars[0]),
        "encode_all_layers": (means.transpose(1, 0, 2), log_vars.transpose(1, 0, 2)),
        "reconstruct": (model.reconstruct(images),),
    }
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_allclose(out["codes"], means[0], atol=1e-5)
        for key in set(out) - {"codes"}:
            close = [
                np.allclose(out[key], value, atol=1e-5) for value in expected[key.split(".")[0]]
            ]
            assert any(close), key


def unfit_rows(dtype):
    """Five images of which the model takes the first and the last."""
    images = np.random.default_rng(2).integers(2, 256, (5, 32, 32, 1))
    if dtype == "float32":
        images = (images / 255).astype("float32")
        images[1, 3, 3], images[2, 0, 0], images[3, 5, 5] = 1.5, np.nan, -0.1
        return images
    images[1, 3, 3], images[2, 0, 0], images[3, 5, 5] = 256, -1, 300
    if dtype == "int64":
        images[3, 5, 5] = 2**32 + 5
    return images.astype(dtype)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Models by likelihood, and their SavedModels."""
    made = {}
    linear = kd.losses.GaussianLikelihood(output="linear")
    for name, likelihood in {"bernoulli": "bernoulli", "gaussian": linear}.items():
        model = kd.DeVAE.for_images((32, 32, 1), 2, "mlp", likelihood=likelihood, seed=0)
        folder = tmp_path_factory.mktemp("exported") / name
        model.export_encoder(folder)
        made[name] = model, load_saved_model(folder), folder
    return made


@needs_tensorflow
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "int16"])
@pytest.mark.parametrize("name", ["encode", "encode_all_layers", "reconstruct"])
def test_what_the_model_would_refuse_gives_nan(exported, name, dtype):
    model, loaded, _ = exported["bernoulli"]
    images = unfit_rows(dtype)
    fit = [0, 4]
    codes = model.encode(images[fit])
    for key, values in getattr(loaded, name)(images).items():
        values = values.numpy()
        assert np.isnan(values[1:4]).all() and np.isfinite(values[fit]).all(), key
    if name == "encode":
        np.testing.assert_allclose(loaded.encode(images)["z_mean"].numpy()[fit], codes, atol=1e-5)


@needs_tensorflow
def test_the_gaussian_likelihood_takes_floats_of_any_range(exported):
    model, loaded, _ = exported["gaussian"]
    integers = np.random.default_rng(3).integers(0, 256, (4, 32, 32, 1), dtype=np.uint8)
    floats = integers.astype("float32") - 100
    for images in (integers, floats, integers.astype("int64")):
        codes = loaded.encode(images)["z_mean"].numpy()
        np.testing.assert_allclose(codes, model.encode(images), rtol=1e-4, atol=1e-4)
    floats[1, 0, 0], floats[2, 0, 0] = np.nan, np.inf
    codes = loaded.encode(floats)["z_mean"].numpy()
    assert np.isnan(codes[1:3]).all() and np.isfinite(codes[[0, 3]]).all()


@needs_tensorflow
def test_signatures_of_integers_and_floats(exported):
    """A signature casts NumPy arrays, which must not give wrong codes."""
    model, loaded, _ = exported["bernoulli"]
    images = np.random.default_rng(3).integers(2, 256, (4, 32, 32, 1), dtype=np.uint8)
    assert np.isnan(loaded.signatures["encode"](image=images)["z_mean"].numpy()).all()
    codes = loaded.signatures["encode_uint8"](image=images)["z_mean"].numpy()
    np.testing.assert_allclose(codes, model.encode(images), atol=1e-5)
    pixels = (images / 255).astype("float32")
    again = loaded.signatures["serving_default"](image=pixels)["z_mean"].numpy()
    np.testing.assert_allclose(again, codes, atol=1e-5)


@needs_tensorflow
@pytest.mark.parametrize("dtype", ["bool", "complex64", "str"])
def test_other_dtypes_are_refused(exported, dtype):
    _, loaded, _ = exported["bernoulli"]
    with pytest.raises((ValueError, TypeError)):
        loaded.encode(np.zeros((2, 32, 32, 1)).astype(dtype))


@needs_tensorflow
def test_codes_that_are_not_finite_decode_to_nan(exported):
    model, loaded, _ = exported["bernoulli"]
    z = np.array([[0.5, 1], [np.nan, 0], [np.inf, 1]])
    pixels = loaded.decode(z)["reconstruction"].numpy()
    np.testing.assert_allclose(pixels[:1], model.decode(z[:1]), atol=1e-5)
    assert np.isnan(pixels[1:]).all()
    with pytest.raises(UsageError, match=r"all finite.*in row 1"):
        model.decode(z)


@needs_onnx
def test_onnx_refuses_integers_and_gives_nan(tmp_path):
    import onnxruntime

    model = kd.DeVAE.for_images((32, 32, 1), 2, "mlp", seed=0)
    model.export_encoder(tmp_path / "encoder", format="onnx")
    for name in ("encode", "reconstruct"):
        session = onnxruntime.InferenceSession(tmp_path / "encoder" / f"{name}.onnx")
        with pytest.raises(Exception, match="Unexpected input data type"):
            session.run(None, {"image": np.zeros((1, 32, 32, 1), np.uint8)})
        values = session.run(
            ["z_mean" if name == "encode" else "reconstruction"], {"image": unfit_rows("float32")}
        )[0]
        assert np.isnan(values[1:4]).all() and np.isfinite(values[[0, 4]]).all()


@needs_tensorflow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.thorough
def test_litert_refuses_integers_and_gives_nan(exported):
    import tensorflow

    model, _, folder = exported["bernoulli"]
    keys = ["encode", "encode_uint8"]
    converter = tensorflow.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=keys)
    interpreter = tensorflow.lite.Interpreter(model_content=converter.convert())
    encode, encode_uint8 = map(interpreter.get_signature_runner, keys)
    codes = encode(image=unfit_rows("float32"))["z_mean"]
    assert np.isnan(codes[1:4]).all() and np.isfinite(codes[[0, 4]]).all()
    images = np.random.default_rng(3).integers(2, 256, (4, 32, 32, 1), dtype=np.uint8)
    with pytest.raises(ValueError, match="UINT8"):
        encode(image=images)
    codes = encode_uint8(image=images)["z_mean"]
    np.testing.assert_allclose(codes, model.encode(images), atol=1e-5)


def test_the_encoder_inside_another_model(blobs):
    """As README shows it: `encode` divides by 255, the encoder itself does not."""
    model = kd.DeVAE.for_images((32, 32, 1), 3, "mlp", seed=0)
    inputs = keras.Input((32, 32, 1), dtype="uint8")
    pixels = keras.layers.Rescaling(1 / 255)(inputs)
    codes = model.encoder(pixels)["z_mean"]
    classifier = keras.Model(inputs, [codes, keras.layers.Dense(4, activation="softmax")(codes)])
    images = blobs(6, (32, 32, 1))
    np.testing.assert_allclose(
        classifier.predict(images, verbose=0)[0], model.encode(images), atol=1e-5
    )


SIBLINGS = [
    "joint_vae",
    "devae_parallel",
    "factor_vae",
    "deft",
    "devae_linear",
    "cascade_vae",
    "cascade_vae before the matching stage",
    "flow_vae",
    "ladder_vae",
    "pca",
]
# The conversion from the other backends is slow, and the same for every model.
SIBLINGS = SIBLINGS if keras.backend.backend() == "tensorflow" else SIBLINGS[:2]


@needs_tensorflow
@pytest.mark.parametrize("method", quick_first(SIBLINGS, SIBLINGS[:2]))
def test_saved_models_of_the_siblings(tiny, blobs, tmp_path, method):
    name, _, early = method.partition(" ")
    model, images = tiny(name), blobs(7)
    rng = np.random.default_rng(0)
    for layer in ("stack", "scaling"):
        for weight in getattr(getattr(model, layer, None), "trainable_variables", ()):
            weight.assign(ops.convert_to_numpy(weight) + rng.normal(0, 0.3, weight.shape))
    model.fit(images, verbose=0)
    if name == "cascade_vae" and not early:
        model.steps.set(100)
    model.export_encoder(tmp_path / "encoder")
    exported = load_saved_model(tmp_path / "encoder")
    pixels = images.astype("float32") / 255

    for count in (1, 7):
        mean = model.encode(images[:count])
        encoded = {k: v.numpy() for k, v in exported.encode(pixels[:count]).items()}
        np.testing.assert_allclose(encoded.pop("z_mean"), mean, atol=1e-5)
        if model.has_posterior:
            log_var = model.posterior(images[:count])[1]
            np.testing.assert_allclose(encoded.pop("z_log_var"), log_var, atol=1e-5)
        if model.num_categories:
            probabilities = encoded.pop("category_probabilities")
            np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
            np.testing.assert_allclose(
                probabilities, model.category_probabilities(images[:count]), atol=1e-4
            )
        assert encoded == {}
        means = model.encode(images[:count], layer=None)
        np.testing.assert_allclose(
            exported.encode_all_layers(pixels[:count])["z_mean"].numpy(),
            means.transpose(1, 0, 2),
            atol=1e-5,
        )
        np.testing.assert_allclose(
            exported.reconstruct(pixels[:count])["reconstruction"].numpy(),
            model.reconstruct(images[:count]),
            atol=1e-5,
        )

    z = codes = rng.normal(size=(7, model.latent_dim)).astype("float32")
    expected = model.decode(codes)
    if model.num_categories:
        categories = np.arange(7) % model.num_categories
        z = np.concatenate([codes, np.eye(model.num_categories)[categories]], axis=1)
        first, expected = expected, model.decode(codes, categories=categories)
        assert (first != expected).any() != bool(early)
    decoded = exported.decode(z.astype("float32"))["reconstruction"]
    np.testing.assert_allclose(decoded.numpy(), expected, atol=1e-5)


@needs_onnx
def test_onnx_equals_the_live_model(tmp_path):
    import onnxruntime

    model, images = make_model()
    model.export_encoder(tmp_path / "encoder", format="onnx")
    expected = expected_outputs(model, images)
    for endpoint in ("encode", "encode_all_layers", "decode", "reconstruct"):
        session = onnxruntime.InferenceSession(tmp_path / "encoder" / f"{endpoint}.onnx")
        (entry,) = session.get_inputs()
        given = model.encode(images) if endpoint == "decode" else images
        for count in (1, 7):
            values = session.run(None, {entry.name: given[:count]})
            for output, value in zip(session.get_outputs(), values, strict=True):
                reference = expected[f"{endpoint}.{output.name}"][:count]
                np.testing.assert_allclose(value, reference, atol=1e-5)


@pytest.fixture
def half_precision_model(float32_policy):
    """A model in mixed precision, and the same one in float32."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    model, images = make_model()
    keras.config.set_dtype_policy("float32")
    in_full, _ = make_model()
    return model, in_full, images


@needs_tensorflow
@needs_half_precision
def test_what_was_trained_in_mixed_precision_is_exported_in_float32(half_precision_model, tmp_path):
    model, in_full, images = half_precision_model
    model.export_encoder(tmp_path / "encoder")
    exported = load_saved_model(tmp_path / "encoder")
    codes, expected = exported.encode(images)["z_mean"].numpy(), in_full.encode(images)
    np.testing.assert_allclose(codes, expected, atol=1e-5)
    assert np.abs(model.encode(images) - expected).max() > 1e-5
    assert model.dtype_policy.name == "mixed_bfloat16"


@needs_onnx
@needs_half_precision
def test_onnx_of_mixed_precision(half_precision_model, tmp_path):
    import onnxruntime

    model, in_full, images = half_precision_model
    model.export_encoder(tmp_path / "encoder", format="onnx")
    session = onnxruntime.InferenceSession(tmp_path / "encoder" / "reconstruct.onnx")
    (reconstruction,) = session.run(None, {"image": images})
    np.testing.assert_allclose(reconstruction, in_full.reconstruct(images), atol=1e-5)


@pytest.mark.skipif(not missing("tensorflow"), reason="TensorFlow is installed")
def test_without_tensorflow_one_sentence_says_what_is_needed(tmp_path):
    model, _ = make_model()
    with pytest.raises(UsageError, match=r"needs tensorflow.*pip install tensorflow"):
        model.export_encoder(tmp_path / "encoder")
    assert list(tmp_path.iterdir()) == []


def test_wrong_formats_and_taken_folders_are_refused(tmp_path):
    model, _ = make_model()
    with pytest.raises(UsageError, match="tf_saved_model"):
        model.export_encoder(tmp_path / "encoder", format="saved_model")
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="exists"):
        model.export_encoder(tmp_path / "taken")


@needs_tensorflow
def test_a_failed_conversion_leaves_nothing_behind(tmp_path, monkeypatch):
    from keras_devae.export import exporting

    def fail(*arguments):
        raise FailureError("no space left")

    for name in ("_write", "_write_in_other_process"):
        monkeypatch.setattr(exporting, name, fail)
    with pytest.raises(FailureError):
        make_model()[0].export_encoder(tmp_path / "encoder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="other backends only")
def test_training_never_imports_tensorflow(tmp_path):
    """Two frameworks that each take the whole GPU do not get on."""
    code = (
        "import sys, numpy as np, keras, keras_devae as kd\n"
        "model = kd.VAE.for_images((32, 32, 1), latent_dim=2)\n"
        "model.compile('adam')\n"
        "data = kd.data.load('dsprites', source='rendered', image_size=32)\n"
        "model.fit(data.batches(batch_size=4, steps=2), verbose=0)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@needs_tensorflow
@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="other backends only")
def test_saving_hides_the_gpu_from_tensorflow(tmp_path, monkeypatch):
    import tensorflow

    calls = []
    monkeypatch.setattr(
        tensorflow.config, "set_visible_devices", lambda *given: calls.append(given)
    )
    make_model()[0].save(tmp_path / "model.keras")
    assert calls == [([], "GPU")]


def encoded_file(picture, suffix, **options):
    buffer = io.BytesIO()
    picture.save(buffer, suffix, **options)
    return buffer.getvalue()


@needs_tensorflow
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_of_files_give_the_codes_of_their_pixels(channels, tmp_path):
    from PIL import Image

    model = kd.VAE.for_images((16, 24, channels), 2, "mlp", network_units=(8,), seed=0)
    model.export_encoder(tmp_path / "encoder")
    rng = np.random.default_rng(0)
    # Smooth enough for JPEG, and so that resizing by two ways agrees.
    small = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
    picture = small.resize((24, 16), Image.Resampling.BICUBIC)
    given = [picture, picture.convert("L"), picture.convert("P"), picture]
    files = [encoded_file(each, "PNG") for each in given[:3]] + [encoded_file(picture, "JPEG")]
    (tmp_path / "pictures").mkdir()
    for number, content in enumerate(files):
        name = f"{number}.{'jpg' if number == 3 else 'png'}"
        (tmp_path / "pictures" / name).write_bytes(content)
    read = kd.data.load(f"folder:{tmp_path / 'pictures'}", image_size=(16, 24))
    images = read.images(range(4))
    if images.shape[-1] != channels:
        images = np.stack(
            [np.asarray(Image.fromarray(image).convert("L"))[..., None] for image in images]
        )
    loaded = load_saved_model(tmp_path / "encoder")
    codes = loaded.encode_bytes(np.array(files, object))["z_mean"].numpy()
    np.testing.assert_allclose(codes, model.encode(images), atol=1e-5)
    by_signature = loaded.signatures["encode_bytes"](image_bytes=np.array(files[:1], object))
    np.testing.assert_allclose(by_signature["z_mean"].numpy(), codes[:1], atol=1e-6)
    # Twice as large, with margins left and right: cropped, then resized.
    wide = Image.new("RGB", (96, 32))
    wide.paste(small.resize((48, 32), Image.Resampling.BICUBIC), (24, 0))
    resized = loaded.encode_bytes(np.array([encoded_file(wide, "PNG")], object))["z_mean"].numpy()
    assert np.abs(resized - codes[:1]).max() < 0.05 * np.abs(codes[:1]).max() + 0.02
