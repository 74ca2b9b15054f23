"""Configurations, run directories and presets."""

import copy
import inspect
import json
import pickle

import numpy as np
import pytest

from keras_devae import data, losses, models, networks
from keras_devae.errors import FailureError, UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE, check_options, default_options
from keras_devae.models.declarations import LIKELIHOOD_NAMES, NETWORK_NAMES, PUBLISHED_STEPS
from keras_devae.runs import PRESETS, RunConfig, RunDirectory, find_runs
from keras_devae.runs.layout import unused_path

#: Arguments of the models that are settings of a run, or that training data decide.
NOT_OPTIONS = {"encoder", "decoder", "likelihood", "seed", "kwargs", "dataset_size"}


def signature_defaults(name):
    """Name -> default of a model's own constructor arguments, up to the common base."""
    defaults = {}
    for model_class in reversed(models.MODELS[name].__mro__):
        if model_class not in (models.VAE, *models.VAE.__mro__) and "__init__" in vars(model_class):
            parameters = inspect.signature(model_class).parameters.values()
            defaults = {p.name: p.default for p in parameters if p.name not in NOT_OPTIONS}
    return defaults


def test_names_known_without_keras_are_those_of_the_registries():
    assert set(MODEL_CATALOGUE) == set(models.MODELS)
    assert set(NETWORK_NAMES) == set(networks.NETWORKS)
    assert set(LIKELIHOOD_NAMES) == set(losses.LIKELIHOODS)
    for estimator in losses.ESTIMATORS:
        check_options("beta_tc_vae", {"estimator": estimator})
    for kind in losses.DIP_KINDS:
        check_options("dip_vae", {"kind": kind})


@pytest.mark.parametrize("name", MODEL_CATALOGUE)
def test_the_catalogue_has_every_option_of_the_model_with_its_default(name):
    listed = default_options(name, (64, 64, 1), PUBLISHED_STEPS)
    entry = MODEL_CATALOGUE[name]
    refused = {"scaling_learning_rate"} - {*entry.options}
    taken = {n: value for n, value in signature_defaults(name).items() if n not in refused}
    assert listed == taken
    assert entry.objective and entry.paper and all(o.help for o in entry.options.values())
    assert check_options(name, listed) == listed


@pytest.mark.parametrize(("size", "ratio"), [(32, 0.25), (64, 1), (128, 4)])
def test_pressures_go_with_the_number_of_pixels(size, ratio):
    shape = (size, size, 3)
    assert default_options("beta_vae", shape, 10) == {"beta": 6 * ratio}
    assert default_options("devae", shape, 10)["betas"] == (ratio, 10 * ratio, 40 * ratio)
    assert default_options("annealed_vae", shape, PUBLISHED_STEPS) == {
        "gamma": 1000 * ratio,
        "capacity_max": 25.0,
        "capacity_steps": 100_000,
        "capacity_start": 0.0,
    }


