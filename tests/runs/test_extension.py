"""Runs that are trained for longer than planned."""

import math

import numpy as np
import pytest
from tiny_settings import TINY

from keras_devae.errors import UsageError
from keras_devae.runs import Run, RunConfig
from keras_devae.runs.checkpoints import copy_state
from keras_devae.runs.diagnosis import examine
from keras_devae.runs.extension import describe_extension
from keras_devae.runs.optimization import current_learning_rate
from keras_devae.runs.recorder import RunRecorder
from keras_devae.runs.training import load_run_model

SETTINGS = {**TINY, "deterministic": True}
WATCHED = {"save_best": True, "early_stopping": 1, "learning_rate": 0.5}


def trained(path, **settings):
    with Run.new(RunConfig(**{**SETTINGS, **settings}), path) as run:
        run.train(progress=False)
    return run.folder


def extend(path, steps=None, **length):
    with Run.resume(path, steps=steps, **length) as run:
        run.train(progress=False)
    return run.folder


def state(folder, step=None):
    file = folder.model_file if step is None else folder.checkpoint_file(step)
    return copy_state(load_run_model(file, folder.read_config()))


def assert_equal(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.backends
def test_longer_equals_at_once(tmp_path):
    """The shorter run ends within what is an epoch of the longer one."""
    settings = {"validation_split": 0.2, "ema_momentum": 0.5}
    trained(tmp_path / "longer", steps=3, **settings)
    longer, once = extend(tmp_path / "longer", 8), trained(tmp_path / "once", steps=8, **settings)
    assert longer.read_config() == once.read_config()
    assert longer.read_history() == once.read_history()
    assert_equal(state(longer), state(once))
    assert_equal(state(longer, 8), state(once, 8))


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate_schedule": "plateau", "plateau_patience": 1, "learning_rate": 0.5},
        {"model": "factor_vae", "model_options": {"discriminator_units": [4]}, "warmup_steps": 2},
        {"save_best": True, "optimizer": "adamw", "checkpoint_every": 3},
    ],
)
@pytest.mark.thorough
def test_longer_equals_at_once_with_options(changes, tmp_path):
    trained(tmp_path / "longer", steps=5, **changes)
    longer, once = extend(tmp_path / "longer", 12), trained(tmp_path / "once", steps=12, **changes)
    assert longer.read_history() == once.read_history()
    assert_equal(state(longer), state(once))
    assert longer.read_record().get("ended") == once.read_record().get("ended")


def test_epochs(tmp_path):
    folder = trained(tmp_path / "run", steps=2, variants=("subset:20",))
    with pytest.raises(UsageError, match="leave one of them out"):
        Run.resume(tmp_path / "run", steps=4, epochs=1)
    assert extend(folder.path, epochs=2).read_config().training.steps == 5  # 40 images by 8
    with pytest.raises(UsageError, match="`epochs` must be"):
        Run.resume(folder.path, epochs=0)
    with pytest.raises(UsageError, match=r"at least 5\. Received: epochs=1, which are 3 steps"):
        Run.resume(folder.path, epochs=1)
    assert folder.is_trained() and not folder.is_claimed()


def test_cosine_is_rescaled_to_the_new_length(tmp_path):
    changes = {"learning_rate_schedule": "cosine", "learning_rate": 0.1, "keep": 9}
    folder = extend(trained(tmp_path / "run", steps=4, **changes).path, 8)
    assert describe_extension(folder.read_config()) == (
        "to 8 steps: learning_rate is rescaled to the cosine of this length"
    )
    # An interruption does not bring the shorter schedule back.
    folder.model_file.unlink()
    folder.checkpoint_file(8).unlink()
    seen = []

    def note(self, batch, logs=None):
        seen.append(current_learning_rate(self.model.optimizer))

    with pytest.MonkeyPatch.context() as patched, Run.resume(folder.path) as run:
        patched.setattr(RunRecorder, "on_train_batch_begin", note)
        run.train(progress=False)
    expected = [0.05 * (1 + math.cos(math.pi * step / 8)) for step in (6, 7)]
    np.testing.assert_allclose(seen, expected, rtol=1e-5)


