"""Proposals on the command line: what is printed, kept, recorded, and left alone."""

import json
import shlex

import numpy as np
import pytest

from keras_devae.cli import main

TINY = ["--network", "mlp", "--network-units", "8", "--latent-dim", "3"]
SHORT = [*TINY, "--steps", "2", "--evaluation-images", "50", "--metrics", "kl"]


def run(arguments):
    with pytest.raises(SystemExit) as ending:
        main(arguments)
    return ending.value.code


def test_proposals_can_be_typed(workplace, capsys):
    assert run(["suggest", "--dataset", "npz:images.npz", *TINY, "--steps", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["settings"]["likelihood"] == "bernoulli"
    assert found["settings"]["batch_size"] == 64
    assert set(found["reasons"]) == set(found["settings"])
    words = shlex.split(found["command"])
    assert words[:2] == ["keras-devae", "train"]
    more = ["--evaluation-images", "50", "--metrics", "kl", "--run", "typed"]
    assert run([*words[1:], *more]) == 0
    assert "there is nothing to propose" not in capsys.readouterr().err


def test_sizes_that_are_not_square_can_be_typed(workplace, capsys):
    np.save("wide.npy", np.random.default_rng(0).integers(0, 256, (9, 16, 20, 1), np.uint8))
    own = ["suggest", "--dataset", "npy:wide.npy", *TINY, "--steps", "2"]
    assert run([*own, "--json"]) == 0
    assert "--image-size 16x20 " in json.loads(capsys.readouterr().out)["command"]
    assert run([*own, "--image-size", "24x18", "--learning-rate", "0.00012345678"]) == 0
    printed = capsys.readouterr().out
    assert "--image-size 24x18 " in printed and "(from the sizes" not in printed
    assert "--learning-rate 0.00012345678" in printed


def test_train_fills_in_what_is_not_given(workplace, capsys):
    assert run(["train", "--dataset", "npz:images.npz", *SHORT, "--run", "own"]) == 0
    printed = capsys.readouterr().out
    assert "--learning-rate 0.001 " in printed
    config = json.loads((workplace / "runs/own/config.json").read_text())["settings"]
    assert config["training"]["learning_rate"] == 1e-3
    recorded = json.loads((workplace / "runs/own/suggestions.json").read_text())
    assert recorded["settings"]["learning_rate"] == 1e-3
    assert run(["doctor", "runs/own"]) == 0


def test_given_settings_are_kept(workplace, capsys):
    given = ["--learning-rate", "3e-4", "--likelihood", "gaussian", "--batch-size", "8"]
    assert run(["train", "--dataset", "npz:images.npz", *SHORT, *given, "--run", "own"]) == 0
    config = json.loads((workplace / "runs/own/config.json").read_text())["settings"]
    assert config["training"]["learning_rate"] == 3e-4
    assert config["training"]["batch_size"] == 8
    assert config["model"]["likelihood"] == "gaussian"


def test_plain_defaults_on_request(workplace, capsys):
    plain = ["train", "--dataset", "npz:images.npz", *SHORT, "--run", "own", "--no-suggest"]
    assert run(plain) == 0
    config = json.loads((workplace / "runs/own/config.json").read_text())["settings"]
    assert config["training"]["learning_rate"] == 1e-4
    assert "betas by 16x16 pixels" in capsys.readouterr().out
    assert not (workplace / "runs/own/suggestions.json").exists()


def test_proposed_pressures_are_not_called_scaled_defaults(workplace, capsys):
    np.save("dim.npy", np.random.default_rng(0).integers(99, 102, (60, 16, 16, 1), np.uint8))
    assert run(["train", "--dataset", "npy:dim.npy", *SHORT, "--run", "dim"]) == 0
    printed = capsys.readouterr().out
    assert "--betas " in printed and "betas by" not in printed


def test_wrong_time(workplace, capsys):
    assert run(["suggest", "--dataset", "npz:images.npz", "--time", "0"]) == 2
    assert "--time" in capsys.readouterr().err


def test_tables_of_pixels_do_not_matter(workplace, capsys):
    np.save("plain.npy", np.full((5, 16, 16, 3), 90, np.uint8))
    assert run(["suggest", "--dataset", "npy:plain.npy", *TINY, "--steps", "2"]) == 0
    assert "--batch-size 4 " in capsys.readouterr().out


def test_measuring_warns_of_nothing(workplace, capsys):
    assert run(["suggest", "--dataset", "npz:images.npz", *TINY, "--steps", "2"]) == 0
    assert "collapsed" not in capsys.readouterr().err
