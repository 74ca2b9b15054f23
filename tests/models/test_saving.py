"""Saving, loading and going on."""

import inspect
import json
import zipfile

import keras
import numpy as np
import pytest
from keras import ops
from thoroughness import quick_first

from keras_devae.errors import FailureError
from keras_devae.input.batches import Batches
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.saving import load_saved
from keras_devae.schedules import LinearSchedule

pytestmark = pytest.mark.backends

TRAINED = [method for method in MODELS if method not in ("ica", "pca")]


def seed_states(model):
    names = ("sampling", "layer_draw", "permutations", "gumbel", "draws", "views")
    layers = [getattr(model, name) for name in names if hasattr(model, name)]
    return [ops.convert_to_numpy(layer.seed_generator.state).tolist() for layer in layers]


def state(model):
    variables = [*model.weights, *model.optimizer.variables]
    return [ops.convert_to_numpy(variable).copy() for variable in variables]


@pytest.fixture(scope="module")
def saved_models(tiny, blobs, to_fit, tmp_path_factory):
    """A folder of models saved after construction and after `fit`; codes and reconstructions."""
    folder, images, expected = tmp_path_factory.mktemp("models"), blobs(9), {}
    np.save(folder / "images.npy", images)
    # But for JAX, compiling a model takes longer than its four steps.
    eager = {"run_eagerly": keras.backend.backend() != "jax"}
    for method in MODELS:
        model = tiny(method, compile_options=eager)
        # The linear baselines have no codes before `fit`.
        for state in ("trained",) if MODEL_CATALOGUE[method].fitted else ("new", "trained"):
            if state == "trained":
                model.fit(to_fit(method, images[:8]), batch_size=2, verbose=0)
            model.save(folder / f"{method}_{state}.keras")
            expected[f"{method}_{state}_codes"] = model.encode(images)
        if model.decoder is not None:
            expected[f"{method}_trained_pixels"] = model.reconstruct(images)
    return folder, expected


ORDERS = ["import keras, keras_devae", "import keras_devae, keras"]