@pytest.mark.thorough
def test_the_command_says_what_becomes_of_schedules(tmp_path, capsys):
    from keras_devae.cli.main import main

    folder = trained(tmp_path / "run", steps=4, learning_rate_schedule="cosine")
    with pytest.raises(SystemExit, match="0"):
        main(["train", "--resume", str(folder.path), "--epochs", "1"])
    shown = capsys.readouterr().out
    assert "Longer   to 7 steps: learning_rate is rescaled" in shown
    assert folder.read_history()[-1]["step"] == 7 and folder.report_file.is_file()


def test_held_schedules_are_named(tmp_path):
    options = {"model": "annealed_vae", "model_options": {"capacity_steps": 2, "gamma": 1.0}}
    config = RunConfig(**{**SETTINGS, **options}, steps=8)
    assert describe_extension(config) == (
        "to 8 steps: capacity_steps holds at 2, as set at the start"
    )
    assert describe_extension(RunConfig(**SETTINGS, steps=8)) == (
        "to 8 steps: no schedule depends on the length"
    )


@pytest.mark.backends
def test_a_run_that_stopped_early_continues_from_its_last_step(tmp_path):
    folder = trained(tmp_path / "run", steps=40, **WATCHED)
    ended = folder.read_record()["ended"]
    assert ended["stopped_early"] and ended["model_step"] < ended["step"]
    history = folder.read_history()
    with pytest.raises(
        UsageError, match=f"^{ended['step']} steps are done: .* {ended['step'] + 1}"
    ):
        Run.resume(folder.path, steps=ended["step"])
    with Run.resume(folder.path) as run:
        run.train(progress=False)  # Without a length it stays as it is.
    assert run.folder.read_record()["ended"] == ended
    longer = extend(folder.path, 40)
    found = longer.read_record()["ended"]
    assert found["step"] > ended["step"] and found["best_value"] <= ended["best_value"]
    assert longer.read_history()[: len(history)] == history
    assert longer.read_config().training.steps == 40
    found = {each.what for each in examine(longer.path) if each.state == "problem"}
    assert found == {"progress"}  # Only the evaluation is left.


@pytest.mark.thorough
def test_a_continued_run_has_the_weights_of_one_that_never_stopped(tmp_path):
    watched = {**WATCHED, "validation_split": 0.2}
    folder = trained(tmp_path / "run", steps=40, **watched)
    stopped = folder.read_record()["ended"]["step"]
    before = state(folder, stopped)
    longer = extend(folder.path, 40)
    again = longer.read_record()["ended"]["step"]
    once = trained(tmp_path / "once", **{**watched, "early_stopping": None}, keep=30, steps=40)
    assert again > stopped
    assert_equal(before, state(once, stopped))
    assert_equal(state(longer, again), state(once, again))


def test_killed_before_the_new_length_is_recorded(tmp_path, monkeypatch):
    folder = trained(tmp_path / "run", steps=2)
    Run.open(folder.path).evaluate()
    before = state(folder)

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("keras_devae.runs.extension.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            Run.resume(folder.path, steps=4)
    with Run.resume(folder.path) as run:
        run.train(progress=False)
    assert_equal(before, state(folder))
    assert extend(folder.path, 4).read_history()[-1]["step"] == 4
    assert folder.read_metrics() is None  # The scores of the shorter run are gone.


def test_refused(tmp_path, capsys):
    from keras_devae.cli.main import main

    folder = trained(tmp_path / "run", steps=2)
    with pytest.raises(UsageError, match="The run has 2 steps: `steps` must be at least 2"):
        Run.resume(folder.path, steps=1)
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--resume", str(folder.path), "--steps", "1"])
    assert "--steps must be at least" in capsys.readouterr().err
    folder.checkpoint_file(2).unlink()
    for length in ({"steps": 4}, {"epochs": 1}):
        with pytest.raises(UsageError, match="is missing"):
            Run.resume(folder.path, **length)
    assert folder.is_trained()
