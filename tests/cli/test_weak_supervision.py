"""Training on pairs of images from the command line."""

import numpy as np
import pytest
from running import have_equal_histories, run

from keras_devae.runs import RunDirectory

WORDS = ["--model", "ada_gvae", "--network", "mlp", "--latent-dim", "2", "--batch-size", "8"]
DATA = ["--dataset", "npz:images.npz"]


def test_a_run_on_pairs_resumes(workplace, capsys):
    words = [*DATA, *WORDS, "--metrics", "mig", "--validation-split", "0.25", "--steps"]
    assert run("train", *words, "6", "--checkpoint-every", "2", "--run", "whole") == 0
    assert "6 steps of 8 pairs of images" in capsys.readouterr().out
    assert run("train", *words, "4", "--checkpoint-every", "2", "--run", "parts") == 0
    assert run("train", "--resume", "runs/parts", "--steps", "6") == 0
    assert have_equal_histories("runs/whole", "runs/parts")
    assert run("report", "runs/whole") == 0
    report = RunDirectory("runs/whole").report_file.read_text(encoding="utf-8")
    assert "6 steps of 8 pairs of images" in report
    assert run("evaluate", "runs/whole", "--metrics", "kl") == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--changed-factors", "2"], "--changed-factors must be at most 1"),
        (["--changed-factors", "few"], "--changed-factors must be a whole number or 'random'"),
        (["--averaging", "multi"], "multi_level"),
        (["--dataset", "npz:plain.npz"], "Data set 'npz:plain.npz' has no factors"),
    ],
)
def test_what_cannot_be_is_refused_at_once(workplace, capsys, options, words):
    np.savez("plain.npz", images=np.zeros((8, 16, 16, 1), np.uint8))
    assert run("train", *DATA, *WORDS, *options) == 2
    said = capsys.readouterr().err
    assert words in said and not (workplace / "runs").exists()
