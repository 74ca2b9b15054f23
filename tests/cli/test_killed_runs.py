"""Runs that are killed again and again end as if nothing had happened."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from keras_devae.runs import RunDirectory
from keras_devae.runs.trained_model import load_trained

WORDS = [
    *("--dataset", "dsprites", "--source", "rendered", "--image-size", "32"),
    *("--batch-size", "4", "--latent-dim", "2", "--evaluation-images", "30", "--metrics", "kl"),
    *("--steps", "40", "--checkpoint-every", "8", "--deterministic"),
    *("--track", "kl,information", "--track-every", "6"),
]
#: After 11 steps; in the middle of writing a checkpoint; between history and checkpoint.
MOMENTS = "step:11,unfinished:3,unnamed:step-00000032.keras"


def train(moments, folder, *words):
    """Runs `killing.py`, and returns the run and how the processes ended."""
    script = Path(__file__).with_name("killing.py")
    result = subprocess.run(
        [sys.executable, str(script), moments, str(folder), *WORDS, *words],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    endings = [line.split() for line in result.stdout.splitlines() if ":" in line.split(" ")[0]]
    return RunDirectory(folder / "killed"), [int(code) for _, code in endings], result.stderr


@pytest.mark.thorough
@pytest.mark.backends
def test_killed_at_any_moment_a_run_goes_on_to_the_same_end(tmp_path):
    model = ("--model", "factor_vae", "--discriminator-units", "16,16")
    killed, endings, errors = train(MOMENTS, tmp_path / "killed", *model)
    assert endings == [-9, -9, -9], errors
    whole, _, errors = train("", tmp_path / "whole", *model)
    assert [row["step"] for row in whole.read_history()] == [8, 16, 24, 32, 40], errors
    for name in ("history.csv", "tracking/kl.csv", "tracking/information.csv"):
        assert (killed.path / name).read_bytes() == (whole.path / name).read_bytes(), name
    for one, other in zip(
        *(load_trained(run).get_weights() for run in (killed, whole)), strict=True
    ):
        assert (one == other).all()
    assert killed.read_metrics()["layers"] == whole.read_metrics()["layers"]
    assert killed.checkpoint_steps() == [40, 32] and killed.leftovers() == []


@pytest.mark.thorough
@pytest.mark.backends
def test_a_killed_run_has_the_same_best_checkpoint_and_stops_at_the_same_step(tmp_path):
    """Killed before and after the best step, and in the middle of writing its checkpoint."""
    model = ("--model", "vae", "--variant", "subset:60", "--learning-rate", "0.01")
    watched = ("--validation-split", "0.25", "--save-best", "--early-stopping", "2", "--keep", "1")
    small = ("--network", "mlp", "--network-units", "16", "--steps", "400")
    words = (*model, *small, *watched, "--track", "kl,mig", "--track-every", "8")
    for number, monitor in enumerate(("val_loss", "val_mig")):
        chosen = (*words, "--monitor", monitor)
        whole, _, errors = train("", tmp_path / f"whole-{number}", *chosen)
        ended = whole.read_record()["ended"]
        assert ended["stopped_early"] and ended["best_step"] < ended["step"], errors
        best = f"step-{ended['best_step']:08d}.keras"
        last = f"step-{ended['step']:08d}.keras"
        moments = f"step:3,unnamed:{best},step:1,unnamed:history.csv,unnamed:{last}"
        moments += ",unnamed:model.keras"
        killed, endings, errors = train(moments, tmp_path / f"killed-{number}", *chosen)
        assert set(endings) == {-9} and len(endings) == 6, errors
        assert killed.read_record()["ended"] == ended
        for name in ("history.csv", "tracking/kl.csv", "tracking/metrics.csv"):
            assert (killed.path / name).read_bytes() == (whole.path / name).read_bytes(), name
        models = [load_trained(run).get_weights() for run in (killed, whole)]
        assert all((one == other).all() for one, other in zip(*models, strict=True))
        scores, expected = (run.read_metrics() for run in (killed, whole))
        assert scores["layers"] == expected["layers"]
        assert scores["validation"]["layers"] == expected["validation"]["layers"]
        assert killed.checkpoint_steps() == whole.checkpoint_steps()


@pytest.mark.thorough
def test_a_full_disk_costs_no_checkpoint(tmp_path):
    """A limit on the size of files stands in for it, from step 20 on."""
    run, endings, errors = train("full:20", tmp_path, "--model", "vae")
    assert endings == [1]
    (sentence,) = [line for line in errors.splitlines() if line.startswith("Error: ")]
    assert "step-00000024.keras" in sentence and "no room" in sentence
    command = shlex.join(["keras-devae", "train", "--resume", str(run.path)])
    assert f"The last checkpoint is from step 16. Resume it with: {command}" in sentence
    assert [row["step"] for row in run.read_history()] == [8, 16, 24, 32, 40]
