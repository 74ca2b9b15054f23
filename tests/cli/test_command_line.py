"""The command line as a user meets it: exit codes, sentences, files."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image
from running import have_equal_histories, run
from thoroughness import quick_first

from keras_devae import data
from keras_devae.cli import main
from keras_devae.files import read_table
from keras_devae.runs import Run, RunDirectory
from keras_devae.runs import run as run_module
from keras_devae.runs.diagnosis import examine
from keras_devae.runs.recorder import RunRecorder
from keras_devae.runs.trained_model import load_trained

pytestmark = pytest.mark.backends

TINY = [
    *("--dataset", "dsprites", "--source", "rendered", "--image-size", "32"),
    *("--batch-size", "16", "--latent-dim", "3", "--evaluation-images", "200"),
]
#: What the run of `trained` printed.
PRINTED = []


def picture_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of runs with one finished run, `tiny`."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["train", *TINY, "--steps", "12", "--checkpoint-every", "5", "--seed", "7"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert run(*words, "--run", "tiny", "--runs-dir", folder, "--show", "all") == 0
    PRINTED.append(printed.getvalue().replace(f"{folder / 'tiny'}", "runs/tiny"))
    return folder


def test_train_ends_with_a_summary_that_fits_a_screen(trained):
    _, trained_for, summary = PRINTED[-1].partition("\nTrained devae for 12 steps in ")
    lines = (trained_for + summary).splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert lines[1].endswith(" s.")
    assert ["score", "layer", "0", "layer", "1", "layer", "2"] in [line.split() for line in lines]
    assert [line.split()[0] for line in lines[5:9]] == ["mig", "reconstruction", "kl", "active"]
    assert "MIG by factor: " in summary and "Report   runs/tiny/report.html" in lines
    assert "runs/tiny/figures/ (traversals, reconstructions, learning curves)" in summary
    assert "  keras-devae explore runs/tiny " in summary


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "factor_vae", "--show", "total_corelation"], "'total_correlation_loss'"),
        (["--model", "pca", "--show", "all"], "Leave out --show"),
    ],
)
def test_values_to_show_are_checked_before_a_run_is_made(words, said, workplace, capsys):
    assert run("train", *TINY, *words, "--steps", "4", "--run", "shown") == 2
    assert said in capsys.readouterr().err and not list(workplace.glob("runs/*"))


def test_train_leaves_the_whole_run_directory(trained):
    path = trained / "tiny"
    names = {file.name for file in path.iterdir()}
    assert names == {
        *("config.json", "history.csv", "metrics.json", "model.keras"),
        *("checkpoints", "codes", "figures", "report.html", ".lock"),
    }
    assert [row["step"] for row in RunDirectory(path).read_history()] == [5, 10, 12]
    assert RunDirectory(path).checkpoint_steps() == [12, 10]
    for figure in ("traversal", "reconstructions", "learning-curves"):
        assert picture_of(path / "figures" / f"{figure}.png").shape[1] > 100
    page = (path / "report.html").read_text()
    figures = list((path / "figures").glob("*.png"))
    # Charts are drawn for the page; the images are those of the folder.
    assert page.count("data:image/png;base64,") >= len(figures) >= 4
    assert "mig.<wbr>score" in page and "http" not in page


#: Command -> whether it needs a backend.
CHOOSING = {
    "annealing-test --dataset dsprites": True,
    "compare {folder} --select udr": True,
    "compare {folder}": False,
    "doctor": True,
    "doctor {run}": False,
    "evaluate {run}": True,
    "export {run} exported": True,
    "plot learning-curves {run}": False,
    "plot traversal {run}": True,
    "report {run}": True,
    "reproduce list": False,
    "runs list --runs-dir {folder}": False,
    "train --dataset dsprites": True,
    "train --resume {run}": True,
}
#: Says which commands choose a backend, and ends each there.
UP_TO_THE_CHOICE = """
import sys

import keras_devae.backend
from keras_devae.cli import main

chosen = []

def choose(*arguments, **options):
    chosen.append(command)
    sys.exit(0)

