"""JointVAE: a continuous and a categorical code, each with its capacity."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae import JointVAE
from keras_devae.errors import UsageError
from keras_devae.networks import mlp_decoder, mlp_encoder

pytestmark = pytest.mark.backends


def call(model, images, training):
    outputs = model(images, training=training)
    return {name: np.array(ops.convert_to_numpy(value)) for name, value in outputs.items()}


def with_clear_categories(model):
    """Logits far apart, so that the categories differ between the images."""
    head = model.encoder.get_layer("category_logits")
    head.kernel.assign(np.random.default_rng(0).normal(scale=2, size=head.kernel.shape))
    return model


def test_loss_is_that_of_two_capacities(tiny, blobs):
    model, images = with_clear_categories(tiny("joint_vae", capacity_steps=10)), blobs(8)
    options = {
        "gamma": 3.0,
        "capacity_max": 20.0,
        "categorical_gamma": 5.0,
        "categorical_capacity_max": 1.0,
    }
    for name, value in options.items():
        assert name in model.get_config(), value
    model = JointVAE(model.encoder, model.decoder, capacity_steps=10, **options)
    model.compile()
    model.steps.set(4)
    p = model.category_probabilities(images).astype("float64")
    assert p.max(1).min() > 0.4
    divergence = (np.log(3) + (p * np.log(np.maximum(p, 1e-30))).sum(1)).mean()
    logs = model.evaluate(images, verbose=0, return_dict=True)
    assert logs["capacity"] == pytest.approx(8)
    assert logs["categorical_capacity"] == pytest.approx(0.4)
    assert logs["categorical_kl_loss"] == pytest.approx(divergence, rel=1e-4)
    assert logs["capacity_loss"] == pytest.approx(abs(logs["kl_loss"] - 8), rel=1e-5)
    assert logs["categorical_capacity_loss"] == pytest.approx(abs(divergence - 0.4), rel=1e-4)
    expected = logs["reconstruction_loss"] + 3 * abs(logs["kl_loss"] - 8)
    assert logs["loss"] == pytest.approx(expected + 5 * abs(divergence - 0.4), rel=1e-4)


@pytest.mark.parametrize(
    ("categories", "most", "expected"),
    [(2, 1.1, np.log(2)), (3, 1.1, np.log(3)), (4, 1.1, 1.1), (4, 9.0, np.log(4))],
)
def test_capacity_of_the_category_stops_at_what_it_can_hold(
    tiny, blobs, categories, most, expected
):
    model = tiny(
        "joint_vae", num_categories=categories, categorical_capacity_max=most, capacity_steps=4
    )
    history = model.fit(blobs(8), batch_size=2, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["capacity"], [30, 40])
    np.testing.assert_allclose(
        history["categorical_capacity"], [min(0.75 * most, expected), expected], rtol=1e-6
    )


def test_relaxed_samples_in_training_and_choices_elsewhere(tiny, blobs):
    model, images = with_clear_categories(tiny("joint_vae", temperature=2.0)), blobs(200)
    first, second = (call(model, images, training=True) for _ in range(2))
    for outputs in (first, second):
        category = outputs["category"]
        np.testing.assert_allclose(category.sum(1), 1, rtol=1e-5)
        assert ((category > 0.02) & (category < 0.98)).any()
    assert (first["category"] != second["category"]).any(axis=1).all()
    elsewhere = call(model, images, training=False)
    np.testing.assert_array_equal(
        elsewhere["category"], np.eye(3)[elsewhere["category_logits"].argmax(1)]
    )
    np.testing.assert_array_equal(elsewhere["z"], elsewhere["z_mean"])
    assert len(np.unique(elsewhere["category"], axis=0)) > 1


def test_temperature_sharpens_the_samples(tiny, blobs):
    images, sharpness = blobs(100), []
    for temperature in (5.0, 0.67, 0.01):
        model = tiny("joint_vae", temperature=temperature)
        sharpness.append(call(model, images, training=True)["category"].max(1).mean())
    assert sharpness[0] < 0.6 < sharpness[1] < 0.98 < sharpness[2]


def test_probabilities_and_reconstructions(tiny, blobs):
    model, images = with_clear_categories(tiny("joint_vae")), blobs(10)
    encoded = model.encoder.predict(images / np.float32(255), verbose=0)
    weights = np.exp(encoded["category_logits"].astype("float64"))
    got = model.category_probabilities(images, batch_size=4)
    np.testing.assert_allclose(got, weights / weights.sum(1, keepdims=True), rtol=1e-5)
    chosen = encoded["category_logits"].argmax(1)
    np.testing.assert_array_equal(model.encode_categories(images), chosen)
    inputs = np.concatenate([encoded["z_mean"], np.eye(3, dtype="float32")[chosen]], axis=1)
    expected = 1 / (1 + np.exp(-model.decoder.predict(inputs, verbose=0)))
    np.testing.assert_allclose(model.reconstruct(images), expected, rtol=1e-4, atol=1e-6)


def test_samples_come_from_all_categories():
    """The decoder lights the pixel of the category."""
    encoder = mlp_encoder((1, 4, 1), 2, units=(), num_categories=4)
    decoder = mlp_decoder(6, (1, 4, 1), units=())
    decoder.layers[1].set_weights(
        [np.concatenate([np.zeros((2, 4)), 20 * np.eye(4) - 10]), np.zeros(4)]
    )
    model = JointVAE(encoder, decoder, num_categories=4)
    lit = model.sample(400, seed=0).reshape(400, 4)
    np.testing.assert_array_equal((lit > 0.5).sum(1), 1)
    # 100 are expected of each, with a standard deviation of 9.
    assert np.bincount(lit.argmax(1), minlength=4).min() > 60
    np.testing.assert_array_equal(model.sample(400, seed=0).reshape(400, 4), lit)
    assert (model.sample(400, seed=1).reshape(400, 4) != lit).any()


def test_gradient_reaches_the_head_of_the_category(tiny, blobs):
    model = tiny("joint_vae", categorical_gamma=0.0, gamma=0.0)
    head = model.encoder.get_layer("category_logits")
    before = np.array(ops.convert_to_numpy(head.kernel))
    # Through the relaxed samples and the decoder alone.
    model.compile(keras.optimizers.SGD(1e-2))
    model.train_on_batch(blobs(8))
    assert (ops.convert_to_numpy(head.kernel) != before).any()


def test_noise_of_the_samples_survives_saving(tiny, blobs, tmp_path):
    model, images = tiny("joint_vae"), blobs(6)
    model.fit(images, batch_size=3, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(
        call(loaded, images, training=True)["category"],
        call(model, images, training=True)["category"],
        rtol=1e-5,
        atol=1e-6,
    )


def test_networks_that_do_not_fit():
    decoder = mlp_decoder(5, (4, 4, 1), units=())
    with pytest.raises(UsageError, match=r"also return `category_logits` \(batch, 3\)"):
        JointVAE(mlp_encoder((4, 4, 1), 2, units=()), decoder)
    with pytest.raises(UsageError, match=r"also return `category_logits` \(batch, 3\)"):
        JointVAE(mlp_encoder((4, 4, 1), 2, units=(), num_categories=4), decoder)
    with pytest.raises(UsageError, match="5 numbers for 2 latent dimensions"):
        JointVAE(
            mlp_encoder((4, 4, 1), 2, units=(), num_categories=3),
            mlp_decoder(2, (4, 4, 1), units=()),
        )
