"""The orthogonal Jacobian penalty of all models with a decoder."""

import json

import keras
import numpy as np
import pytest
from half_precision import needs_half_precision
from keras import ops
from thoroughness import quick_first

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.losses import GaussianLikelihood
from keras_devae.models import MODELS
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.image_model import ImageModel
from keras_devae.networks import mlp_encoder

pytestmark = pytest.mark.backends

PENALISED = [
    name
    for name, model in MODELS.items()
    if model.declaration.decodes and not model.declaration.fitted
]
QUICK = {"cascade_vae", "deft", "devae", "factor_vae", "joint_vae", "vae"}
EAGER = {"compile_options": {"run_eagerly": keras.backend.backend() != "jax"}}


def logs_of(model, images):
    history = model.fit(images, batch_size=len(images), shuffle=False, verbose=0).history
    return {name: values[0] for name, values in history.items()}


@pytest.mark.parametrize("vectors", [0, 2])
@pytest.mark.parametrize("method", quick_first(PENALISED, QUICK))
def test_the_loss_grows_by_the_weighted_penalty(tiny, blobs, to_fit, method, vectors):
    images = to_fit(method, blobs(8))
    # The codes of a ladder's upper layers move nothing before its priors have learned.
    common = {"layer_dims": (2, 1)} if method == "ladder_vae" else {}
    common |= {"learning_rate": 0.0, **EAGER}
    options = {"jacobian_penalty": 30.0, "jacobian_vectors": vectors}
    without = logs_of(tiny(method, **common), images)
    model = tiny(method, **common, **options)
    logs = logs_of(model, images)
    assert set(logs) == set(without) | {"jacobian_penalty_loss"}
    penalty = logs["jacobian_penalty_loss"]
    assert 1e-3 < penalty < 10
    assert logs["loss"] - without["loss"] == pytest.approx(30 * penalty, rel=1e-3)
    evaluated = [model.evaluate(blobs(8), verbose=0, return_dict=True) for _ in range(2)]
    assert evaluated[0] == evaluated[1]
    assert np.isfinite(list(evaluated[0].values())).all()


# A linear decoder, whose penalty is known.

MATRIX = np.random.default_rng(0).normal(size=(6, 64)).astype("float32")


def linear_decoder(width, *layers):
    codes = keras.Input((width,))
    outputs = codes
    for layer in layers:
        outputs = layer(outputs)
    outputs = keras.layers.Dense(64, name="linear")(outputs)
    decoder = keras.Model(codes, keras.layers.Reshape((8, 8, 1))(outputs))
    decoder.get_layer("linear").kernel.assign(MATRIX[:width])
    return decoder


def with_linear_decoder(method, width, *layers, **options):
    model = MODELS[method](
        mlp_encoder((8, 8, 1), latent_dim=3, units=(8,), seed=1, **options.pop("encoder", {})),
        linear_decoder(width, *layers),
        likelihood=GaussianLikelihood(output="linear"),
        seed=0,
        **options,
    )
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=keras.backend.backend() != "jax")
    return model


def closed_form(matrix):
    products = matrix.astype("float64") @ matrix.astype("float64").T
    off_diagonal = products - np.diag(np.diag(products))
    return 2 * np.square(off_diagonal).sum() / np.trace(products) ** 2


@pytest.mark.parametrize(
    ("method", "width", "options"),
    [
        ("vae", 3, {}),
        ("devae", 6, {}),
        ("devae", 6, {"objective": "summed", "layer_weight_base": 0.5}),
        ("joint_vae", 6, {"encoder": {"num_categories": 3}}),
    ],
)
def test_linear_decoders(blobs, method, width, options):
    """Only the latents count: neither the layer's vector nor the category moves."""
    exact = with_linear_decoder(method, width, **options, jacobian_penalty=1, jacobian_vectors=0)
    expected = closed_form(MATRIX[:3])
    assert logs_of(exact, blobs(8))["jacobian_penalty_loss"] == pytest.approx(expected, rel=1e-3)
    random = with_linear_decoder(method, width, **options, jacobian_penalty=1, jacobian_vectors=50)
    estimate = logs_of(random, blobs(40))["jacobian_penalty_loss"]
    assert estimate == pytest.approx(expected, rel=0.15)


def test_the_penalty_does_not_depend_on_the_scale(blobs):
    model = with_linear_decoder("vae", 3, jacobian_penalty=1, jacobian_vectors=0)
    for scale in (1e-3, 100.0):
        model.decoder.get_layer("linear").kernel.assign(scale * MATRIX[:3])
        penalty = logs_of(model, blobs(8))["jacobian_penalty_loss"]
        assert penalty == pytest.approx(closed_form(MATRIX[:3]), rel=0.01)
    model.decoder.get_layer("linear").kernel.assign(0 * MATRIX[:3])
    assert logs_of(model, blobs(8))["jacobian_penalty_loss"] == 0


def test_dropout_and_batch_normalisation_count_as_after_training(blobs):
    normalisation = keras.layers.BatchNormalization()
    layers = (keras.layers.Dropout(0.5, seed=0), normalisation)
    options = {"jacobian_penalty": 1, "jacobian_vectors": 0}
    logs = logs_of(with_linear_decoder("vae", 3, *layers, **options), blobs(8))
    # The moving variances may have moved by a hundredth already.
    assert logs["jacobian_penalty_loss"] == pytest.approx(closed_form(MATRIX[:3]), rel=0.02)
    moved = ops.convert_to_numpy(normalisation.moving_mean)
    without = keras.layers.BatchNormalization()
    logs_of(with_linear_decoder("vae", 3, keras.layers.Dropout(0.5, seed=0), without), blobs(8))
    np.testing.assert_allclose(moved, ops.convert_to_numpy(without.moving_mean), rtol=1e-5)