keras_devae.backend.start_backend = choose
for command in sys.argv[1:]:
    try:
        main(command.split())
    except SystemExit as ending:
        assert ending.code == 0, (command, ending.code)
    assert "keras" not in sys.modules, command
print("chosen", *chosen, sep="\\n")
"""


def test_keras_is_not_imported_before_its_backend_is_chosen(trained, tmp_path, fresh_python):
    """Once it is imported, `--backend` and the backend of a run come too late."""
    shutil.copytree(trained, tmp_path / "runs")
    commands = {
        words.format(folder="runs", run="runs/tiny"): is_so for words, is_so in CHOOSING.items()
    }
    output, _ = fresh_python("-c", UP_TO_THE_CHOICE, *commands)
    chosen = output.rpartition("chosen\n")[2].splitlines()
    assert chosen == [words for words, is_so in commands.items() if is_so]


#: Packages that no answer should wait for which computes, draws and loads nothing.
SLOW_TO_IMPORT = [
    *("tensorflow", "jax", "torch", "keras", "sklearn", "scipy", "lightgbm", "pandas"),
    *("matplotlib", "PIL", "h5py", "jinja2", "requests", "gradio", "ray", "tensorboardX"),
]
#: Command -> its exit status. The help of every command comes on top of these.
AT_ONCE = {
    "annealing-test --dataset dsprite": 2,
    "data info shapes3d": 0,
    "data list": 0,
    "doctor {run}": 0,
    "evaluate {run} --layer first": 2,
    "export nowhere exported": 2,
    "metrics": 0,
    "models": 0,
    "presets": 0,
    "presets --model beta_vae --dataset dsprites": 0,
    "reproduce list": 0,
    "runs list --runs-dir {folder}": 0,
    "study run study.toml --workers 0": 2,
    "study status study.toml": 0,
    "study table study.toml": 0,
    "train --dataset dsprite": 2,
    "train --model beta_vae --beta -1": 2,
    "train --model devea": 2,
    "train --resume nowhere": 2,
    "train --steps -1": 2,
}
#: Says which packages of its first argument are imported by which command first, the process of a
#: study's run among them, as long as it has not begun.
IN_TURN = """
import importlib, itertools, json, sys

import click
from keras_devae.cli import main
from keras_devae.cli.main import cli

slow, statuses = map(json.loads, sys.argv[1:])
importing = {}

def note(what):
    found = set(slow) & set(sys.modules) - {name for names in importing.values() for name in names}
    importing.update({what: sorted(found)} if found else {})

def helps(group, *words):
    for name in group.list_commands(None):
        yield " ".join([*words, name, "--help"])
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from helps(command, *words, name)

for command, status in itertools.chain(zip(helps(cli), itertools.repeat(0)), statuses.items()):
    try:
        main(command.split())
    except SystemExit as ending:
        assert ending.code == status, (command, ending.code)
    note(command)
importlib.import_module("keras_devae.studies.worker")
note("worker")
print(json.dumps(importing))
"""
STUDY_OF_TWO = """
[settings]
dataset = "dsprites"
metrics = ["mig", "dci"]
[[sweep.list]]
product = { seed = [0, 1] }
"""


def test_what_computes_nothing_imports_nothing_slow(trained, tmp_path, fresh_python):
    """Such answers come in a fraction of a second, of which imports are most."""
    shutil.copytree(trained, tmp_path / "runs")
    (tmp_path / "study.toml").write_text(STUDY_OF_TWO)
    statuses = {words.format(folder="runs", run="runs/tiny"): s for words, s in AT_ONCE.items()}
    words = (json.dumps(SLOW_TO_IMPORT), json.dumps(statuses))
    output, _ = fresh_python("-c", IN_TURN, *words, KERAS_DEVAE_DATA=str(tmp_path / "data"))
    assert "--metric-settings" in output and "mutual information gap" in output
    assert json.loads(output.splitlines()[-1]) == {}


LOADING = ["evaluate", "export", "report", "plot traversal"]


@pytest.mark.parametrize("command", quick_first(LOADING, ["export"]))
def test_a_command_finds_the_classes_of_a_model_by_itself(trained, command, fresh_python, tmp_path):
    """In the tests' own process something else has imported them."""
    run_path = tmp_path / "tiny"
    shutil.copytree(trained / "tiny", run_path)
    if command == "export" and keras.backend.backend() != "tensorflow":
        pytest.skip("Export needs TensorFlow.")
    target = [tmp_path / "exported"] if command == "export" else []
    fresh_python("-m", "keras_devae.cli", *command.split(), run_path, *target)


