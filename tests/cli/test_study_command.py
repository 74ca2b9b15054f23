"""`keras-devae study`, from the file to the table."""

import csv
import json
import os
import sys
from pathlib import Path

import pytest
from running import run

from keras_devae.studies import Study, engines, scheduler
from keras_devae.studies.progress import show_progress
from keras_devae.studies.scheduler import StudyProgress

STUDY = """
name = "tiny"

[settings]
dataset = "npz:images.npz"
model = "vae"
network = "mlp"
latent_dim = 2
steps = 4
checkpoint_every = 2
batch_size = 16
evaluation_images = 32
metrics = ["mig", "kl"]

[[sweep.list]]
product = { seed = [0, 1] }

[[sweep.list]]
model = "devae"
betas = [1, 4]

[[sweep.list]]
# The loss is not finite at the second step.
learning_rate = 1e30
"""


@pytest.fixture
def study_file(workplace):
    Path("study.toml").write_text(STUDY)
    return "study.toml"


@pytest.mark.thorough
@pytest.mark.backends
def test_four_runs_of_which_one_fails(study_file, capsys):
    assert run("study", "run", study_file, "--workers", "2") == 1
    printed = capsys.readouterr()
    assert "3/4 done, 1 failed" in printed.out and "became nan" in printed.out
    assert printed.err.count(": done in ") == 3 and printed.err.count(": failed: ") == 1
    assert "left" in printed.err
    again = f"keras-devae study run {study_file} --workers 2 --retry-failed"
    assert printed.out.endswith(f"Retry failed runs with: {again}\n")

    assert run("study", "status", study_file, "--json") == 0
    status = json.loads(capsys.readouterr().out)
    nothing = dict.fromkeys(("running", "interrupted", "waiting"), 0)
    assert status["counts"] == {"done": 3, "failed": 1, **nothing}
    assert [row["state"] for row in status["runs"]] == ["done"] * 3 + ["failed"]
    assert [row["step"] for row in status["runs"]][:3] == [4, 4, 4]

    # The runs are runs as any other.
    folder = Path("runs/tiny")
    assert run("runs", "list", "--runs-dir", folder, "--filter", "model=devae", "--json") == 0
    (devae,) = json.loads(capsys.readouterr().out)
    assert devae["run"] == status["runs"][2]["run"]
    assert run("evaluate", folder / devae["run"], "--metrics", "kl", "--json") == 0
    scores = json.loads(capsys.readouterr().out)

    assert run("study", "table", folder, "--output", "results.csv") == 0
    assert "rows in results.csv" in capsys.readouterr().out
    with open("results.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    value = {(row["run"], row["layer"], row["metric"]): row["value"] for row in rows}
    assert float(value[devae["run"], "1", "kl.total"]) == scores["layers"][1]["kl.total"]
    assert len({row["run"] for row in rows}) == 4 and "became nan" in rows[-1]["reason"]
    assert {row["option.betas"] for row in rows} == {"", "[1.0, 4.0]"}
    assert run("study", "table", study_file) == 0
    assert capsys.readouterr().out == Path("results.csv").read_text()
    assert run("study", "table", study_file, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == len(rows)

    # Nothing is left to do, and nothing is done.
    before = {path: os.stat(path).st_mtime_ns for path in folder.glob("*/model.keras")}
    attempts = {path: path.read_text() for path in folder.glob("records/*/attempts.jsonl")}
    assert run("study", "run", study_file) == 1
    assert {path: os.stat(path).st_mtime_ns for path in folder.glob("*/model.keras")} == before
    assert {path: path.read_text() for path in attempts} == attempts and len(attempts) == 4
    assert run("study", "status", folder) == 0
    out = capsys.readouterr().out
    assert "3 done, 0 running, 0 interrupted, 1 failed, 0 waiting" in out
    assert "study run FILE --retry-failed" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "0"], "--workers must be a whole number of at least 1"),
        (["--engine", "rey"], "Did you mean 'ray'"),
        (["--cpus-per-run", "2"], "--cpus-per-run needs --engine ray"),
        (["--ray-address", "auto", "--gpus-per-run", "1"], "--gpus-per-run"),
        (["--engine", "ray", "--gpus-per-run", "1.5"], "--gpus-per-run must be a whole number"),
        (["--engine", "ray", "--cpus-per-run", "2.5"], "--cpus-per-run must be a whole number"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_made(study_file, capsys, words, message):
    assert run("study", "run", study_file, *words) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.fixture
def interrupted(monkeypatch):
    """Has every study be interrupted at once."""

    def interrupt(study, engine, report, retry_failed, grouping):
        raise KeyboardInterrupt

    monkeypatch.setattr(scheduler, "carry_out_study", interrupt)


def test_the_command_to_go_on_is_the_one_that_was_typed(study_file, capsys, interrupted):
    Path("a study.toml").write_text(STUDY)
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    words = ["--backend", backend, "study", "run", "a study.toml", "--workers", "2"]
    assert run(*words, "--retry-failed", "--runs-dir", "my runs") == 130
    words[4] = "'a study.toml'"
    command = " ".join(["keras-devae", *words, "--runs-dir 'my runs'"])
    assert capsys.readouterr().err == f"Interrupted. Resume it with: {command}\n"


def test_the_nodes_of_a_cluster_have_a_default_backend_of_their_own(
    study_file, monkeypatch, interrupted
):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setattr(engines, "make_engine", lambda *choices: None)
    assert run("study", "run", study_file, "--engine", "ray") == 130
    assert "KERAS_BACKEND" not in os.environ


def test_runs_that_the_file_does_not_name_are_counted(study_file, capsys, interrupted):
    Path("runs/tiny/another").mkdir(parents=True)
    assert run("study", "run", study_file) == 2
    assert "is not a study" in capsys.readouterr().err
    Path("runs/tiny/another").rename("another")
    assert run("study", "run", study_file) == 130
    assert "Others" not in capsys.readouterr().out
    Path("another").rename("runs/tiny/another")
    Path("runs/tiny/another/config.json").write_text("{}")
    assert run("study", "run", study_file) == 130
    assert "Others   1 runs in runs/tiny that study.toml does not name" in capsys.readouterr().out


def test_brackets_in_a_reason_are_printed_as_they_are(study_file, capsys, interrupted, monkeypatch):
    assert run("study", "run", study_file) == 130
    study = Study.open("runs/tiny")
    study.runs[0].fail("CUDA error on [/a], of shape [batch, 64] :cat:", 1)
    monkeypatch.setenv("COLUMNS", "160")
    assert run("study", "status", study_file) == 0
    assert "[/a], of shape [batch, 64] :cat:" in capsys.readouterr().out
    with show_progress() as report:
        report(StudyProgress(0, 0, 1, 4, None, ("x: failed: [/a] [batch, 64]",)))
    assert "x: failed: [/a] [batch, 64]  (0/5 done" in capsys.readouterr().err


def test_a_missing_ray_is_said_in_one_sentence(study_file, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert run("study", "run", study_file, "--engine", "ray") == 2
    assert "pip install 'keras-devae[ray]'" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_study_that_has_not_been_run_waits(study_file, capsys):
    assert run("study", "status", study_file) == 0
    printed = capsys.readouterr().out
    assert printed.count("waiting") == 5 and "0 done, 0 running" in printed
    assert run("study", "status", "runs/tiny") == 2 and "study file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--together", "--engine", "ray"), "--together needs --engine local or inline"),
        (("--group-size", "4"), "--group-size needs --together."),
        (("--together", "--group-size", "1"), "--group-size must be a whole number of at least 2"),
    ],
)
def test_training_together_is_refused_before_any_work(study_file, capsys, words, sentence):
    assert run("study", "run", study_file, *words) == 2
    assert sentence in capsys.readouterr().err and not Path("runs").exists()


def test_only_one_backend_trains_together(study_file, capsys, monkeypatch):
    monkeypatch.setattr("keras_devae.studies.grouping.chosen_backend", lambda: "torch")
    assert run("study", "run", study_file, "--together") == 2
    error = capsys.readouterr().err
    assert "the backend torch trains one run at a time. Leave --together out, or give" in error
    assert error.endswith("--backend jax before the command.\n")
    assert not Path("runs").exists()
