"""Training in half precision: heads, samples and losses stay float32."""

import keras
import numpy as np
import pytest
from half_precision import needs_half_precision
from keras import ops
from thoroughness import quick_first

from keras_devae.models import MODELS

pytestmark = [pytest.mark.backends, needs_half_precision]

SHAPE = (32, 32, 1)
METHODS = ("devae",)
POLICIES = ("mixed_float16", "mixed_bfloat16")
TRAINED = [method for method in MODELS if method not in ("ica", "pca")]
#: What makes each term count for about as much as the others in these small images.
BALANCED = {
    "ada_gvae": {},
    "annealed_vae": {"gamma": 2, "capacity_max": 4, "capacity_steps": 100},
    "beta_tc_vae": {"beta": 2},
    "beta_vae": {"beta": 2},
    "cascade_vae": {"beta_max": 2, "stage_steps": 20, "matching_stage": 1},
    "cascade_vae_c": {"beta_max": 2, "stage_steps": 20},
    "control_vae": {"kl_target": 4, "kl_target_steps": 100},
    "deft": {"betas": (4, 2, 1), "stage_steps": 30},
    **{method: {"betas": (0.5, 1, 2)} for method in ("devae", "devae_linear", "devae_parallel")},
    "devae_single": {"betas": (0.5, 1, 2)},
    "dip_vae": {"lambda_od": 1},
    "dynamic_vae": {"kl_target": 4, "kl_target_steps": 100, "beta_init": 2},
    "factor_vae": {"gamma": 2},
    "flow_vae": {"flow": "iaf", "flow_units": (8, 8)},
    "hf_vae": {"between_group_weight": 2},
    "joint_vae": {"gamma": 2, "categorical_gamma": 2, "capacity_steps": 1000},
    "ladder_vae": {"kl_warmup_steps": 50},
}


def first_step(method, images):
    model = MODELS[method].for_images(SHAPE, latent_dim=2, seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    history = model.fit(images, batch_size=4, verbose=0).history
    return model, {name: values[0] for name, values in history.items()}


@pytest.fixture(scope="module")
def float32_logs(blobs):
    return {method: first_step(method, blobs(4, SHAPE))[1] for method in METHODS}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("method", METHODS)
def test_first_loss_is_that_of_float32(float32_logs, blobs, method, policy, float32_policy):
    expected = float32_logs[method]
    keras.config.set_dtype_policy(policy)
    model, logs = first_step(method, blobs(4, SHAPE))
    assert model.encoder.layers[1].compute_dtype == policy.removeprefix("mixed_")
    for name in ("loss", "reconstruction_loss"):
        assert logs[name] == pytest.approx(expected[name], rel=0.01)
    assert logs["kl_loss"] == pytest.approx(expected["kl_loss"], rel=0.1)
    assert all(np.isfinite(ops.convert_to_numpy(w)).all() for w in model.weights)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("method", quick_first(TRAINED, {"devae", "factor_vae"}))
def test_everything_but_the_hidden_layers_is_float32(
    tiny, blobs, to_fit, method, policy, float32_policy
):
    keras.config.set_dtype_policy(policy)
    matching = {"matching_stage": 0} if method == "cascade_vae" else {}
    model = tiny(method, **matching)
    for network in model.networks:
        assert policy.removeprefix("mixed_") in {layer.compute_dtype for layer in network.layers}
    images = blobs(4).astype("float32") / 255
    given = to_fit(method, images)
    outputs = model(given, training=True)
    terms = model.loss_terms(model.pixels(given), outputs, training=True)
    state = {name: value for name, value in terms.state.items() if name != "stage"}
    tensors = [
        *outputs.values(),
        terms.total,
        *(term for term in (terms.reconstruction, terms.kl) if term is not None),
        *(value for _, value in terms.penalties.values()),
        *state.values(),
        *terms.opponents.values(),
    ]
    assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in tensors} == {"float32"}
    assert {weight.dtype for weight in model.trainable_variables} == {"float32"}
    assert model.encode(images).dtype == np.float32
    dtypes = {values.dtype for values in model.predict(images, verbose=0).values()}
    assert dtypes == {np.dtype("float32")}


def losses_of_100_steps(model, images):
    """Means over the last 25 of 100 steps of 4 images."""
    history = model.fit(images, batch_size=4, epochs=4, shuffle=False, verbose=0).history
    # In float16 the first steps may be skipped, until the scale of the loss fits.
    assert 95 <= int(model.optimizer.iterations) <= 100
    return {name: values[-1] for name, values in history.items()}


#: Their terms are the same as others'; only the options differ.
ALIKE = (
    "annealed_vae",
    "beta_vae",
    "cascade_vae_c",
    "devae_linear",
    "devae_parallel",
    "devae_single",
    "dynamic_vae",
)