def test_losses_that_layers_add_count_once(blobs):
    def loss(**options):
        layer = keras.layers.ActivityRegularization(l2=1.0)
        logs = logs_of(with_linear_decoder("vae", 3, layer, **options), blobs(8))
        return logs["loss"] - logs.get("jacobian_penalty_loss", 0)

    assert loss(jacobian_penalty=1) == pytest.approx(loss(), rel=1e-5)


# Training.


def test_it_trains_the_decoder_alone(tiny, blobs):
    def weights(**options):
        model = tiny("devae", betas=(1, 2), **options)
        model.compile(keras.optimizers.SGD(1e-2))
        model.fit(blobs(8), batch_size=8, shuffle=False, verbose=0)
        parts = (model.encoder, model.decoder, model.layer_embedding)
        return [[ops.convert_to_numpy(w) for w in part.trainable_variables] for part in parts]

    encoder, decoder, vectors = weights()
    other_encoder, other_decoder, other_vectors = weights(jacobian_penalty=10.0)
    for one, other in zip(encoder + vectors, other_encoder + other_vectors, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert any(abs(a - b).max() > 1e-4 for a, b in zip(decoder, other_decoder, strict=True))


@pytest.mark.parametrize("vectors", quick_first([0, 2], [2]))
def test_training_makes_the_columns_orthogonal(tiny, blobs, vectors):
    penalties = []
    for weight in (1e-9, 100.0):
        options = {"jacobian_penalty": weight, "jacobian_vectors": vectors}
        model = tiny("vae", learning_rate=1e-2, **options)
        model.fit(blobs(16), batch_size=16, epochs=30, verbose=0)
        # Measured in the exact way, in either case.
        model.jacobian_vectors = 0
        model.compile()
        penalties.append(logs_of(model, blobs(16))["jacobian_penalty_loss"])
    assert penalties[1] < 0.3 * penalties[0]


def test_a_saved_model_resumes(tiny, blobs, tmp_path):
    images, path = blobs(8), tmp_path / "m.keras"
    how = {"batch_size": 4, "epochs": 4, "shuffle": False, "verbose": 0}
    options = {"jacobian_penalty": 5.0, "jacobian_vectors": 3, "jacobian_step": 0.2}
    model = tiny("vae", **options)

    def save(epoch, logs):
        if epoch == 1:
            model.save(path)

    saver = keras.callbacks.LambdaCallback(on_epoch_end=save)
    whole = model.fit(images, callbacks=saver, **how).history
    resumed = keras.models.load_model(path)
    config = json.loads(json.dumps(resumed.get_config()))
    assert {name: config[name] for name in options} == options
    rest = resumed.fit(images, initial_epoch=2, **how).history
    for name, shown in rest.items():
        np.testing.assert_allclose(shown, whole[name][2:], rtol=1e-6, atol=1e-6, err_msg=name)


def test_it_costs_nothing_when_off(tiny):
    model, on = tiny("vae"), tiny("vae", jacobian_penalty=1)
    assert len(on.metrics) == len(model.metrics) + 1
    assert not hasattr(model, "jacobian_directions")
    outputs = model(np.zeros((2, 8, 8, 1), "float32"))
    terms = model.loss_terms(np.zeros((2, 8, 8, 1), "float32"), outputs, training=True)
    assert model.with_jacobian_penalty(terms, outputs, training=True) is terms


@needs_half_precision
@pytest.mark.parametrize(
    "policy", quick_first(["mixed_float16", "mixed_bfloat16"], ["mixed_bfloat16"])
)
def test_half_precision(blobs, policy, float32_policy):
    def penalty(images):
        model = kd.DeVAE.for_images(
            (32, 32, 1), 3, seed=0, jacobian_penalty=1, jacobian_vectors=0, jacobian_step=1.0
        )
        model.compile(keras.optimizers.Adam(1e-3))
        logs = logs_of(model, images)
        assert np.isfinite(list(logs.values())).all()
        return logs["jacobian_penalty_loss"]

    images = blobs(4, (32, 32, 1))
    expected = penalty(images)
    keras.config.set_dtype_policy(policy)
    assert penalty(images) == pytest.approx(expected, rel=0.1)


# What is refused.


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"jacobian_penalty": -1}, "`jacobian_penalty` must be a finite number of at least 0"),
        ({"jacobian_penalty": float("nan")}, "`jacobian_penalty` must be a finite number"),
        ({"jacobian_vectors": 1}, "`jacobian_vectors` must be 0 or a whole number of at least 2"),
        ({"jacobian_step": 0}, "`jacobian_step` must be a finite number above 0"),
        ({"jacobian_penality": 1}, "Did you mean 'jacobian_penalty'"),
    ],
)
def test_wrong_options(tiny, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        tiny("devae", **options)


@pytest.mark.parametrize("method", ["ica", "pca"])
def test_models_that_are_fitted_refuse_it(tiny, method):
    with pytest.raises(UsageError, match=r"trains no decoder\. Leave `jacobian_penalty` out"):
        tiny(method, jacobian_penalty=0.1)


def test_models_without_a_decoder_refuse_it():
    class Encoder(ImageModel):
        declaration = ModelDeclaration("Encoder", "nothing", "", posterior="none", decodes=False)

    with pytest.raises(UsageError, match="Encoder trains no decoder"):
        Encoder.for_images((8, 8, 1), 3, "mlp", network_units=(8,), jacobian_penalty=0.1)
