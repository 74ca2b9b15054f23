"""What a page proposes to do next, from the state of a run."""

import numpy as np
import pytest

from keras_devae.evaluation.measured_latents import Latents
from keras_devae.reports.next_steps import next_steps, next_steps_of_encoder
from keras_devae.runs import RunConfig, RunDirectory


def latents_of(shares):
    """Two active latents and two factors."""
    shares, kl = np.array(shares, float), np.array([3.0, 2.0])
    return Latents(0, kl, kl, -kl, kl, 2 * shares, 0 * shares, np.full(2, 2.0), ("x", "y"))


APART, MIXED = latents_of([[0.8, 0], [0, 0.7]]), latents_of([[0.8, 0.7], [0.7, 0.8]])


@pytest.fixture
def make(tmp_path):
    """Makes the folder of a run whose name a shell must not split."""

    def make_run(is_trained=True, **settings):
        run, config = RunDirectory(tmp_path / "a run"), RunConfig(**{"model": "vae", **settings})
        run.path.mkdir()
        run.write_record(config, {}, {})
        if is_trained:
            run.model_file.touch()
        return run, config

    return make_run


def commands(steps, run):
    return [(step.command or "").replace(f"'{run.path}'", "RUN") for step in steps]


def test_a_good_model_is_looked_at_and_exported(make):
    run, config = make(steps=500)
    found = next_steps(run, config, APART, is_measured=True)
    assert commands(found, run) == ["keras-devae explore RUN", "keras-devae export RUN encoder"]


@pytest.mark.parametrize(
    ("settings", "longer"),
    [({"steps": 500}, "--steps 1000"), ({"epochs": 3}, "--epochs 6")],
)
def test_a_model_that_mixes_factors_is_trained_for_longer(make, settings, longer):
    run, config = make(**settings)
    _, more, _ = next_steps(run, config, MIXED, is_measured=True)
    assert more.command.endswith(f"train --resume '{run.path}' {longer}")


def test_a_fitted_model_cannot_be_trained_for_longer(make):
    run, config = make(model="pca")
    found = commands(next_steps(run, config, MIXED, is_measured=True), run)
    assert not any("--resume" in command for command in found) and "export" in found[-1]


def test_a_model_without_a_decoder_is_not_explored(make):
    run, config = make(model="byol")
    found = commands(next_steps(run, config, APART, is_measured=True), run)
    assert found == ["keras-devae export RUN encoder"]


def test_a_run_without_scores_is_measured_first(make):
    run, config = make(metrics=())
    first, *_ = commands(next_steps(run, config, APART, is_measured=False), run)
    assert first.startswith("keras-devae evaluate RUN --output ")


def test_an_unfinished_run_is_resumed_unless_it_is_in_progress(make):
    run, config = make(is_trained=False)
    found = next_steps(run, config, MIXED, is_measured=False)
    assert commands(found, run) == ["keras-devae train --resume RUN"]
    run.claim()
    (step,) = next_steps(run, config, MIXED, is_measured=False)
    assert step.command is None and "in progress" in step.text


def test_an_encoder_is_compared(tmp_path):
    (step,) = next_steps_of_encoder(tmp_path / "a page")
    assert step.command == f"keras-devae compare '{tmp_path / 'a page'}' RUN"