@pytest.mark.parametrize("order", quick_first(ORDERS, ORDERS[:1]))
def test_a_fresh_process_loads_them(saved_models, tmp_path, fresh_python, order):
    folder, expected = saved_models
    code = f"""{order}
import glob, os, sys, numpy
images = numpy.load(os.path.join(sys.argv[1], "images.npy"))
results = {{}}
for path in glob.glob(os.path.join(sys.argv[1], "*.keras")):
    model, name = keras.models.load_model(path, safe_mode=True), os.path.basename(path)[:-6]
    results[name + "_codes"] = model.encode(images)
    if name.endswith("trained") and model.decoder is not None:
        results[name + "_pixels"] = model.reconstruct(images)
numpy.savez("results.npz", **results)
"""
    fresh_python("-c", code, folder)
    with np.load(tmp_path / "results.npz") as results:
        assert set(results) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(results[name], value, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("method", MODELS)
def test_archive_holds_no_lambda(tiny, tmp_path, method):
    tiny(method).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert config["registered_name"] == f"keras_devae>{MODELS[method].__name__}"
    assert "Lambda" not in json.dumps(config)


LAYERED = {"betas": [0.5, 3], "objective": "summed", "layer_weight_base": 0.5}
#: Every option of every model, at another value than its default; what moves with the steps does
#: so within a dozen of them.
OPTIONS = {
    "ada_gvae": {"beta": 2.5, "averaging": "multi_level", "changed_factors": "random"},
    "annealed_vae": {
        "gamma": 3.0,
        "capacity_max": 8.0,
        "capacity_steps": 10,
        "capacity_start": 1.0,
    },
    "beta_tc_vae": {
        "beta": 3.0,
        "alpha": 0.5,
        "gamma": 2.0,
        "estimator": "stratified",
        "dataset_size": 50,
        "reference_compat": True,
    },
    "beta_vae": {"beta": 2.5},
    "byol": {
        "target_decay": 0.75,
        "target_schedule": "constant",
        "target_decay_steps": 10,
        "projector_units": [12, 6],
        "predictor_units": [8],
        "augmentations": ["noise", "shift"],
        "augmentation_strength": 0.5,
    },
    "cascade_vae": {
        "num_categories": 4,
        "beta_min": 0.5,
        "beta_max": 3.0,
        "stage_steps": 3,
        "matching_stage": 1,
        "pairwise_cost": 0.1,
    },
    "cascade_vae_c": {"beta_min": 0.5, "beta_max": 3.0, "stage_steps": 5},
    "control_vae": {
        "kl_target": 4.0,
        "kl_target_start": 0.25,
        "kl_target_steps": 10,
        "kl_target_stairs": 5,
        "proportional_gain": 0.5,
        "integral_gain": 0.25,
        "beta_init": 0.75,
        "beta_min": 0.5,
        "beta_max": 9.0,
        "kl_target_rest": 0.5,
        "reference_compat": True,
    },
    "deft": {"betas": [4, 2, 1], "stage_steps": 4, "gradient_scale": 0.25},
    "devae": {**LAYERED, "layer_vectors": False, "scaling_learning_rate": 0.25},
    "devae_linear": {**LAYERED, "layer_vectors": False},
    "devae_parallel": {**LAYERED, "layer_vectors": False},
    "devae_single": LAYERED,
    "dip_vae": {"kind": "ii", "lambda_od": 2.0, "lambda_d": 3.0},
    "dynamic_vae": {
        "kl_target": 4.0,
        "kl_target_start": 0.25,
        "kl_target_steps": 10,
        "kl_target_stairs": 5,
        "proportional_gain": 0.5,
        "integral_gain": 0.25,
        "beta_init": 5.0,
        "beta_min": 0.5,
        "beta_max": 9.0,
        "kl_target_rest": 0.5,
        "window": 3,
        "reference_compat": True,
    },
    "factor_vae": {"gamma": 5.0, "discriminator_units": [12, 8]},
    "flow_vae": {"flow": "iaf", "num_flows": 3, "flow_units": [6, 5], "free_bits": 0.5},
    "hf_vae": {
        "within_group_weight": 0.5,
        "dimension_wise_weight": 2.0,
        "mutual_information_weight": 3.0,
        "between_group_weight": 4.0,
        "num_groups": 2,
        "group_sizes": [2, 1],
        "estimator": "stratified",
        "dataset_size": 50,
    },
    "ica": {"fit_images": 8},
    "info_gan": {
        "noise_dim": 2,
        "information_weight": 0.5,
        "contrastive": True,
        "contrastive_weight": 3.0,
        "contrastive_start": 5,
    },
    "joint_vae": {
        "num_categories": 4,
        "gamma": 2.0,
        "capacity_max": 8.0,
        "categorical_gamma": 3.0,
        "categorical_capacity_max": 0.5,
        "capacity_steps": 10,
        "temperature": 0.5,
        "capacity_start": 1.0,
        "categorical_capacity_start": 0.25,
    },
    "ladder_vae": {"layer_dims": [1, 2], "kl_warmup_steps": 10, "batch_normalization": False},
    "pca": {"fit_images": 8},
    "predictability_minimization": {"predictability_weight": 3.0, "predictor_units": [6, 5]},
    "qlae": {"num_values": 4, "quantization_weight": 0.5, "commitment_weight": 2.0},
    "vae": {},
}


@pytest.mark.parametrize("method", MODELS)
def test_config_round_trip(tiny, method):
    options = OPTIONS[method]
    names = set(inspect.signature(MODELS[method].__init__).parameters)
    of_every_model = {"self", "encoder", "decoder", "likelihood", "seed", "kwargs"}
    refused = {"scaling_learning_rate"} - {*MODEL_CATALOGUE[method].options}
    assert names - of_every_model - refused == set(options), "an option is missing above"
    pixels = {"likelihood": "gaussian"} if MODEL_CATALOGUE[method].decodes else {}
    model = tiny(method, name="mine", seed=9, **pixels, **options)
    config = model.get_config()
    assert {name: config[name] for name in options} == options
    assert type(model).from_config(config).get_config() == config
    through_json = json.loads(json.dumps(config))
    restored = type(model).from_config(through_json)
    assert json.loads(json.dumps(restored.get_config())) == through_json
    assert restored.name == "mine" and restored.seed == 9
    assert restored.likelihood.name == pixels.get("likelihood", "bernoulli")


#: In place of `OPTIONS`: what draws at random, and what moves.
RESUMED = {
    "beta_vae": {"beta": LinearSchedule(0, 8, 10)},
    **{method: {"betas": (0.5, 3)} for method in ("devae", "devae_linear", "devae_parallel")},
    "devae_single": {"betas": (0.5, 3)},
}


@pytest.mark.parametrize(
    "method", quick_first(TRAINED, {"byol", "devae", "factor_vae", "cascade_vae"})
)
def test_a_checkpoint_resumes_the_run(tiny, blobs, to_fit, tmp_path, method):
    images, path, saved = to_fit(method, blobs(8)), tmp_path / "m.keras", {}

    def save(epoch, logs):
        if epoch == 2:
            model.save(path)
            saved.update(state=state(model), seeds=seed_states(model))

    model = tiny(method, **RESUMED.get(method, OPTIONS[method]))
    how = {"batch_size": 4, "epochs": 6, "shuffle": False, "verbose": 0}
    saver = keras.callbacks.LambdaCallback(on_epoch_end=save)
    whole = model.fit(images, callbacks=saver, **how).history

    resumed = keras.models.load_model(path)
    assert int(resumed.optimizer.iterations) == int(resumed.steps.step) == 6
    assert seed_states(resumed) == saved["seeds"]
    # Models that draw nothing have no seeds.
    assert not saved["seeds"] or saved["seeds"] != seed_states(model)
    for loaded, expected in zip(state(resumed), saved["state"], strict=True):
        np.testing.assert_array_equal(loaded, expected)
    rest = resumed.fit(images, initial_epoch=3, **how).history
    for name, shown in rest.items():
        np.testing.assert_allclose(shown, whole[name][3:], rtol=1e-6, atol=1e-6, err_msg=name)
    assert int(resumed.steps.step) == int(model.steps.step) == 12
    assert seed_states(resumed) == seed_states(model)
    for got, expected in zip(state(resumed), state(model), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", ["ica", "pca"])
def test_a_decomposition_survives(tiny, blobs, tmp_path, method):
    model, images = tiny(method, **OPTIONS[method]), blobs(12)
    model.fit(images)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    for one, other in zip(loaded.posterior(images), model.posterior(images), strict=True):
        np.testing.assert_array_equal(one, other)
    logs = model.evaluate(images, verbose=0, return_dict=True)
    assert loaded.evaluate(images, verbose=0, return_dict=True) == pytest.approx(logs, rel=1e-6)
    again = loaded.fit(images).history
    assert again["loss"] == pytest.approx(model.history.history["loss"], rel=1e-5)


def test_weights_alone_carry_the_generators(tiny, blobs, tmp_path):
    model = tiny()
    model.fit(blobs(12), batch_size=4, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = tiny()
    assert seed_states(other) != seed_states(model)
    other.load_weights(tmp_path / "m.weights.h5")
    assert seed_states(other) == seed_states(model)


def test_interrupted_training_equals_uninterrupted(tiny, blobs, tmp_path, stored_images):
    data = stored_images(blobs(40))

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


def test_cascade_vae_chooses_xla_anew_on_another_backend(tiny):
    """On TensorFlow it cannot use XLA, which a run that goes on elsewhere must not inherit."""
    model = tiny("cascade_vae")
    assert model.jit_compile == (keras.backend.backend() == "jax")
    assert model.get_compile_config()["jit_compile"] == "auto"


def test_models_that_were_not_compiled(blobs, tmp_path):
    model = MODELS["vae"].for_images((8, 8, 1), latent_dim=2, network="mlp", seed=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    images = blobs(3)
    np.testing.assert_allclose(loaded.encode(images), model.encode(images), atol=1e-6)


def test_an_unknown_class_is_named_without_the_whole_configuration(tmp_path):
    class Unregistered(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    keras.Sequential([keras.Input((2,)), Unregistered()]).save(tmp_path / "m.keras")
    with pytest.raises(FailureError, match="Could not locate class 'Unregistered'") as raised:
        load_saved(tmp_path / "m.keras")
    assert "Full object config" not in str(raised.value)