#: At 1e-3, weights that differ by a thousandth end at losses that differ by 3 % and 11 %, in
#: float32 too; at 1e-4, by less than 0.4 %.
SLOW_RATE = {"byol": 1e-4, "predictability_minimization": 1e-4}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "method",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in ALIKE)) for name in TRAINED],
)
def test_training_is_that_of_float32(tiny, blobs, to_fit, method, float32_policy):
    images, options = to_fit(method, blobs(100)), BALANCED.get(method, {})
    options = {"learning_rate": SLOW_RATE.get(method, 1e-3), **options}
    expected = losses_of_100_steps(tiny(method, **options), images)
    for policy in POLICIES:
        keras.config.set_dtype_policy(policy)
        got = losses_of_100_steps(tiny(method, **options), images)
        assert got["loss"] == pytest.approx(expected["loss"], rel=0.02), policy


@pytest.mark.parametrize("method", quick_first(TRAINED, {"devae", "factor_vae"}))
def test_training_goes_on_in_the_same_precision(
    tiny, blobs, to_fit, method, float32_policy, tmp_path
):
    """A process that resumes has the global policy of every new one, float32."""
    images = to_fit(method, blobs(16))
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = tiny(method)
    model.compile(keras.optimizers.Adam(1e-3))
    model.train_on_batch(images[:8])
    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, loaded):
        one.train_on_batch(images[8:])
    for one, other in zip(model.variables, loaded.variables, strict=True):
        arrays = (keras.ops.convert_to_numpy(variable) for variable in (one, other))
        np.testing.assert_array_equal(*arrays, err_msg=one.path)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["beta_tc_vae", "cascade_vae", "deft", "devae", "factor_vae"])
def test_convolutional_training_is_that_of_float32(blobs, method, float32_policy):
    images, options = blobs(100, SHAPE), dict(BALANCED[method])
    if method == "factor_vae":
        options["discriminator_units"] = (50, 50)

    def train():
        model = MODELS[method].for_images(SHAPE, latent_dim=3, seed=0, **options)
        # At 1e-3 these trainings are chaotic: weights that differ by a thousandth part end up at
        # losses that differ by as much as 8 %, in float32 too.
        optimizer = keras.optimizers.Adam(1e-4)
        if keras.config.dtype_policy().name == "mixed_float16":
            # A scale that fits from the start, so that no step is skipped.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, 16.0)
        model.compile(optimizer)
        return losses_of_100_steps(model, images)

    expected = train()
    for policy in POLICIES:
        keras.config.set_dtype_policy(policy)
        assert train()["loss"] == pytest.approx(expected["loss"], rel=0.02), policy


def test_the_policy_survives_saving(blobs, tmp_path, float32_policy):
    keras.config.set_dtype_policy("mixed_bfloat16")
    images = blobs(4, SHAPE)
    model, _ = first_step("devae", images)
    model.save(tmp_path / "m.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.encoder.layers[1].compute_dtype == "bfloat16"
    np.testing.assert_allclose(loaded.encode(images), model.encode(images), atol=1e-6)


def test_float16_finds_and_keeps_its_loss_scale(tiny, blobs, tmp_path, float32_policy):
    """A scale whose gradients overflow is halved, a skipped step each, until it fits."""
    keras.config.set_dtype_policy("mixed_float16")
    model = tiny("vae", image_shape=SHAPE, learning_rate=1e-2)
    optimizer = keras.optimizers.LossScaleOptimizer(model.optimizer.inner_optimizer, 2.0**20)
    model.compile(optimizer)
    losses = model.fit(blobs(4, SHAPE), batch_size=4, epochs=14, verbose=0).history["loss"]
    assert 0 < int(model.optimizer.iterations) < 14
    assert losses[-1] < losses[0]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    pairs = zip(model.optimizer.variables, loaded.optimizer.variables, strict=True)
    for saved, restored in pairs:
        np.testing.assert_array_equal(ops.convert_to_numpy(saved), ops.convert_to_numpy(restored))


def test_both_optimizers_of_factor_vae_share_the_loss_scale(tiny, blobs, tmp_path, float32_policy):
    keras.config.set_dtype_policy("mixed_float16")
    images = blobs(8)
    model = tiny("factor_vae", gamma=2)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3), 2.0**24)
    model.compile(scaled)
    before = [w.copy() for w in model.get_weights()]
    model.fit(images, batch_size=2, epochs=10, verbose=0)
    done = int(model.optimizer.iterations)
    assert 0 < done < 40  # The scale is too large at first.
    both = model.optimizer.inner_optimizer.optimizers
    assert model.discriminator_optimizer in both and len(both) == 2
    assert [int(optimizer.iterations) for optimizer in both] == [done, done]
    for weight, old in zip(model.weights, before, strict=True):
        new = ops.convert_to_numpy(weight)
        assert not weight.trainable or not np.array_equal(new, old), weight.path
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    restored = loaded.optimizer.inner_optimizer.optimizers
    assert [int(optimizer.iterations) for optimizer in restored] == [done, done]
    for one, other in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
    loaded.fit(images, batch_size=2, verbose=0)
    assert [int(optimizer.iterations) for optimizer in restored] == [done + 4, done + 4]
