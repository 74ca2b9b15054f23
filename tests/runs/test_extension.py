"""Runs that are trained for longer than planned."""

import numpy as np
import pytest
from tiny_settings import TINY

from keras_devae.errors import UsageError
from keras_devae.runs import Run, RunConfig
from keras_devae.runs.checkpoints import copy_state
from keras_devae.runs.training import load_run_model

SETTINGS = {**TINY, "deterministic": True}


def trained(path, **settings):
    with Run.new(RunConfig(**SETTINGS, **settings), path) as run:
        run.train(progress=False)
        run.evaluate()
    return run.folder


def extend(path, steps):
    with Run.resume(path, steps=steps) as run:
        assert run.scores is None  # The scores of the shorter run are gone.
        run.train(progress=False)
    return run.folder


def state(folder):
    return copy_state(load_run_model(folder.model_file, folder.read_config()))


@pytest.mark.backends
def test_longer_equals_at_once(tmp_path):
    trained(tmp_path / "longer", steps=4)
    longer, once = extend(tmp_path / "longer", 8), trained(tmp_path / "once", steps=8)
    assert longer.read_config() == once.read_config()
    assert longer.read_history() == once.read_history()
    for one, other in zip(state(longer), state(once), strict=True):
        np.testing.assert_array_equal(one, other)


def test_killed_before_the_new_length_is_recorded(tmp_path, monkeypatch):
    folder = trained(tmp_path / "run", steps=2)
    before = state(folder)

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("keras_devae.runs.extension.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            Run.resume(folder.path, steps=4)
    with Run.resume(folder.path) as run:
        run.train(progress=False)
    for one, other in zip(before, state(folder), strict=True):
        np.testing.assert_array_equal(one, other)
    assert extend(folder.path, 4).read_history()[-1]["step"] == 4


def test_refused(tmp_path, capsys):
    from keras_devae.cli.main import main

    folder = trained(tmp_path / "run", steps=2)
    with pytest.raises(UsageError, match="`steps` must be at least the run's own, which is 2"):
        Run.resume(folder.path, steps=1)
    with pytest.raises(SystemExit, match="2"):
        main(["train", "--resume", str(folder.path), "--steps", "1"])
    assert "--steps must be at least" in capsys.readouterr().err
    folder.checkpoint_file(2).unlink()
    with pytest.raises(UsageError, match="is missing"):
        Run.resume(folder.path, steps=4)
    assert folder.is_trained() and folder.read_metrics()
    falling = trained(tmp_path / "cosine", steps=2, learning_rate_schedule="cosine")
    with pytest.raises(UsageError, match="falls to 0 at step 2"):
        Run.resume(falling.path, steps=4)
