"""Settings as users name them."""

import pytest

from keras_devae.checks import run_name
from keras_devae.cli.train import train
from keras_devae.errors import UsageError
from keras_devae.runs import RunConfig
from keras_devae.runs.config.flat_settings import (
    config_from_settings,
    dataset_label,
    default_name,
    setting_names,
    without_defaults,
)
from keras_devae.studies.run_keys import run_name as name_in_study

#: Parameters of `train` that say where a run lands, not what it is.
NOT_SETTINGS = {"run", "runs_dir", "resume_run", "overwrite", "no_suggest", "show", "as_json"}


def test_settings_stand_side_by_side():
    settings = {"preset": "small", "model": "beta_vae", "beta": 4, "seed": 3, "steps": 10}
    assert config_from_settings(settings) == RunConfig(
        model="beta_vae",
        model_options={"beta": 4},
        seed=3,
        steps=10,
        batch_size=64,
        learning_rate=5e-4,
        image_size=32,
    )
    assert config_from_settings({}) == RunConfig()


def test_train_takes_every_setting_as_an_option():
    # The backend is an option of the whole command line.
    parameters = {parameter.name for parameter in train.params} - NOT_SETTINGS
    assert parameters == set(setting_names()) - {"backend"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"latent": 3}, "Unknown setting 'latent'. Did you mean 'latent_dim'"),
        ({"model_options": {}}, "Unknown setting 'model_options'"),
        ({"model": 3}, "`model` must be a text. Received: 3"),
        ({"seed": 1.5}, "`seed` must be a whole number"),
        ({"track": [1]}, r"`track\[0\]` must be a text"),
        ({"jit_compile": "on"}, "`jit_compile` must be true or false"),
        ({"model": "vae", "beta": 4}, "Unknown option of vae 'beta'"),
        ({"dataset": "npy:images.npy", "metrics": ["mig"]}, "factors"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(settings, message):
    with pytest.raises(UsageError, match=message):
        config_from_settings(settings)


def test_names_and_differences():
    config = config_from_settings({"dataset": "npz:a/b.npz", "seed": 7, "betas": [1, 2]})
    assert default_name(config) == "devae-b-seed7"
    assert default_name(config, "quick") == "devae-b-quick-seed7"
    assert without_defaults(config) == {
        "dataset": "npz:a/b.npz",
        "seed": 7,
        "model_options": {"betas": (1.0, 2.0)},
    }
    assert without_defaults(RunConfig()) == {}


@pytest.mark.parametrize(
    ("dataset", "label"),
    [
        ("dsprites", "dsprites"),
        ("folder:pictures/cells v1.2/", "cells-v1.2"),
        ("folder:Größe & Farbe", "Groe-Farbe"),
        ("npy:a/b.c.npy", "b.c"),
        ("folder:图片", "folder"),
        ("folder:/", "folder"),
        (f"npz:{'a' * 200}.npz", "a" * 80),
    ],
)
def test_runs_on_own_images_are_named_by_their_file(dataset, label):
    assert dataset_label(dataset) == label
    config = RunConfig(dataset=dataset)
    assert run_name("--run", default_name(config)) == f"devae-{label}-seed0"
    # Studies find finished runs by names as they were.
    assert name_in_study(config, "0" * 64) == f"devae-{dataset.split(':')[0]}-seed0-{'0' * 12}"


def test_settings_of_a_method_apply_unless_others_are_given():
    own = config_from_settings({"model": "qlae", "preset": "small"}).training
    assert (own.optimizer, own.weight_decay, own.learning_rate) == ("adamw", 0.1, 1e-3)
    assert own.steps == 20_000
    given = {"model": "qlae", "learning_rate": 2e-4, "optimizer": "adam", "weight_decay": None}
    other = config_from_settings(given).training
    assert (other.optimizer, other.weight_decay, other.learning_rate) == ("adam", None, 2e-4)
    own = config_from_settings({"model": "info_gan", "preset": "quick"}).training
    assert (own.batch_size, own.learning_rate, own.beta_1, own.steps) == (128, 1e-3, 0.5, 4500)
    assert RunConfig(model="info_gan", optimizer="sgd").training.beta_1 is None
    config = RunConfig(model="qlae")
    assert config.training.optimizer == "adamw"
    assert config.replace(optimizer="adam").training.optimizer == "adam"
