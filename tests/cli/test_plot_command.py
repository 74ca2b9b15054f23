"""`keras-devae plot`: every kind of figure of a run, and every way to ask for one wrongly."""

import shlex
import shutil

import numpy as np
import pytest
from PIL import Image
from running import run

from keras_devae.files import read_json, write_json
from keras_devae.reports.plots import (
    COMPARISONS,
    KINDS,
    TABLES,
    information_diffusion_figure,
    kl_diffusion_figure,
    learning_curves_figure,
    mig_reconstruction_figure,
)
from keras_devae.runs import RunConfig, RunDirectory
from keras_devae.runs.config.run_config import load_dataset

TINY = [
    *("train", "--dataset", "dsprites", "--source", "rendered", "--variant", "subset:300"),
    *("--image-size", "32", "--network", "mlp", "--batch-size", "16", "--latent-dim", "3"),
    *("--steps", "4", "--checkpoint-every", "2", "--evaluation-images", "100"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the runs `tracked`, of three layers, and `plain`, which tracked nothing."""
    folder = tmp_path_factory.mktemp("runs")
    named = ["--run", "tracked", "--track", "information,kl,mig", "--track-every", "4"]
    scored = ["--metrics", "mig,reconstruction_error"]
    assert run(*TINY, *named, *scored, "--runs-dir", folder) == 0
    shutil.copytree(folder / "tracked", folder / "plain")
    shutil.rmtree(folder / "plain" / "tracking")
    return folder


@pytest.fixture
def tracked(folder):
    return folder / "tracked"


@pytest.fixture
def refused(capsys):
    """Asks for a figure that is refused, and returns what is said."""

    def ask(*words):
        assert run("plot", *words) == 2
        return capsys.readouterr().err

    return ask


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_into_the_folder_of_the_run(kind, tracked, capsys):
    assert run("plot", kind, tracked) == 0
    file = tracked / "figures" / f"{kind}.png"
    assert capsys.readouterr().out == f"{file}\n"
    with Image.open(file) as picture:
        assert min(picture.size) > 100 and np.asarray(picture).std() > 0


def test_help_lists_every_kind(capsys):
    assert run("plot", "--help") == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert set(KINDS) <= listed


def test_formats_follow_the_suffixes_and_a_gif_moves(tracked, tmp_path, capsys):
    names = ["a.svg", "new/b.png", "c.gif"]
    words = [word for name in names for word in ("--out", tmp_path / name)]
    options = ["--layer", "1", "--steps", "3", "--index", "5", "--span", "quantiles"]
    assert run("plot", "traversal", tracked, *words, *options, "--seed", "2") == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / name) for name in names]
    svg = (tmp_path / "a.svg").read_text()
    assert "DeVAE, layer 1: latent traversals on dsprites" in svg and ">1.96<" in svg.replace(
        " ", ""
    )
    with Image.open(tmp_path / "c.gif") as picture:
        # There and back again: three values, and the middle one once more. Equal frames are one.
        durations = []
        for frame in range(picture.n_frames):
            picture.seek(frame)
            durations.append(picture.info["duration"])
    assert sum(durations) == 4 * 100


def test_active_only_leaves_nothing_of_a_model_that_learnt_nothing(tracked, tmp_path, refused):
    said = refused("traversal", tracked, "--active-only", "--out", tmp_path / "a.png")
    assert "none of layer 0 passes on 0.5 nats" in said and not list(tmp_path.iterdir())


def test_tables_are_drawn_as_they_stand(tracked):
    directory = RunDirectory(tracked)
    axes = {axes.get_title("left"): axes for axes in learning_curves_figure(directory).axes}
    history = directory.read_history()
    assert axes["loss"].lines[0].get_ydata().tolist() == [row["loss"] for row in history]
    assert axes["loss"].lines[0].get_xdata().tolist() == [2, 4]

    (axes,) = kl_diffusion_figure(directory).axes
    lines = (tracked / "tracking" / "kl.csv").read_text().splitlines()
    table = np.array([[float(cell) for cell in line.split(",")] for line in lines[1:]])
    drawn = sorted(line.get_ydata().tolist() for line in axes.lines)
    assert lines[0] == "step,total,active_units,z0,z1,z2"
    assert drawn == sorted(table[:, 3:].T.tolist())
    assert axes.lines[0].get_xdata().tolist() == [0, 4]

    figure = information_diffusion_figure(directory)
    with np.load(tracked / "tracking" / "information.npz") as stored:
        names = [axes.get_title("left").split(":")[0] for axes in figure.axes]
        assert names == stored["factor_names"].tolist()
        shares = stored["information"][:, :, 1] / stored["entropies"][1]
    drawn = sorted(line.get_ydata().tolist() for line in figure.axes[1].lines)
    assert drawn == sorted(shares.T.tolist())


def test_scores_of_several_runs_are_compared(folder, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(folder / "plain", other)
    record, scores = read_json(other / "config.json"), read_json(other / "metrics.json")
    record["settings"]["model"].update(name="beta_vae", options={"beta": 2.0})
    scores["layers"][1].update(
        {"mig.score": 0.75, "reconstruction_error.negative_log_likelihood": 12.5}
    )
    write_json(other / "config.json", record)
    write_json(other / "metrics.json", scores)
    runs = [folder / "tracked", folder / "plain", other]
    (axes,) = mig_reconstruction_figure([RunDirectory(path) for path in runs], layer=1).axes
    first, second = axes.collections
    row = read_json(folder / "plain" / "metrics.json")["layers"][1]
    error, gap = row["reconstruction_error.negative_log_likelihood"], row["mig.score"]
    assert np.asarray(first.get_offsets()).tolist() == [[error, gap]] * 2
    assert np.asarray(second.get_offsets()).tolist() == [[12.5, 0.75]]
    assert (first.get_label(), second.get_label()) == ("devae", "beta_vae")
    assert (
        run("plot", "mig-reconstruction", *runs, "--layer", "1", "--out", tmp_path / "a.pdf") == 0
    )
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    # A folder stands for the runs in it.
    assert run("plot", "mig-reconstruction", folder, "--out", tmp_path / "b.png") == 0
    assert (tmp_path / "b.png").is_file()


@pytest.mark.parametrize(("kind", "tracking"), [("information", "information"), ("kl", "kl")])
def test_what_was_not_tracked_cannot_be_drawn(kind, tracking, folder, refused):
    said = refused(f"{kind}-diffusion", folder / "plain")
    assert f"--track {tracking}" in said and str(folder / "plain") in said


def test_scores_that_are_missing_are_named_with_the_command_for_them(folder, tmp_path, refused):
    bare = tmp_path / "bare"
    shutil.copytree(folder / "plain", bare)
    (bare / "metrics.json").unlink()
    said = refused("mig-reconstruction", folder / "plain", bare)
    where, scores = (shlex.quote(str(place)) for place in (bare, bare / "metrics.json"))
    command = f"evaluate {where} --metrics mig,reconstruction_error --output {scores}"
    assert command in said
    assert run(*shlex.split(command)) == 0
    assert run("plot", "mig-reconstruction", bare) == 0
    said = refused("mig-reconstruction", bare, "--layer", "7")
    assert f"{bare}/metrics.json has no layer 7" in said and "evaluate" not in said


def test_the_command_for_missing_scores_keeps_those_that_are_there(folder, tmp_path, refused):
    other = tmp_path / "other"
    shutil.copytree(folder / "plain", other)
    scores = read_json(other / "metrics.json")
    for row in scores["layers"]:
        del row["mig.score"]
        row["kl.total"] = row["active_variables.count"] = 1.0
    write_json(other / "metrics.json", scores)
    said = refused("mig-reconstruction", other)
    assert "--metrics reconstruction_error,kl,active_variables,mig --output" in said


def test_scores_of_an_unfinished_run_are_not_computed_on_the_way(
    folder, tmp_path, refused, capsys, caplog
):
    killed = tmp_path / "killed"
    shutil.copytree(folder / "plain", killed)
    for name in ("metrics.json", "model.keras"):
        (killed / name).unlink()
    resume = f"with: keras-devae train --resume {shlex.quote(str(killed))}"
    assert resume in refused("mig-reconstruction", killed)
    assert run("evaluate", killed, "--output", killed / "metrics.json") == 2
    assert resume in capsys.readouterr().err and not (killed / "metrics.json").exists()
    assert caplog.text == ""
    words = ["--metrics", "mig", "--output", tmp_path / "apart.json"]
    assert run("evaluate", killed, *words) == 0
    # What is measured is a checkpoint.
    assert f"{killed} is not trained to its end. The last checkpoint is from step" in caplog.text


@pytest.mark.parametrize("name", ["information.npz", "kl.csv"])
def test_a_damaged_table_is_named_with_its_mending(name, folder, tmp_path, capsys):
    damaged = tmp_path / "damaged"
    shutil.copytree(folder / "tracked", damaged)
    (damaged / "tracking" / name).write_bytes(b"PK\x03\x04 nothing else")
    assert run("plot", f"{name.split('.')[0]}-diffusion", damaged) == 1
    said = capsys.readouterr().err
    assert name in said and f"doctor {shlex.quote(str(damaged))} --repair" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["travesal", "RUN"], "Did you mean 'traversal'?"),
        (["information_map", "RUN"], "'information-map'"),
        (["samples", "RUN", "--steps", "3"], "--steps does not belong to the figure 'samples'"),
        (["kl", "RUN", "--active-only"], "--active-only does not belong"),
        (["learning-curves", "RUN", "--seed", "3"], "takes no options"),
        (["mig-reconstruction", "RUN", "--index", "3"], "which takes --layer"),
        (["traversal", "RUN", "--steps", "1"], "--steps"),
        (["traversal", "RUN", "--span", "wide"], "--span"),
        (["traversal", "RUN", "--layer", "9"], "layers 0 to 2. Received: 9"),
        (["traversal", "RUN", "RUN"], "of one run. Received: 2 runs"),
        (["traversal", "RUN", "--out", "a.doc"], "suffix"),
        (["samples", "RUN", "--out", "a.gif"], "Only a traversal can be animated"),
        (["traversal", "RUN/nowhere"], "There is no run in"),
        (["traversal"], "RUN"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(
    words, message, tracked, tmp_path, monkeypatch, refused
):
    monkeypatch.chdir(tmp_path)
    assert message in refused(*(word.replace("RUN", str(tracked)) for word in words))
    assert not list(tmp_path.iterdir())


def test_factors_are_missed_before_a_model_is_looked_for(tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    np.savez("own.npz", images=np.random.default_rng(0).integers(0, 256, (9, 32, 32), np.uint8))
    config, directory = RunConfig(dataset="npz:own.npz"), RunDirectory(tmp_path / "own")
    directory.write_record(config, load_dataset(config).provenance, {})
    said = refused("factor-scatter", "own")
    assert "needs factors" in said and "Figures without factors: traversal" in said
    assert "neither a model nor a checkpoint" in refused("traversal", "own")


def test_kinds_have_one_place_each():
    assert set(TABLES) | set(COMPARISONS) < set(KINDS)
    assert all("_" not in kind for kind in KINDS)