def test_config_names_all_that_made_the_run(trained):
    record = json.loads((trained / "tiny" / "config.json").read_text())
    settings = record["settings"]
    assert record["version"] == 2 and settings["kind"] == "training"
    assert settings["training"]["seed"] == 7 and settings["training"]["steps"] == 12
    assert settings["data"]["image_size"] == 32
    assert settings["model"]["likelihood"] == "bernoulli"
    # The published pressures for 64x64 pixels, times a quarter for 32x32.
    assert settings["model"]["options"]["betas"] == [0.25, 2.5, 10.0]
    assert record["data"]["source"] == "rendered"
    assert record["environment"]["packages"]["keras"]


def test_metrics_name_their_settings(trained):
    scores = json.loads((trained / "tiny" / "metrics.json").read_text())
    settings = scores["settings"]
    assert settings["seed"] == 7 and settings["images"] == 200
    assert settings["metrics"]["mig"]["bins"] == 20
    assert settings["representation"] == "mean"
    assert len(settings["model_sha256"]) == 64
    assert [layer["layer"] for layer in scores["layers"]] == [0, 1, 2]
    # A histogram of 20 equal bins does not change under a scaling, and the layers are scalings.
    migs = [layer["mig.score"] for layer in scores["layers"]]
    np.testing.assert_allclose(migs, migs[0], atol=0.02)


def test_evaluate_twice_gives_the_same_file(trained, tmp_path, capsys):
    for name in ("a.json", "b.json"):
        words = ["evaluate", trained / "tiny", "--metrics", "mig", "--seed", "3"]
        assert run(*words, "--json", "--output", tmp_path / name) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text())["settings"]["seed"] == 3
    assert run("evaluate", trained / "tiny") == 0
    assert "reconstruction_error.negative_log_likelihood" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["traversal", "reconstructions", "samples"])
def test_plot_draws_a_picture(trained, tmp_path, kind):
    out = tmp_path / "picture.png"
    assert run("plot", kind, trained / "tiny", "--layer", "1", "--out", out) == 0
    assert picture_of(out).std() > 0


