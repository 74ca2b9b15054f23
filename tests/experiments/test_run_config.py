"""Configurations, run directories and presets."""

import json

import numpy as np
import pytest

from keras_devae import data, losses, models, networks
from keras_devae.errors import FailureError, UsageError
from keras_devae.experiments import PRESETS, RunConfig, RunDirectory, find_runs
from keras_devae.experiments.model_options import (
    LIKELIHOOD_NAMES,
    MODEL_OPTIONS,
    NETWORK_NAMES,
    check_options,
    default_options,
)
from keras_devae.experiments.run_directory import unused_path
from keras_devae.models.devae import OBJECTIVES


def test_names_known_without_keras_are_those_of_the_registries():
    assert set(MODEL_OPTIONS) == set(models.MODELS)
    assert set(NETWORK_NAMES) == set(networks.NETWORKS)
    assert set(LIKELIHOOD_NAMES) == set(losses.LIKELIHOODS)
    for objective in OBJECTIVES:
        check_options("devae", {"objective": objective})


@pytest.mark.parametrize("name", MODEL_OPTIONS)
def test_defaults_known_without_keras_are_those_of_the_models(name):
    model = models.MODELS[name].for_images((64, 64, 1), latent_dim=2)
    config = model.get_config()
    for option, value in default_options(name, (64, 64, 1)).items():
        assert np.array_equal(config[option], value)


@pytest.mark.parametrize(("size", "ratio"), [(32, 0.25), (64, 1), (128, 4)])
def test_pressures_go_with_the_number_of_pixels(size, ratio):
    assert default_options("beta_vae", (size, size, 3)) == {"beta": 6 * ratio}
    assert default_options("devae", (size, size, 3))["betas"] == (ratio, 10 * ratio, 40 * ratio)


def test_a_configuration_survives_json():
    config = RunConfig(model="beta_vae", model_options={"beta": 4}, metrics=("mig",), seed=3)
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_unknown_settings_name_the_close_match():
    with pytest.raises(UsageError, match="'batch_size'"):
        RunConfig.from_dict({"batchsize": 3})


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_configurations(name):
    assert RunConfig(**PRESETS[name][1]).steps > 0


def test_resolving_fills_in_what_the_data_decide():
    grey = data.from_arrays(np.full((9, 32, 32, 1), 200, np.uint8))
    config = RunConfig().resolved(grey)
    assert config.likelihood == "bernoulli" and config.image_size == 32
    assert set(config.metrics) == {"active_variables", "kl", "reconstruction_error"}
    assert config.model_options["betas"] == (0.25, 2.5, 10)
    coloured = data.load("shapes3d", source="rendered")
    assert RunConfig().resolved(coloured).likelihood == "gaussian"
    assert "mig" in RunConfig().resolved(coloured).metrics
    own = RunConfig(model_options={"betas": [2, 3]}).resolved(grey)
    assert own.model_options["betas"] == (2, 3)


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
    assert unused_path(tmp_path, "run") == tmp_path / "run"
    (tmp_path / "run").mkdir()
    assert unused_path(tmp_path, "run") == tmp_path / "run-2"