def test_schedules_go_with_the_length_of_the_run():
    short = default_options("dynamic_vae", (64, 64, 1), PUBLISHED_STEPS // 10)
    assert short["kl_target_steps"] == 30_000
    # What is added up at every step grows as the steps become fewer.
    assert short["integral_gain"] == pytest.approx(0.01)
    assert short["proportional_gain"] == pytest.approx(0.01)
    assert default_options("cascade_vae", (64, 64, 1), 3)["stage_steps"] == 1


BAD_OPTIONS = {
    "annealed_vae": {"capacity_steps": 0},
    "beta_tc_vae": {"estimator": "mss"},
    "byol": {"target_decay": 2},
    "cascade_vae": {"num_categories": 1},
    "control_vae": {"reference_compat": "yes"},
    "deft": {"betas": []},
    "dip_vae": {"kind": "iii"},
    "factor_vae": {"discriminator_units": [10.5]},
    "flow_vae": {"flow_units": [16]},
    "hf_vae": {"group_sizes": [4, 4]},
    "info_gan": {"contrastive_weight": 2},
    "joint_vae": {"temperature": 0},
    "ladder_vae": {"layer_dims": [3, 3]},
    "pca": {"fit_images": 1},
}


@pytest.mark.parametrize("name", BAD_OPTIONS)
def test_bad_options_are_named(name):
    (option,) = BAD_OPTIONS[name]
    with pytest.raises(UsageError, match=f"{option}|{option.replace('_', ' ')}"):
        RunConfig(model=name, model_options=BAD_OPTIONS[name])


def test_the_close_match_of_an_option_is_named():
    with pytest.raises(UsageError, match="Did you mean 'capacity_max'"):
        RunConfig(model="annealed_vae", model_options={"capacity_maxx": 3})
    with pytest.raises(UsageError, match="Did you mean 'dynamic_vae'"):
        RunConfig(model="dynamicvae")


def test_baselines_have_networks_and_a_likelihood_of_their_own():
    grey = data.from_arrays(np.full((9, 16, 12, 1), 200, np.uint8))
    config = RunConfig(model="pca").resolved(grey)
    assert (config.model.network, config.model.likelihood, config.training.steps) == (
        "linear",
        "gaussian",
        1,
    )
    with pytest.raises(UsageError, match="Gaussian likelihood"):
        RunConfig(model="ica", likelihood="bernoulli")
    with pytest.raises(UsageError, match="network"):
        RunConfig(model="ica", network="mlp")


def test_a_configuration_survives_json():
    config = RunConfig(model="beta_vae", model_options={"beta": 4}, metrics=("mig",), seed=3)
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_settings_name_the_close_match():
    with pytest.raises(UsageError, match="'batch_size'"):
        RunConfig.from_dict({"batchsize": 3})


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_configurations(name):
    assert RunConfig(**PRESETS[name][1]).training.steps > 0


def test_resolving_fills_in_what_the_data_decide():
    grey = data.from_arrays(np.full((9, 32, 32, 1), 200, np.uint8))
    config = RunConfig().resolved(grey)
    assert config.model.likelihood == "bernoulli" and config.data.image_size == 32
    assert set(config.evaluation.metrics) == {"active_variables", "kl", "reconstruction_error"}
    assert config.model.options["betas"] == (0.25, 2.5, 10)
    coloured = data.load("shapes3d", source="rendered")
    assert RunConfig().resolved(coloured).model.likelihood == "gaussian"
    assert "mig" in RunConfig().resolved(coloured).evaluation.metrics
    own = RunConfig(model_options={"betas": [2, 3]}).resolved(grey)
    assert own.model.options["betas"] == (2, 3)


def test_the_newest_checkpoints_are_kept(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    for step in (0, 5, 10, 15):
        run.checkpoint_file(step).parent.mkdir(exist_ok=True)
        run.checkpoint_file(step).touch()
    run.remove_old_checkpoints()
    assert run.checkpoint_steps() == [15, 10]


def test_history_comes_back_as_written(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    rows = [{"step": 5, "loss": 0.1}, {"step": 10, "loss": 1 / 3}]
    run.write_history(rows)
    assert run.read_history() == rows


def test_a_damaged_configuration_is_reported(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    run.config_file.write_text('{"settings": {')
    with pytest.raises(FailureError, match=r"config\.json cannot be read"):
        RunDirectory.open(tmp_path / "run").read_config()
    assert [found.path.name for found in find_runs(tmp_path)] == ["run"]


def test_default_names_count_up(tmp_path):
    assert unused_path(tmp_path / "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    assert unused_path(tmp_path / "run") == tmp_path / "run-2"


def test_attributes_of_version_0_1_0_are_read_with_a_warning():
    config = RunConfig(steps=7, evaluation_images=9)
    for name, place, value in (
        ("steps", "training.steps", 7),
        ("evaluation_images", "evaluation.images", 9),
    ):
        with pytest.warns(DeprecationWarning, match=f"read `RunConfig.{place}` instead"):
            assert getattr(config, name) == value
    with pytest.raises(AttributeError, match="no attribute 'stepz'"):
        _ = config.stepz
    assert pickle.loads(pickle.dumps(config)) == copy.deepcopy(config) == config
