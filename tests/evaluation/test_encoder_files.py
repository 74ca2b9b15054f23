"""Encoders read from files of any framework."""

import importlib.util
import sys

import keras
import numpy as np
import pytest

from keras_devae import data
from keras_devae.errors import FailureError, UsageError
from keras_devae.evaluation import EncoderFile, evaluate

pytestmark = pytest.mark.backends


def needs(module):
    return pytest.mark.skipif(importlib.util.find_spec(module) is None, reason=f"needs {module}")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(256, size=(5, 6, 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def colours():
    """A data set whose factors are the brightness of its channels."""
    factors = np.indices((5, 6, 10)).reshape(3, -1).T
    images = np.zeros((300, 6, 4, 3), np.uint8) + (factors * 20).astype(np.uint8)[:, None, None, :]
    return data.from_arrays(images, factors, factor_names=("a", "b", "c"))


def averages(images):
    """The means of the channels, in 0..255."""
    return images.mean(axis=(1, 2))


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    inputs = keras.Input((6, 4, 3))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    file = tmp_path_factory.mktemp("keras") / "pooled.keras"
    model.save(file)
    return file


@pytest.mark.parametrize(
    "pixels, expected",
    [
        (None, lambda means: means / 255),
        ("0..255", lambda means: means),
        ("-1..1", lambda means: means / 127.5 - 1),
        ("imagenet", lambda means: (means / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ],
)
def test_a_keras_model_sees_pixels_in_the_range_asked_for(pooled, images, pixels, expected):
    encoder = EncoderFile(pooled, pixels)
    assert encoder.image_size == (6, 4)
    means, _ = encoder.encoder_posterior(images)
    np.testing.assert_allclose(means, expected(averages(images)), rtol=1e-5, atol=1e-5)


def test_scores_of_a_file_are_those_of_its_codes(pooled, colours):
    (row,) = evaluate(EncoderFile(pooled), colours, ["mig"])["layers"]
    assert row["mig.score"] == pytest.approx(1.0)


def test_grey_images_fit_an_encoder_of_three_channels(pooled, images):
    means, _ = EncoderFile(pooled).encoder_posterior(images[..., :1])
    grey = images[..., 0].mean(axis=(1, 2)) / 255
    np.testing.assert_allclose(means, np.stack([grey] * 3, axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    "shape, message",
    [((8, 8, 3), r"6x4 pixels. Received: 8x8.*image_size='6x4'"), ((6, 4, 5), "3 channels")],
)
def test_images_that_do_not_fit_are_refused(pooled, shape, message):
    with pytest.raises(UsageError, match=message):
        EncoderFile(pooled).encoder_posterior(np.zeros((2, *shape), np.uint8))


def test_several_outputs_need_a_name(tmp_path, images):
    inputs = keras.Input((6, 4, 3))
    means = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, {"codes": means, "twice": means * 2})
    model.save(tmp_path / "two.keras")
    with pytest.raises(UsageError, match=r"several outputs.*codes, twice"):
        EncoderFile(tmp_path / "two.keras").encoder_posterior(images)
    means, _ = EncoderFile(tmp_path / "two.keras", output="twice").encoder_posterior(images)
    np.testing.assert_allclose(means, averages(images) / 127.5, rtol=1e-5)


def test_a_model_of_the_package_has_its_layer_0(tmp_path, tiny, images):
    model = tiny("devae")
    images = np.random.default_rng(0).integers(256, size=(3, *model.image_shape), dtype=np.uint8)
    model.save(tmp_path / "model.keras")
    means, log_vars = EncoderFile(tmp_path / "model.keras").encoder_posterior(images)
    expected = model.posterior(images)
    np.testing.assert_allclose(means, expected[0], atol=1e-6)
    np.testing.assert_allclose(log_vars, expected[1], atol=1e-6)


def test_a_model_with_two_inputs_is_refused(tmp_path):
    inputs = [keras.Input((6, 4, 3)), keras.Input((6, 4, 3))]
    keras.Model(inputs, keras.layers.Add()(inputs)).save(tmp_path / "two.keras")
    with pytest.raises(UsageError, match="with 2 inputs"):
        EncoderFile(tmp_path / "two.keras")


@needs("torch")
@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize("suffix", [".pt2", ".pt"])
def test_a_torch_program_sees_channels_first(tmp_path, images, suffix):
    import torch

    class Pool(torch.nn.Module):
        def forward(self, pictures):
            return pictures.mean(dim=(2, 3))

    example, file = torch.zeros(2, 3, 6, 4), str(tmp_path / f"pool{suffix}")
    if suffix == ".pt2":
        free = {"pictures": {0: torch.export.Dim("batch")}}
        torch.export.save(torch.export.export(Pool(), (example,), dynamic_shapes=free), file)
        assert EncoderFile(file).image_size == (6, 4)
    else:
        torch.jit.trace(Pool(), example).save(file)
    means, _ = EncoderFile(file).encoder_posterior(images)
    np.testing.assert_allclose(means, averages(images) / 255, rtol=1e-5)


@needs("torch")
def test_a_pickled_module_is_refused(tmp_path):
    import torch

    torch.save(torch.nn.Flatten(), tmp_path / "pickled.pt")
    with pytest.raises(UsageError, match="no TorchScript program"):
        EncoderFile(tmp_path / "pickled.pt")


@needs("tensorflow")
def test_a_saved_model_with_a_batch_of_fixed_size(tmp_path, images):
    import tensorflow as tf

    module = tf.Module()
    signature = tf.TensorSpec((4, 6, 4, 3), tf.uint8, "pictures")
    module.f = tf.function(
        lambda pictures: {"means": tf.reduce_mean(tf.cast(pictures, tf.float32), (1, 2))},
        input_signature=[signature],
    )
    tf.saved_model.save(module, str(tmp_path / "saved"), {"serving_default": module.f})
    encoder = EncoderFile(tmp_path / "saved")
    assert encoder.pixels == "uint8"
    means, _ = encoder.encoder_posterior(images)
    np.testing.assert_allclose(means, averages(images), rtol=1e-5)


@needs("tensorflow")
@needs("tf2onnx")
@needs("onnxruntime")
@pytest.mark.parametrize("format", ["tf_saved_model", "onnx"])
def test_an_exported_encoder_has_the_posterior_of_its_model(tmp_path, tiny, format):
    if keras.config.backend() != "tensorflow":
        pytest.skip("exports in a process of its own")
    model = tiny("devae")
    images = np.random.default_rng(0).integers(256, size=(3, *model.image_shape), dtype=np.uint8)
    model.export_encoder(tmp_path / "encoder", format=format)
    file = tmp_path / "encoder" if format == "tf_saved_model" else tmp_path / "encoder/encode.onnx"
    encoder = EncoderFile(file)
    means, log_vars = encoder.encoder_posterior(images)
    expected = model.posterior(images)
    np.testing.assert_allclose(means, expected[0], atol=1e-5)
    np.testing.assert_allclose(log_vars, expected[1], atol=1e-5)
    assert encoder.has_posterior


def test_a_function_of_a_module_in_the_current_folder(tmp_path, monkeypatch, images):
    (tmp_path / "mine_to_score.py").write_text("def f(x):\n    return x.mean(axis=(1, 2))\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    means, _ = EncoderFile("mine_to_score:f").encoder_posterior(images)
    np.testing.assert_allclose(means, averages(images), rtol=1e-6)
    with pytest.raises(UsageError, match="The encoder mine_to_score:g does not exist"):
        EncoderFile("mine_to_score:g")


@pytest.mark.parametrize(
    "name, content, error, message",
    [
        ("gone.keras", None, UsageError, "no file"),
        ("notes.txt", b"", UsageError, r"\.keras, \.onnx, .* MODULE:FUNCTION"),
        ("broken.keras", b"PK", FailureError, "broken.keras cannot be loaded"),
    ],
)
def test_files_that_hold_no_encoder(tmp_path, name, content, error, message):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(error, match=message):
        EncoderFile(file)


@pytest.mark.parametrize(
    "names, message",
    [
        (["decode.onnx", "encode.onnx"], r"Give .*encode\.onnx"),
        (["encode.xml", "encode.bin"], "export to onnx or tf_saved_model"),
        (["config.json", "model.keras"], r"Give .*model\.keras"),
        ([], "Give the file of an encoder"),
    ],
)
def test_a_folder_of_another_kind_is_refused_with_the_file_to_give(tmp_path, names, message):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=message):
        EncoderFile(tmp_path)


def test_what_a_function_of_a_module_returns_is_checked(tmp_path, monkeypatch, images):
    (tmp_path / "mine_without_codes.py").write_text("def f(x):\n    return None\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(UsageError, match="Received: None"):
        EncoderFile("mine_without_codes:f").encoder_posterior(images)


def test_a_failure_inside_the_encoder_is_one_sentence(tmp_path, monkeypatch, images):
    (tmp_path / "mine_that_fails.py").write_text("def f(x):\n    return 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(FailureError, match=r"mine_that_fails:f failed on a batch.*division"):
        EncoderFile("mine_that_fails:f").encoder_posterior(images)


@needs("tensorflow")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="exports a SavedModel")
def test_files_of_this_package_decode(tiny, tmp_path):
    model = tiny("vae")
    model.save(tmp_path / "model.keras")
    model.export_encoder(tmp_path / "exported")
    shape = model.image_shape
    images = np.random.default_rng(0).integers(256, size=(3, *shape), dtype=np.uint8)
    expected = model.reconstruct(images)
    for name in ("model.keras", "exported"):
        encoder = EncoderFile(tmp_path / name)
        assert encoder.decodes(shape) and not encoder.decodes((*shape[:2], shape[2] + 1))
        np.testing.assert_allclose(encoder.reconstruct(images), expected, atol=1e-5)
        assert encoder.describe()["sha256"]


def test_a_foreign_encoder_does_not_decode(pooled):
    encoder = EncoderFile(pooled)
    assert not encoder.decodes((6, 4, 3))
    with pytest.raises(UsageError, match="without a decoder"):
        encoder.decode(np.zeros((1, 3)))
