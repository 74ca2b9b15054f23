"""What the commands say where another latent layer than the exported one reconstructs best."""

import pytest
from running import run

from keras_devae.runs import Run, RunDirectory

LOSS = "reconstruction_error.negative_log_likelihood"
SAID = "layers 0 / 1 / 2 lose 309.6 / 258.8 / 271.8 nats per image"


def test_a_better_layer_is_named_and_can_be_exported(workplace, monkeypatch, capsys):
    words = ["--dataset", "npz:images.npz", "--network", "mlp", "--latent-dim", "2"]
    words += ["--steps", "2", "--batch-size", "16", "--metrics", "reconstruction_error"]
    assert run("train", *words, "--run", "a") == 0
    directory = RunDirectory.open("runs/a")
    scores = directory.read_metrics()
    for layer, loss in zip(scores["layers"], (309.6, 258.8, 271.8), strict=True):
        layer[LOSS] = loss
    directory.write_metrics(scores)
    capsys.readouterr()

    written = []
    monkeypatch.setattr("keras_devae.export.export_model", lambda *given: written.append(given[1:]))
    assert run("export", directory.path, "first") == 0
    said = capsys.readouterr().err
    assert SAID in said and f"keras-devae export {directory.path} FOLDER --layer 1" in said
    assert run("export", directory.path, "best", "--layer", "1") == 0
    assert "nats" not in capsys.readouterr().err
    assert written == [("first", "tf_saved_model", 0, None), ("best", "tf_saved_model", 1, None)]

    assert run("report", directory.path) == 0
    assert SAID in directory.report_file.read_text(encoding="utf-8")

    # Scores of other weights say nothing of these.
    scores["settings"]["model_sha256"] = "0" * 64
    directory.write_metrics(scores)
    capsys.readouterr()
    assert run("export", directory.path, "other") == 0
    assert "nats" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [["evaluate"], ["train", "--resume"]])
def test_scores_end_with_a_word_on_the_layers(words, workplace, monkeypatch, capsys):
    given = ["--dataset", "npz:images.npz", "--network", "mlp", "--latent-dim", "2"]
    given += ["--steps", "2", "--batch-size", "16", "--metrics", "reconstruction_error"]
    assert run("train", *given, "--run", "a") == 0
    measure = Run.score

    def with_losses(*arguments, **options):
        scores = measure(*arguments, **options)
        for layer, loss in zip(scores["layers"], (309.6, 258.8, 271.8), strict=True):
            layer[LOSS] = loss
        return scores

    monkeypatch.setattr(Run, "score", with_losses)
    capsys.readouterr()
    assert run(*words, "runs/a") == 0
    assert SAID in capsys.readouterr().err