def test_runs_are_listed_and_filtered(trained, capsys):
    assert run("runs", "list", "--runs-dir", trained, "--filter", "seed=7", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["run"] == "tiny" and row["steps"] == "12/12"
    assert run("runs", "list", "--runs-dir", trained, "--filter", "seed=8", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run("runs", "list", "--runs-dir", trained, "--filter", "seed") == 2


def test_a_run_is_never_overwritten_unasked(trained, capsys):
    words = ["train", *TINY, "--steps", "2", "--run", "tiny", "--runs-dir", trained]
    before = (trained / "tiny" / "model.keras").read_bytes()
    assert run(*words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (trained / "tiny" / "model.keras").read_bytes() == before


def test_a_folder_that_is_not_a_run_is_never_removed(tmp_path, capsys):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("five years")
    words = ["train", *TINY, "--run", "thesis", "--runs-dir", tmp_path, "--overwrite"]
    assert run(*words) == 2
    assert "is not a run" in capsys.readouterr().err
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "five years"


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:The brightest")
def test_a_good_run_outlives_a_request_to_overwrite_it_that_cannot_be_met(tmp_path, capsys):
    words = ["train", *TINY, "--steps", "2", "--run", "good", "--runs-dir", tmp_path]
    assert run(*words) == 0
    before = {file.name for file in (tmp_path / "good").iterdir()}
    np.savez(tmp_path / "big.npz", images=np.full((9, 12, 48), 200, np.uint8))
    np.savez(tmp_path / "dark.npz", images=np.ones((9, 32, 32), np.float32) / 255)
    for name, reason in (("big", "16 to 512 pixels"), ("dark", "almost black")):
        own = ["--dataset", f"npz:{tmp_path / name}.npz", "--run", "good", "--overwrite"]
        assert run("train", *own, "--runs-dir", tmp_path) == 2
        assert reason in capsys.readouterr().err
    assert {file.name for file in (tmp_path / "good").iterdir()} == before


@pytest.mark.thorough
def test_a_run_goes_on_with_the_images_it_was_made_with(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32), dtype=np.uint8)
    np.savez("own.npz", images=images)
    words = ["train", "--dataset", "npz:own.npz", "--steps", "2", "--batch-size", "4"]
    assert run(*words, "--run", "r", "--runs-dir", tmp_path) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run("evaluate", tmp_path / "r", "--metrics", "kl, active_variables") == 0

    images[7, 5, 3] ^= 1
    np.savez("../own.npz", images=images)
    assert run("evaluate", tmp_path / "r") == 1
    assert "made with other images" in capsys.readouterr().err


def test_a_damaged_run_is_left_out_of_the_list(trained, tmp_path, capsys):
    for name, text in (("broken", "{"), ("empty", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(text)
    assert run("runs", "list", "--runs-dir", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []
    assert run("evaluate", tmp_path / "empty") == 1


def test_an_unforeseen_error_is_one_sentence(trained, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(Run, "score", fail)
    assert run("evaluate", trained / "tiny") == 1
    error = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in error and "Traceback" not in error
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "evaluate", str(trained / "tiny")])


@pytest.mark.thorough
def test_same_seed_gives_the_same_history(trained, tmp_path):
    words = ["train", *TINY, "--steps", "12", "--checkpoint-every", "5", "--seed", "7"]
    assert run(*words, "--run", "again", "--runs-dir", tmp_path) == 0
    assert have_equal_histories(tmp_path / "again", trained / "tiny")


def weights_of(run_path):
    return [np.asarray(value) for value in load_trained(RunDirectory(run_path)).get_weights()]


def signalled(*numbers):
    def send():
        for number in numbers:
            os.kill(os.getpid(), number)

    return send


def raised():
    raise KeyboardInterrupt


#: What interrupts after step 7, the status, and the checkpoints then. A signal waits for the step.
INTERRUPTIONS = {
    "Ctrl-C": (signalled(signal.SIGINT), 130, [8, 5]),
    "SIGTERM": (signalled(signal.SIGTERM, signal.SIGTERM), 143, [8, 5]),
    "Ctrl-C twice": (signalled(signal.SIGINT, signal.SIGINT), 130, [5, 0]),
    "an exception": (raised, 130, [7, 5]),
}


def interrupted(act, step, words):
    """Runs the command line, which is interrupted after a step, and returns its status."""
    count_steps = RunRecorder.on_train_batch_end

    def interrupt(self, batch, logs=None):
        count_steps(self, batch, logs)
        if self.step == step:
            act()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunRecorder, "on_train_batch_end", interrupt)
        return run(*words)


@pytest.mark.parametrize("how", quick_first(INTERRUPTIONS, {"Ctrl-C", "Ctrl-C twice"}))
def test_interrupted_and_resumed_equals_uninterrupted(how, trained, tmp_path, capsys):
    """Nothing is lost but what a second Ctrl-C does not wait for, and then come the same steps."""
    act, status, steps = INTERRUPTIONS[how]
    words = ["train", *TINY, "--steps", "12", "--checkpoint-every", "5", "--seed", "7"]
    words += ["--run", "tiny", "--runs-dir", tmp_path]
    assert interrupted(act, 7, words) == status
    tiny = RunDirectory(tmp_path / "tiny")
    assert tiny.checkpoint_steps() == steps and tiny.leftovers() == []
    error = capsys.readouterr().err
    assert f"from step {steps[0]}. " in error and f"--resume {shlex.quote(str(tiny.path))}" in error
    assert load_trained(tiny).optimizer.iterations == steps[0]
    assert "history.csv" not in str([f for f in examine(tiny.path) if f.state == "problem"])

    assert run("train", "--resume", tiny.path) == 0
    assert [row["step"] for row in tiny.read_history()] == [5, 10, 12]
    assert have_equal_histories(tiny.path, trained / "tiny")
    for ours, theirs in zip(weights_of(tiny.path), weights_of(trained / "tiny"), strict=True):
        # Adam moves a weight by 1e-4 in a step.
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    # The last epoch is not whole, so that a longer run would continue it.
    assert {file.name for file in tiny.checkpoints.glob("*.json")} == {"step-00000012.json"}


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore:At step")
def test_interrupted_in_every_epoch_a_run_ends_alike(tmp_path):
    """Also twice in one, in the last one, and with what is measured meanwhile."""
    words = ["train", *TINY, "--steps", "13", "--checkpoint-every", "5", "--metrics", "kl"]
    words += ["--track", "kl,information", "--track-every", "3", "--runs-dir", tmp_path, "--run"]
    assert run(*words, "whole") == 0
    assert interrupted(raised, 2, [*words, "often"]) == 130
    often, whole = RunDirectory(tmp_path / "often"), RunDirectory(tmp_path / "whole")
    for step in (3, 6, 9, 11, 12):
        assert interrupted(raised, step, ["train", "--resume", often.path]) == 130
        assert often.checkpoint_steps()[0] == step
    assert run("train", "--resume", often.path) == 0
    assert have_equal_histories(often.path, whole.path)
    for name in ("kl.csv", "information.csv"):
        rows = [read_table(directory.tracking / name) for directory in (often, whole)]
        assert rows[0] == [pytest.approx(row, rel=1e-3, abs=1e-6) for row in rows[1]], name
    for ours, theirs in zip(weights_of(often.path), weights_of(whole.path), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("end", "code", "ignored"),
    [(signal.SIGINT, 130, ""), (signal.SIGTERM, 143, ""), (signal.SIGINT, 130, "INT TERM")],
    ids=["Ctrl-C", "SIGTERM", "Ctrl-C where the shell ignores it"],
)
def test_a_process_ended_from_outside_resumes_to_the_same_end(end, code, ignored, tmp_path):
    words = ["train", *TINY, "--steps", "400", "--checkpoint-every", "20"]
    # As shells without job control start what runs in the background.
    command = ["sh", "-c", f"trap '' {ignored or 'HUP'}; exec \"$@\"", "sh"]
    command += [sys.executable, "-m", "keras_devae.cli", *words, "--runs-dir", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--run", "ended"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    directory = RunDirectory(tmp_path / "ended")
    deadline = time.monotonic() + 600
    while len(directory.checkpoint_steps()) < 2 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(end)
    _, errors = process.communicate()
    assert process.returncode == code and "Traceback" not in errors
    step = directory.checkpoint_steps()[0]
    assert 0 < step < 400 and load_trained(directory).optimizer.iterations == step
    assert f"The last checkpoint is from step {step}. " in errors

    assert run("train", "--resume", directory.path) == 0
    assert run(*words, "--runs-dir", tmp_path, "--run", "whole") == 0
    whole = RunDirectory(tmp_path / "whole")
    assert directory.read_history()[-1]["step"] == 400
    np.testing.assert_allclose(
        [row["loss"] for row in directory.read_history()],
        [row["loss"] for row in whole.read_history()],
        rtol=1e-4,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("damage", ["truncated", "overwritten"])
def test_a_damaged_checkpoint_is_passed_over(damage, tmp_path):
    words = ["train", *TINY, "--steps", "6", "--checkpoint-every", "3"]
    assert run(*words, "--run", "r", "--runs-dir", tmp_path) == 0
    directory = RunDirectory(tmp_path / "r")
    shutil.copytree(directory.path, tmp_path / "whole")
    newest = directory.checkpoint_file(6)
    content = bytearray(newest.read_bytes())
    middle = len(content) // 2
    if damage == "overwritten":
        content[middle : middle + 200] = bytes(200)
    newest.write_bytes(content if damage == "overwritten" else content[:middle])
    directory.model_file.unlink()
    assert run("train", "--resume", directory.path) == 0
    assert have_equal_histories(directory.path, tmp_path / "whole")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--batch-size", "50"), "--batch-size"),
        (("--no-resident",), "--no-resident"),
        (("--seed", "0"), "--seed"),
        (("--overwrite",), "--overwrite"),
    ],
)
def test_resume_keeps_its_settings(trained, capsys, words, named):
    assert run("train", "--resume", trained / "tiny", *words) == 2
    assert f"leave out {named}." in capsys.readouterr().err


def test_what_keeps_a_run_from_going_on_is_said_before_its_images_are_loaded(
    trained, monkeypatch, capsys
):
    def load(self, *arguments, **options):
        raise AssertionError("The images are loaded.")

    monkeypatch.setattr(RunDirectory, "load_dataset", load)
    assert run("--backend", "jaxx", "train", "--resume", trained / "tiny") == 2
    assert "jaxx" in capsys.readouterr().err
    holder = RunDirectory(trained / "tiny")
    holder.claim()
    try:
        assert run("train", "--resume", trained / "tiny") == 2
    finally:
        holder.release()
    assert "Another process is training" in capsys.readouterr().err


def test_a_run_that_goes_on_with_another_backend_says_so(trained, tmp_path, caplog):
    shutil.copytree(trained / "tiny", tmp_path / "moved")
    directory = RunDirectory(tmp_path / "moved")
    record, active = directory.read_record(), keras.backend.backend()
    other = "jax" if active != "jax" else "torch"
    record["settings"]["compute"]["backend"] = other
    directory.config_file.write_text(json.dumps(record))
    with Run.resume(directory.path) as resumed:
        assert resumed.is_chief
    assert resumed.config.compute.backend == directory.read_config().compute.backend == active
    assert directory.read_record()["backends"] == [other, active]
    assert f"started on {other} and resumes on {active}" in caplog.text
    assert f"--backend {other}" in caplog.text


def test_a_name_that_another_process_takes_meanwhile_is_numbered(tmp_path, monkeypatch):
    load = run_module.load_dataset

    def slowly(*arguments, **options):
        (tmp_path / "vae-dsprites-seed0").mkdir()
        (tmp_path / "vae-dsprites-seed0" / "config.json").write_text("{}")
        return load(*arguments, **options)

    monkeypatch.setattr(run_module, "load_dataset", slowly)
    words = ["--model", "vae", "--network", "mlp", "--steps", "2", "--metrics", "kl"]
    assert run("train", *TINY, *words, "--runs-dir", tmp_path) == 0
    assert (tmp_path / "vae-dsprites-seed0-2" / "model.keras").is_file()
    assert (tmp_path / "vae-dsprites-seed0" / "config.json").read_text() == "{}"


def test_what_tensorboard_needs_is_asked_for_before_a_run_is_overwritten(
    trained, tmp_path, monkeypatch, capsys
):
    shutil.copytree(trained / "tiny", tmp_path / "good")
    before = {file.name for file in (tmp_path / "good").iterdir()}
    words = ["train", *TINY, "--run", "good", "--overwrite", "--runs-dir", tmp_path]
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert run(*words, "--tensorboard") == 2
    # Without TensorFlow, the distribution has another name.
    remedy = r"pip install 'keras-devae(-core)?\[tensorboard\]'"
    assert re.search(remedy, capsys.readouterr().err)
    assert {file.name for file in (tmp_path / "good").iterdir()} == before


@pytest.mark.thorough
def test_training_that_diverges_says_so(tmp_path, capsys):
    words = ["train", *TINY, "--steps", "40", "--checkpoint-every", "5", "--learning-rate", "1e18"]
    assert run(*words, "--run", "r", "--runs-dir", tmp_path) == 1
    message = capsys.readouterr().err
    assert "Training stopped at step" in message and "Traceback" not in message
    assert load_trained(RunDirectory(tmp_path / "r")).latent_dim == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--dataset", "shape3d"], "'shapes3d'"),
        (["--model", "devea"], "'devae'"),
        (["--metrics", "migg"], "'mig'"),
        (["--preset", "quik"], "'quick'"),
        (["--network", "conv"], "'convolutional'"),
        (["--likelihood", "bernouli"], "'bernoulli'"),
        (["--source", "offical"], "'official'"),
        (["--mixed-precision", "float32"], "'float16'"),
        (["--objective", "sample"], "'sampled'"),
        (["--model", "beta_vae", "--beta", "-1"], "--beta "),
        (["--model", "vae", "--beta", "4"], "option of vae"),
        (["--betas", "1,-10"], "--betas "),
        (["--betas", "1,ten"], "1,ten"),
        (["--layer-weight-base", "-1"], "--layer-weight-base "),
        (["--latent-dim", "0"], "--latent-dim "),
        (["--batch-size", "0"], "--batch-size "),
        (["--steps", "0"], "--steps "),
        (["--learning-rate", "0"], "--learning-rate "),
        (["--seed", "-1"], "--seed "),
        (["--seed", "5000000000"], "--seed "),
        (["--runs-dir", "/proc/version"], "Cannot write"),
        (["--steps", "10", "--steps-per-execution", "3"], "must divide"),
        (["--image-size", "48"], "48"),
        (["--dataset", "folder:nowhere", "--image-size", "32"], "nowhere"),
        (["--dataset", "npz:nowhere.npz"], "nowhere.npz"),
        (["--resume", "nowhere"], "nowhere"),
    ],
)
def test_wrong_use_is_refused_before_any_data_loads(words, expected, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data.Dataset, "images", None)
    assert run("train", *words) == 2
    error = capsys.readouterr().err
    assert expected in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_unknown_commands_and_runs(tmp_path, capsys):
    assert run("trian") == 2
    assert "'train'" in capsys.readouterr().err
    for words in (["evaluate"], ["plot", "traversal"], ["export"]):
        extra = [tmp_path / "enc"] if words == ["export"] else []
        assert run(*words, tmp_path / "nowhere", *extra) == 2
        assert "nowhere" in capsys.readouterr().err


def test_metrics_that_need_factors_are_refused_without_them(tmp_path, capsys):
    np.savez(tmp_path / "own.npz", images=np.full((20, 32, 32), 200, np.uint8))
    words = ["train", "--dataset", f"npz:{tmp_path / 'own.npz'}", "--metrics", "mig"]
    assert run(*words, "--runs-dir", tmp_path / "runs") == 2
    error = capsys.readouterr().err
    assert "mig" in error and "reconstruction_error" in error
    assert not (tmp_path / "runs").exists()


def test_own_pictures_without_factors(tmp_path, capsys):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for i, size in enumerate([(40, 30), (32, 32), (64, 80), (33, 90)]):
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{i}.jpg")
    words = ["train", "--dataset", f"folder:{tmp_path / 'pictures'}", "--image-size", "32"]
    words += ["--network", "mlp", "--steps", "3", "--batch-size", "2"]
    assert run(*words, "--runs-dir", tmp_path / "runs", "--run", "own") == 0
    assert "mig" not in capsys.readouterr().out
    assert run("plot", "traversal", tmp_path / "runs" / "own", "--steps", "7") == 0


def test_doctor_and_presets(capsys):
    assert run("doctor", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["backend"] == os.environ.get("KERAS_BACKEND", "tensorflow")
    assert {"processor", "instruction sets", "oneDNN", "threads", "memory allocator"} <= {*facts}
    assert run("presets", "--json") == 0
    assert json.loads(capsys.readouterr().out)["paper"]["settings"]["steps"] == 300_000


@pytest.mark.thorough
def test_backend_option_wins_over_the_environment(tmp_path):
    import keras

    backend = keras.backend.backend()
    result = subprocess.run(
        [sys.executable, "-m", "keras_devae.cli", "--backend", backend, "doctor", "--json"],
        env={**os.environ, "KERAS_BACKEND": "nonsense"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["backend"] == backend


def test_backend_option_cannot_change_an_imported_keras(capsys):
    import keras

    from keras_devae.backend import installed_backends

    others = [name for name in installed_backends() if name != keras.backend.backend()]
    other = others[0] if others else "theano"
    assert run("--backend", other, "doctor") == 2
    assert other in capsys.readouterr().err


def test_help_needs_no_backend_and_comes_at_once():
    code = (
        "import sys; sys.argv = ['keras-devae', '--help']\n"
        "from keras_devae.cli import main\n"
        "try: main()\n"
        "except SystemExit as ending: assert ending.code == 0\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "train" in result.stdout
