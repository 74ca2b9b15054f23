"""What a full memory, a full disk and a NaN in the weights come to."""

import contextlib
import errno
import os
import shlex
import signal

import keras
import numpy as np
import pytest

from keras_devae.cli import main
from keras_devae.errors import FailureError, ran_out_of_memory
from keras_devae.files import DiskFullError
from keras_devae.runs import Run, RunDirectory, trained_model
from keras_devae.runs.checkpoints import CheckpointWriter
from keras_devae.runs.recorder import RunRecorder
from keras_devae.runs.trained_model import load_trained

pytestmark = pytest.mark.backends


@pytest.fixture
def words(tmp_path):
    """The words of a short training."""
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 1), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images)
    words = ["train", "--dataset", f"npz:{tmp_path / 'own.npz'}"]
    words += ["--model", "vae", "--steps", "12", "--checkpoint-every", "3", "--batch-size", "4"]
    words += ["--metrics", "kl", "--evaluation-images", "20"]
    return [*words, "--runs-dir", str(tmp_path), "--run", "r"]


def call(words):
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code


def after_step(monkeypatch, step, act):
    """Does something after a step of a training."""
    count = RunRecorder.on_train_batch_end

    def then_act(self, batch, logs=None):
        count(self, batch, logs)
        if self.step == step:
            act(self.model)

    monkeypatch.setattr(RunRecorder, "on_train_batch_end", then_act)


def use_all_memory(model):
    keras.ops.convert_to_numpy(keras.ops.zeros((2**46,), "float32"))


def use_all_memory_of_numpy(model):
    np.zeros(2**46)


@pytest.mark.parametrize(
    "act", [use_all_memory, pytest.param(use_all_memory_of_numpy, marks=pytest.mark.thorough)]
)
def test_out_of_memory_is_one_sentence(act, words, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        after_step(patch, 8, act)
        assert call(words) == 1
    (sentence,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("Error: ")]
    assert "Training stopped after step 8: out of memory" in sentence
    assert "--batch-size" in sentence and "--no-resident" in sentence
    go_on = ["train", "--resume", str(tmp_path / "r")]
    assert sentence.endswith(
        f"The last checkpoint is from step 6. Resume it with: keras-devae {shlex.join(go_on)}"
    )
    assert call(go_on) == 0
    assert RunDirectory(tmp_path / "r").read_history()[-1]["step"] == 12


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (ValueError("The memory layout of the array is wrong"), False),
        (RuntimeError("Expected tensor to be allocated on the CPU"), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
    ],
)
def test_what_counts_as_out_of_memory(error, expected):
    assert ran_out_of_memory(error) is expected


def test_weights_that_are_not_finite_are_never_saved(words, tmp_path, monkeypatch, capsys):
    """The loss is finite up to the checkpoint: the value is put in after the last step before."""

    def spoil(model):
        # On JAX the weights are elsewhere during an epoch; this one is used in the next.
        weight = model.encoder.get_layer("z_mean").bias
        monkeypatch.setattr(
            "keras_devae.runs.checkpoints.copy_state",
            lambda model, into: [
                np.full(v.shape, np.nan) if v is weight else np.asarray(v)
                for v in [*model.variables, *model.optimizer.variables]
            ],
        )

    after_step(monkeypatch, 9, spoil)
    assert call(words) == 1
    error = capsys.readouterr().err
    assert "stopped at step 9: z_mean/bias is not finite" in error
    run = RunDirectory(tmp_path / "r")
    assert run.checkpoint_steps() == [6, 3]
    assert [row["step"] for row in run.read_history()] == [3, 6]
    assert all(np.isfinite(weight).all() for weight in load_trained(run).get_weights())


def test_a_finished_run_is_not_trained_again(words, tmp_path, capsys):
    assert call([*words, "--keep", 1]) == 0
    run = RunDirectory(tmp_path / "r")
    assert run.checkpoint_steps() == [12]
    model = run.model_file.read_bytes()
    for content in (b"PK damaged", None):
        file = run.checkpoint_file(12)
        file.write_bytes(content) if content else file.unlink()
        assert call(["train", "--resume", run.path]) == 0
        assert run.model_file.read_bytes() == model
    assert run.checkpoint_steps() == []


def test_checkpoints_are_kept(words, tmp_path):
    assert call([*words, "--keep", 3]) == 0
    assert RunDirectory(tmp_path / "r").checkpoint_steps() == [12, 9, 6]


@pytest.mark.thorough
def test_a_checkpoint_that_cannot_be_read_now_is_not_called_damaged(words, tmp_path, monkeypatch):
    assert call(words) == 0
    run = RunDirectory(tmp_path / "r")
    run.model_file.unlink()

    def refuse(file):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(keras.models, "load_model", refuse)
        assert call(["train", "--resume", run.path]) == 1
    assert run.checkpoint_steps() == [12, 9]
    assert call(["train", "--resume", run.path]) == 0


def test_what_went_wrong_first_is_what_is_said(words, tmp_path, monkeypatch, capsys, caplog):
    """SIGTERM, and then the checkpoint under way finds the disk full."""

    def end(model):
        os.kill(os.getpid(), signal.SIGTERM)

    def no_room(self, rows):
        raise DiskFullError("There is no room.")

    after_step(monkeypatch, 4, end)
    monkeypatch.setattr(RunRecorder, "_secure", no_room)
    monkeypatch.setattr(CheckpointWriter, "check", lambda self: None)
    assert call(words) == 143
    assert "Resume it with" in capsys.readouterr().err
    assert "There is no room" in caplog.text


def test_before_there_is_a_configuration_the_same_command_goes_on(tmp_path):
    run = RunDirectory(tmp_path / "my run")
    assert run.how_to_resume().endswith("Run the same command again.")
    run.path.mkdir()
    run.config_file.write_text("{}")
    assert run.how_to_resume().endswith(f"keras-devae train --resume '{run.path}'")


def test_an_interrupt_while_evaluating_leaves_only_that(words, tmp_path, monkeypatch, capsys):
    def end_process(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "score", end_process)
        assert call(words) == 143
    assert "only the evaluation is left. Resume it with:" in capsys.readouterr().err
    run = RunDirectory(tmp_path / "r")
    model = run.model_file.read_bytes()
    monkeypatch.setattr(RunRecorder, "on_train_begin", lambda self, logs=None: pytest.fail())
    assert call(["train", "--resume", run.path]) == 0
    assert "Training is already done" in capsys.readouterr().out
    assert run.model_file.read_bytes() == model and run.read_metrics()["layers"]


def test_an_interrupt_that_is_swallowed_while_evaluating_is_not_lost(words, tmp_path, monkeypatch):
    def swallow(*arguments, progress, **options):
        with contextlib.suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        progress(0, "kl")

    monkeypatch.setattr(trained_model, "evaluate", swallow)
    assert call(words) == 143
    assert RunDirectory(tmp_path / "r").read_metrics() is None


def test_a_damaged_history_names_the_remedy(words, tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    run.history_file.write_text("step,loss\n3,1.5\n6,1.")
    assert run.read_history()[-1] == {"step": 6, "loss": 1.0}
    run.history_file.write_text("step,loss\n3,1.5\n6")
    with pytest.raises(FailureError, match=r"keras-devae doctor \S*run --repair"):
        run.read_history()
