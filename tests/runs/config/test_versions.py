"""The forms of `config.json`."""

import json

import pytest

from keras_devae.errors import FailureError
from keras_devae.runs import RunConfig, RunDirectory

FALLING = {
    "class_name": "GeometricSchedule",
    "registered_name": "keras_devae>GeometricSchedule",
    "module": "keras_devae.schedules.functions",
    "config": {"start": 200.0, "end": 1.0, "steps": 9},
}


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run")


def write(run, **record):
    run.config_file.write_text(json.dumps({"data": {}, "environment": {}, **record}))


def test_settings_are_written_by_group_with_the_number_of_the_form(run):
    config = RunConfig(kind="annealing test", model="beta_vae", seed=3)
    run.write_record(config, {}, {})
    record = json.loads(run.config_file.read_text())
    assert record["version"] == 2 and record["settings"]["kind"] == "annealing test"
    assert record["settings"]["training"]["seed"] == 3
    assert record["settings"]["model"]["name"] == "beta_vae"
    assert run.read_config() == config


@pytest.mark.parametrize(
    ("beta", "track", "kind"),
    [
        (FALLING, ["sampled-information"], "annealing test"),
        (FALLING, ["kl"], "training"),
        (4.0, ["sampled-information"], "training"),
    ],
)
def test_the_first_form_is_read(run, beta, track, kind):
    settings = {"model": "beta_vae", "model_options": {"beta": beta}, "track": track, "seed": 3}
    write(run, settings=settings)
    config = run.read_config()
    assert config == RunConfig(kind=kind, **settings)
    assert run.read_record()["settings"]["training"] == {"seed": 3}


def test_a_run_of_the_first_form_that_resumes_is_of_the_present_one(run):
    write(run, settings={"model": "vae", "backend": "jax"})
    run.record_backend("torch")
    assert json.loads(run.config_file.read_text())["version"] == 2
    assert run.read_config() == RunConfig(model="vae", backend="torch")


@pytest.mark.parametrize("settings", [{"track": 5}, {"model_options": 3}, {"track": None}])
def test_wrong_settings_of_the_first_form_are_named(run, settings):
    write(run, settings=settings)
    with pytest.raises(FailureError, match=f"`{next(iter(settings))}` must be a"):
        run.read_config()


def test_a_newer_form_is_refused(run):
    write(run, version=3, settings={})
    with pytest.raises(FailureError, match=r"config\.json has the form 3, .* upgrade keras-devae"):
        run.read_config()


def test_unknown_settings_of_either_form_are_named(run):
    for record in (
        {"settings": {"model": "vae", "batchsize": 3}},
        {"version": 2, "settings": {"training": {"batchsize": 3}}},
    ):
        write(run, **record)
        with pytest.raises(FailureError, match=r"'batchsize'\. Did you mean 'batch_size'"):
            run.read_config()
