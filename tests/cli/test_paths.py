"""Every option that is a path, and every name of a run, is checked before anything is done."""

import errno
import json
import os
import stat
import subprocess
import sys
import tempfile

import click
import pytest
from matplotlib.figure import Figure
from running import run

from keras_devae import callbacks, data, figures
from keras_devae.checks import expanded_path, run_name, usable_path
from keras_devae.cli.main import cli
from keras_devae.cli.options import PATH, RUN_NAME
from keras_devae.comparison.comparing import find_all_runs
from keras_devae.errors import UsageError
from keras_devae.files import check_writable
from keras_devae.runs import RunDirectory
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.listing import find_runs
from keras_devae.studies.study import Study

RUN_LIKE = {"settings": RunConfig().to_dict(), "data": {}, "environment": {}}
#: What is put in front of the names of options and arguments that are paths.
_OF_PATHS = ("FILE", "FOLDER", "RUN", "[RUN]", "RUN...", "FILE|FOLDER")


def commands(group=cli, words=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


OPTIONS = [(words, option) for words, command in commands() for option in command.params]
PATHS = [
    pytest.param(words, option, id=" ".join((*words, option.opts[0])))
    for words, option in OPTIONS
    if option.type is PATH
]
NAMES = [
    *("", " ", ".", "..", "../../x", "/tmp/x", "a/b", "a\\b", "a\nb", "a\0b", "a\n", "x ", " x"),
    *("-x", "--overwrite", ".hidden", "_x", "a" * 201, "a" * 300, "é", "a\udc80", "a\x1b[2J", "~"),
]


def test_every_path_is_checked():
    names = {"run", "resume_run", "data_dir", "factors_file", "runs_dir", "output", "codes", "file"}
    for words, option in OPTIONS:
        looks_so = option.metavar in _OF_PATHS or option.name in names
        if option.name == "run" and option.opts[0] == "--run":
            assert option.type is RUN_NAME, words
        elif looks_so:
            assert option.type is PATH, (words, option.name)
    assert len(PATHS) > 35


@pytest.mark.parametrize(("words", "option"), PATHS)
@pytest.mark.parametrize("value", ["", " ", "a\nb"])
def test_a_path_that_is_none_is_refused(words, option, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    typed = [value]
    if isinstance(option, click.Option):
        typed = [option.opts[0], value]
    elif (words, option.name) == (("export",), "path"):
        typed = ["run", value]
    elif words == ("plot",):
        typed = ["traversal", value]
    assert run(*words, *typed) == 2
    error = capsys.readouterr().err
    name = (
        option.opts[0]
        if isinstance(option, click.Option)
        else option.human_readable_name.strip("[]")
    )
    expected = "must not be empty" if not value.strip() else "contains a control character"
    assert f"Error: {name} {expected}" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["train", "annealing-test"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_none_is_refused(command, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(command, "--dataset", "dsprites", f"--run={name}") == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("Error: --run is the name of a folder: up to 200 letters")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [*NAMES, None, 3, b"a"])
def test_a_study_is_called_like_a_run(name, tmp_path):
    with pytest.raises(UsageError, match="is the name of a folder"):
        run_name("`name`", name)
    file = tmp_path / "study.toml"
    if isinstance(name, str) and name.isprintable():
        file.write_text(f"name = {json.dumps(name)}\n", encoding="utf-8")
        with pytest.raises(UsageError, match="`name` of a study is the name of a folder"):
            Study.from_file(file)


@pytest.mark.parametrize("name", ["a", "7", "vae-dsprites_seed0.1", "beta-vae--x", "a" * 200])
def test_other_names_are_taken(name):
    assert run_name("--run", name) == name


#: Function of a folder or file, in Python.
TAKERS = {
    "RunDirectory": RunDirectory,
    "RunDirectory.create": RunDirectory.create,
    "RunDirectory.open": RunDirectory.open,
    "find_runs": find_runs,
    "find_all_runs": lambda path: find_all_runs([path]),
    "Study.from_settings": lambda path: Study.from_settings(path, [{"dataset": "dsprites"}]),
    "Study.open": Study.open,
    "RunConfig data_dir": lambda path: RunConfig(data_dir=path),
    "RunConfig factors_file": lambda path: RunConfig(factors_file=path),
    "load data_dir": lambda path: data.load("dsprites", data_dir=path),
    "load path": lambda path: data.load("dsprites", path=path),
    "load factors_file": lambda path: data.load("npz:a.npz", factors_file=path),
    "info": lambda path: data.info("dsprites", path),
    "prepare data_dir": lambda path: data.prepare("dsprites", data_dir=path),
    "prepare from_file": lambda path: data.prepare("dsprites", from_file=path),
    "remove": lambda path: data.remove("dsprites", path),
    "from_npz": data.from_npz,
    "from_folder": lambda path: data.from_folder(path, 32),
    "figures.save": lambda path: figures.save(Figure(), path),
    "callbacks": lambda path: callbacks.SpeedCallback(directory=path),
    "callbacks tensorboard": lambda path: callbacks.SpeedCallback(tensorboard=path),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("path", ["", " ", "a\nb", "a\0b", "a" * 256, 7])
def test_python_takes_no_such_path_either(taker, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"not be empty|contains a|too long|must be a (path|text)"):
        TAKERS[taker](path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["directory", "tensorboard"])
@pytest.mark.parametrize("path", ["/proc/watched", f"{__file__}/watched"])
def test_a_callback_tries_its_folder_before_training(name, path):
    with pytest.raises(UsageError, match=f"^Cannot write to {path}: .* another `{name}`"):
        callbacks.SpeedCallback(**{name: path})


def test_a_path_that_is_not_there_is_still_a_path():
    for path in ("a", "ä b", "-x", "..", "/", "a" * 255, "runs/" * 40):
        assert str(usable_path("It", path)) == os.path.normpath(path)


def test_a_home_folder_that_is_not_known():
    assert expanded_path("It", "~") == expanded_path("It", os.path.expanduser("~"))
    with pytest.raises(UsageError, match=r"^--x begins with the home folder of an unknown user"):
        expanded_path("--x", "~nobody-of-this-name/data")


@pytest.mark.parametrize("value", ["~nobody-of-this-name", "a\nb"])
def test_the_variable_of_the_data_folder_is_checked(value, monkeypatch, capsys):
    monkeypatch.setenv("KERAS_DEVAE_DATA", value)
    assert run("data", "list") == 2
    assert "KERAS_DEVAE_DATA" in capsys.readouterr().err
    monkeypatch.setenv("KERAS_DEVAE_DATA", "")
    assert run("data", "list") == 0


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder with a run that looks finished, and a study file."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "r"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(RUN_LIKE))
    (folder / "model.keras").write_bytes(b"PK")
    (tmp_path / "study.toml").write_text('[settings]\ndataset = "dsprites"\n')
    return tmp_path


#: Commands with a place to write to.
WRITING = {
    "train": "train --dataset dsprites --runs-dir {folder}",
    "train --run": "train --dataset dsprites --run mine --runs-dir {folder}",
    "annealing-test": "annealing-test --runs-dir {folder}",
    "study run": "study run study.toml --runs-dir {folder}",
    "study table": "study table study.toml --output {folder}/t.csv",
    "reproduce": "reproduce table1 --scale smoke --output {folder}",
    "reproduce --runs-dir": "reproduce table1 --scale smoke --output out --runs-dir {folder}",
    "export": "export runs/r {folder}/encoder",
    "plot": "plot traversal runs/r --out {folder}/t.png",
    "plot gif": "plot traversal runs/r --out {folder}/t.gif",
    "report": "report runs/r --output {folder}/report.html",
    "evaluate": "evaluate runs/r --output {folder}/scores.json",
    "evaluate --codes": "evaluate --codes codes.npz --output {folder}/scores.json",
    "bench": "bench --output {folder}/figures.json",
    "compare": "compare runs/r --output {folder}/table.csv",
    "data prepare": "data prepare shapes3d --data-dir {folder}",
}


@pytest.mark.parametrize("command", WRITING)
@pytest.mark.parametrize("folder", ["/proc", "/proc/new", "/dev/full", "study.toml"])
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    command, folder, made, monkeypatch, capsys
):
    def never(*arguments, **options):
        raise AssertionError("The work has begun.")

    monkeypatch.setattr(data.Dataset, "images", never)
    monkeypatch.setattr("keras_devae.runs.run.start_backend", never)
    monkeypatch.setattr("keras_devae.backend.start_backend", never)
    assert run(*WRITING[command].format(folder=folder).split()) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "Error" in line]
    assert len(lines) == 1 and folder in lines[0]
    assert "annot write to" in lines[0] or "can be written to" in lines[0]
    assert {entry.name for entry in made.iterdir()} == {"runs", "study.toml"}


READ_ONLY = {
    "train --resume": "train --resume runs/r",
    "annealing-test --resume": "annealing-test --resume runs/r",
    "doctor --repair": "doctor runs/r --repair",
    "plot": "plot traversal runs/r",
    "plot of a table": "plot learning-curves runs/r",
    "report": "report runs/r",
}


@pytest.mark.parametrize("command", READ_ONLY)
def test_the_folder_of_a_run_that_may_only_be_read(command, made, monkeypatch, capsys):
    def refuse(dir):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(data.Dataset, "images", None)
    assert run(*READ_ONLY[command].split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: Cannot write to runs/r") and "Read-only file system" in line
    assert {entry.name for entry in (made / "runs" / "r").iterdir()} == {
        "config.json",
        "model.keras",
    }


@pytest.mark.parametrize("words", ["evaluate runs/r --output", "study table study.toml --output"])
def test_a_pipe_is_not_replaced_by_a_file(words, made, capsys):
    os.mkfifo("pipe")
    os.symlink("pipe", "link")
    for path in ("pipe", "link"):
        assert run(*words.split(), path) == 2
        assert f"Cannot write to {path}: it is not a file." in capsys.readouterr().err
    assert stat.S_ISFIFO(os.stat("pipe").st_mode) and os.path.islink("link")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("path", ["/dev/full", "/dev/null", "/dev/stdout", "/dev/stdin"])
def test_a_device_is_no_place_to_write_to(path):
    """Nothing is run here that would write there if this were wrong."""
    with pytest.raises(UsageError, match=f"^Cannot write to {path}: it is not a file"):
        check_writable(path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_an_output_that_is_full_is_one_sentence():
    command = [sys.executable, "-m", "keras_devae.cli", "models"]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1
    assert "No space left" in ended.stderr and "Exception ignored" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_reader_who_has_seen_enough_is_no_error():
    command = [sys.executable, "-m", "keras_devae.cli", "models", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait() == 1
    process.stderr.close()
