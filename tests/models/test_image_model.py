"""Models without a posterior, and models without a decoder: what every model can do with either."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoder_files import EncoderFile
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms

pytestmark = pytest.mark.backends

SHAPE = (8, 8, 1)
OPTIONS = {"latent_dim": 3, "network": "mlp", "network_units": (8,), "seed": 0}


@keras.saving.register_keras_serializable(package="keras_devae_tests")
class Autoencoder(ImageModel):
    declaration = ModelDeclaration("Autoencoder", "reconstruction", "", posterior="none")


@keras.saving.register_keras_serializable(package="keras_devae_tests")
class Whitened(ImageModel):
    """Makes codes uncorrelated; cannot decode them."""

    declaration = dataclasses.replace(Autoencoder.declaration, class_name="Whitened", decodes=False)
    penalty_names = ("covariance",)

    def loss_terms(self, pixels, outputs, training):
        codes = outputs["z"]
        covariance = keras.ops.matmul(keras.ops.transpose(codes), codes) / 8
        distance = keras.ops.sum(keras.ops.square(covariance - keras.ops.eye(codes.shape[1])))
        return LossTerms(penalties={"covariance": (2.0, distance)})


def trained(kind, blobs):
    model = kind.for_images(SHAPE, **OPTIONS)
    model.compile(keras.optimizers.Adam(1e-2))
    return model, model.fit(blobs(16), batch_size=8, epochs=2, verbose=0).history


def test_an_autoencoder_trains_encodes_decodes_and_samples(blobs):
    model, history = trained(Autoencoder, blobs)
    assert set(history) == {"loss", "reconstruction_loss"}
    assert history["loss"] == history["reconstruction_loss"]
    assert history["loss"][1] < history["loss"][0]
    codes = model.encode(blobs(5))
    assert codes.shape == (5, 3) and codes.std() > 0
    np.testing.assert_array_equal(model.decode(codes), model.reconstruct(blobs(5)))
    assert model.sample(2, seed=0).shape == (2, *SHAPE)
    encoded = keras.ops.convert_to_numpy(model.encoder_model()(blobs(5)))
    np.testing.assert_allclose(encoded, codes, atol=1e-6)
    assert set(model.encoder_model(all_outputs=True)(blobs(5))) == {"z_mean"}


def test_an_encoder_trains_and_encodes(blobs):
    model, history = trained(Whitened, blobs)
    assert set(history) == {"loss", "covariance_loss"}
    assert history["loss"] == pytest.approx([2 * value for value in history["covariance_loss"]])
    assert model.encode(blobs(5)).shape == (5, 3)
    assert model.decoder is None


@pytest.mark.parametrize("kind", [Autoencoder, Whitened])
def test_what_there_is_no_posterior_for_is_refused(kind, blobs):
    model = kind.for_images(SHAPE, **OPTIONS)
    with pytest.raises(UsageError, match="no log-variances"):
        model.posterior(blobs(2))
    with pytest.raises(UsageError, match="no log-variances"):
        model.encode(blobs(2), sample=True)


@pytest.mark.parametrize(
    "call",
    [
        lambda model, images: model.decode(np.zeros((1, 3))),
        lambda model, images: model.reconstruct(images),
        lambda model, images: model.sample(1),
    ],
)
def test_what_there_is_no_decoder_for_is_refused(call, blobs):
    with pytest.raises(UsageError, match="Whitened has no decoder"):
        call(Whitened.for_images(SHAPE, **OPTIONS), blobs(2))


def test_a_decoder_cannot_be_chosen_for_a_model_without_one():
    with pytest.raises(UsageError, match="has no decoder"):
        Whitened.for_images(SHAPE, decoder="broadcast")


@pytest.mark.parametrize("kind", [Autoencoder, Whitened])
def test_both_are_saved_and_resume(kind, blobs, tmp_path):
    model, _ = trained(kind, blobs)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.encode(blobs(5)), model.encode(blobs(5)))
    losses = [each.fit(blobs(16), shuffle=False, verbose=0).history for each in (model, again)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("kind", [Autoencoder, Whitened])
def test_both_are_evaluated(kind, blobs):
    model, _ = trained(kind, blobs)
    factors = np.indices((4, 4)).reshape(2, 16).T
    data = kd.data.from_arrays(blobs(16), factors)
    scores = kd.evaluation.evaluate(model, data, images=16)["layers"][0]
    assert "mig.score" in scores
    assert not any(name.startswith(("kl.", "active_variables.")) for name in scores)
    reconstructs = any(name.startswith("reconstruction_error.") for name in scores)
    assert reconstructs == model.declaration.decodes
    latents = kd.evaluation.measure_latents(model, data)
    assert not latents.has_posterior and len(latents.active) == 3
    with pytest.raises(UsageError, match="log-variances"):
        kd.evaluation.evaluate(model, data, ("kl",))


@pytest.mark.parametrize("kind", [Autoencoder, Whitened])
def test_both_are_exported(kind, blobs, tmp_path):
    formats = {"tensorflow": "tf_saved_model", "jax": None, "torch": "torch"}
    if (format := formats[keras.backend.backend()]) is None:
        pytest.skip("JAX exports with TensorFlow or jax2onnx beside it")
    model, _ = trained(kind, blobs)
    model.export_encoder(tmp_path / "encoder", format)
    file = tmp_path / "encoder" / "encode.pt2" if format == "torch" else tmp_path / "encoder"
    encoder = EncoderFile(file)
    np.testing.assert_allclose(encoder.encode(blobs(5)), model.encode(blobs(5)), atol=1e-5)
    assert not encoder.has_posterior
