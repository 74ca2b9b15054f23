"""The declarations of settings, and that all else follows from them."""

import dataclasses
import hashlib

import click
import pytest

from keras_devae import data
from keras_devae.backend import BACKENDS
from keras_devae.backend.replicas import DISTRIBUTIONS
from keras_devae.cli.setting_options import setting_option
from keras_devae.cli.train import train
from keras_devae.comparison.groups import grouping_settings
from keras_devae.errors import UsageError
from keras_devae.metrics import SETTINGS
from keras_devae.models.declarations import LIKELIHOOD_NAMES, NETWORK_NAMES
from keras_devae.runs import RunConfig
from keras_devae.runs.config import run_config
from keras_devae.runs.config.declaring import setting
from keras_devae.runs.config.flat_settings import config_from_settings, setting_names
from keras_devae.runs.config.forms import declarations, grouped, ungrouped
from keras_devae.runs.config.settings import GROUPS, PRECISIONS, Count, TrainingSettings
from keras_devae.studies.run_keys import run_key

CHOICES = {
    "source": data.SOURCES,
    "network": NETWORK_NAMES,
    "likelihood": LIKELIHOOD_NAMES,
    "mixed_precision": PRECISIONS,
    "distribute": DISTRIBUTIONS,
    "backend": BACKENDS,
    "metric_settings": SETTINGS,
}


@pytest.mark.parametrize("name", declarations())
def test_a_declaration_is_whole(name):
    declared = declarations()[name]
    assert declared.help.endswith((".", ":"))
    assert getattr(getattr(RunConfig(), declared.group), declared.attribute) == declared.default
    assert all(choice in declared.help for choice in CHOICES.get(name, ()))


@pytest.mark.parametrize("name", [n for n, d in declarations().items() if d.option != ""])
def test_an_option_of_train_has_help_type_and_default_of_the_declaration(name):
    declared = declarations()[name]
    (option,) = (each for each in train.params if each.name == name)
    assert option.help.startswith(declared.help)
    assert declared.default_text in option.help
    # What is not typed is left to presets.
    assert train.make_context("train", []).params[name] is None
    numbers = {int: click.INT, float: click.FLOAT}
    assert option.type == numbers.get(declared.value_type, option.type)
    assert option.is_flag == (declared.value_type is bool)


@pytest.mark.parametrize("name", CHOICES)
def test_close_matches_of_names_are_named(name):
    choice = next(iter(CHOICES[name]))
    with pytest.raises(UsageError, match=f"Did you mean '{choice}'"):
        RunConfig(**{name: f"{choice}x"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "`steps` must be a whole number of at least 1. Received: 0."),
        ({"seed": 2**32}, "`seed` must be at most 4,294,967,295. Received: 4294967296."),
        ({"latent_dim": 10**7}, "`latent_dim` must be at most 1,000,000. Received: 10000000."),
        ({"keep": 2**63}, "`keep` must be below 9,223,372,036,854,775,808."),
        ({"learning_rate": 0}, "`learning_rate` must be a finite number above 0. Received: 0"),
        ({"learning_rate": float("inf")}, "`learning_rate` must be a finite number."),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a finite number."),
        ({"evaluation_images": 1}, "`evaluation_images` must be a whole number of at least 2."),
        ({"network_units": [8, 0]}, "`network_units[1]` must be a whole number of at least 1."),
        ({"network_units": [8] * 101}, "`network_units` must be a list of at most 100 entries."),
        ({"bins": {1: 2}}, "`bins` must be a table with texts for names."),
        ({"model_options": 3}, "`model_options` must be a table. Received: 3."),
    ],
)
def test_a_value_out_of_range_is_refused_in_a_sentence(settings, message):
    with pytest.raises(UsageError) as refusal:
        RunConfig(**settings)
    assert str(refusal.value).startswith(message)


def test_settings_side_by_side_and_by_group_are_the_same():
    config = RunConfig(model="beta_vae", model_options={"beta": 4}, seed=3, factors=["hue"])
    assert config.model.name == "beta_vae" and config.model.options == {"beta": 4}
    assert config.training.seed == 3 and config.data.factors == ("hue",)
    flat = config.to_dict()
    assert flat["model"] == "beta_vae" and flat["seed"] == 3
    assert ungrouped(grouped(flat)) == flat
    assert {**grouped(flat), "kind": "training"} == config.to_nested()
    assert RunConfig.from_nested(config.to_nested()) == config
    changed = RunConfig(kind="annealing test").replace(steps=7)
    assert (changed.kind, changed.training.steps) == ("annealing test", 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trainig": {}}, "Unknown group of settings 'trainig'. Did you mean 'training'"),
        ({"training": {"step": 3}}, "Unknown training setting 'step'. Did you mean 'steps'"),
        ({"model": "vae"}, "`model` must be a table. Received: 'vae'"),
        ({"kind": "test"}, "Unknown kind of run 'test'"),
    ],
)
def test_wrong_groups_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        RunConfig.from_nested(settings)


@dataclasses.dataclass(frozen=True)
class WithAnother(TrainingSettings):
    """A group with a setting more."""

    settling_steps: Count | None = setting(None, "Steps of warm-up.", "none")


@pytest.fixture
def another_setting(monkeypatch):
    def forget():
        declarations.cache_clear()
        run_config._settings_type.cache_clear()

    monkeypatch.setitem(GROUPS, "training", WithAnother)
    forget()
    yield
    monkeypatch.undo()
    forget()


def test_a_setting_more_is_one_declaration(another_setting):
    plain, config = RunConfig(), RunConfig(settling_steps=5)
    assert plain.training.settling_steps is None and config.training.settling_steps == 5
    with pytest.raises(UsageError, match="`settling_steps` must be a whole number of at least 1"):
        RunConfig(settling_steps=0)
    with pytest.raises(UsageError, match="Did you mean 'settling_steps'"):
        RunConfig(settling_step=0)
    assert RunConfig.from_nested(config.to_nested()) == config
    # Studies of a version without it resume: only what differs from the defaults is hashed.
    assert run_key(plain) == hashlib.sha256(b"{}").hexdigest() != run_key(config)
    command = setting_option("settling_steps")(click.Command("train"))
    (option,) = command.params
    assert option.opts == ["--settling-steps"] and option.type is click.INT
    assert option.help == "Steps of warm-up.  [default: none]"


def test_names_everywhere_are_those_that_are_declared():
    flat = {name for name in declarations() if name != "model_options"}
    assert flat <= set(setting_names()) and flat < set(RunConfig().to_dict())
    matter = {d.name for d in declarations().values() if d.changes_result}
    assert {*grouping_settings(RunConfig().to_dict()), "seed"} == matter
    for name in flat:
        default = declarations()[name].default
        assert config_from_settings({name: default}) == RunConfig()
