"""The command that makes the paper's tables and figures."""

import csv
import functools
import json

import keras
import pytest
from PIL import Image
from running import one_line, run
from thoroughness import quick_first

from keras_devae import reports
from keras_devae.callbacks.measuring import MeasuringCallback
from keras_devae.reproduction.catalogue import EXPERIMENTS, plans_of
from keras_devae.reproduction.scales import SCALES


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory):
    """The folder of the runs, which the experiments share."""
    return tmp_path_factory.mktemp("reproduced")


@pytest.fixture(scope="module", autouse=True)
def alike_pictures_once():
    """Draws the report of one run of each model, and one picture of each kind that tracking draws.

    The runs differ in their pressures; what is drawn of them for an experiment is always drawn.
    """
    drawn, report, show = set(), reports.write_report, MeasuringCallback.show

    def is_new(kind):
        return not (kind in drawn or drawn.add(kind))

    def report_one(run, model, *given):
        if is_new(type(model)):
            return report(run, model, *given)
        # A run with a report is done.
        run.report_file.write_text("a report")
        return {}

    def show_one(callback, figure, file_name):
        if is_new(type(callback)):
            show(callback, figure, file_name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports, "write_report", report_one)
        patch.setattr(MeasuringCallback, "show", show_one)
        # Garbage is collected anyway, and among other tests' it takes a second a run.
        clear = functools.partial(keras.utils.clear_session, free_memory=False)
        patch.setattr(keras.utils, "clear_session", clear)
        yield


# Those with the most runs are thorough.
LONG = ("table2", "table4", "table6", "correlated-factors", "compositional-generalisation")
QUICK = [name for name in EXPERIMENTS if name not in LONG]


#: Experiment -> its further tables.
COMPARED = ("table2", "table6", "figure2", "figure4")
FURTHER = {name: {"comparisons"} for name in COMPARED} | {"front": {"comparisons", "hypervolumes"}}


def tables_of(page):
    """The lines of each table of a page."""
    blocks = (block.splitlines() for block in page.split("\n\n"))
    return [lines for lines in blocks if lines[0].startswith("|")]


@pytest.mark.parametrize("name", quick_first(EXPERIMENTS, QUICK))
def test_every_experiment_ends_in_its_table_and_figure(name, runs_folder):
    folder = runs_folder / "results"
    words = (name, "--scale", "smoke", "--seeds", 1, "--runs-dir", runs_folder, "--output", folder)
    assert run("reproduce", *words) == 0
    page = (folder / f"{name}.md").read_text()
    assert EXPERIMENTS[name].title in page and EXPERIMENTS[name].known in page
    assert f"keras-devae reproduce {name} --scale smoke" in page
    assert "hours of processes in all" in page and f"Keras {keras.__version__} on " in page
    tables = tables_of(page)
    for header, rule, *rows in tables:
        assert rows and all(row.count("|") == header.count("|") for row in [rule, *rows])
    further = {file.stem.removeprefix(f"{name}-") for file in folder.glob(f"{name}-*.csv")}
    assert further == FURTHER.get(name, set()) and len(tables) == 1 + len(further)
    with (folder / f"{name}.csv").open() as file:
        assert list(csv.DictReader(file))
    with Image.open(folder / f"{name}.png") as picture:
        assert min(picture.size) > 100
    # Texts of a vector figure stay texts; the scale is said on every figure of models.
    drawn = (folder / f"{name}.svg").read_text()
    assert "</text>" in drawn
    assert EXPERIMENTS[name].plans is None or "nothing is learned" in drawn
    pictures = {file.stem.removeprefix(f"{name}-") for file in folder.glob(f"{name}-*.png")}
    assert pictures == ({"reconstructions"} if name == "compositional-generalisation" else set())


def test_runs_are_shared_and_not_made_again(runs_folder, capsys):
    """Figure 4's runs are among figure 2's, which the test above has made."""
    words = ("--scale", "smoke", "--seeds", 1, "--runs-dir", runs_folder)
    assert run("reproduce", "figure2", *words) == 0
    before = {path: path.stat().st_mtime_ns for path in runs_folder.glob("**/metrics.json")}
    capsys.readouterr()
    assert run("reproduce", "figure4", *words, "--json") == 0
    after = {path: path.stat().st_mtime_ns for path in runs_folder.glob("**/metrics.json")}
    assert after == before and before
    printed = json.loads(capsys.readouterr().out)
    assert {row["group"] for row in printed["rows"]} == {"DynamicVAE", "DeVAE"}
    assert [row["against"] for row in printed["comparisons"]] == ["DynamicVAE"]


def test_the_studys_folder_knows_the_runs_of_all_experiments(runs_folder):
    words = ("--scale", "smoke", "--seeds", 1, "--runs-dir", runs_folder)
    for name in ("figure4", "table3"):
        assert run("reproduce", name, *words) == 0
    listed = json.loads((runs_folder / "reproduce" / "smoke" / "study.json").read_text())["runs"]
    assert len(listed) == len(set(listed))
    # The last experiment trains no DynamicVAE.
    assert any(name.startswith("dynamic_vae") for name in listed)


def test_list_says_what_each_trains_and_the_papers_numbers(tmp_path, capsys):
    assert run("reproduce", "list", "--scale", "paper", "--runs-dir", tmp_path, "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == list(EXPERIMENTS)
    # Four methods, ten seeds, two data sets.
    assert rows["figure2"]["runs"] == 80
    assert "300,000 steps" in rows["figure2"]["trains"]
    assert "22.47/415.18" in rows["table1"]["known"]
    assert rows["table3"]["known"] == "not available"


def test_the_list_fits_a_terminal(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert run("reproduce", "list", "--runs-dir", tmp_path) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) < 80
    entries = printed.partition("\n\n")[0].splitlines()
    assert len(entries) <= 2.2 * len(EXPERIMENTS)
    assert {line.split()[0] for line in entries if line[0] != " "} == set(EXPERIMENTS)
    assert "figure2 MIG, InfoM, FactorVAE score" in one_line(printed) and "(80 runs, " in printed
    assert run("reproduce", "list", "table2", "--runs-dir", tmp_path) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) < 80
    for text in ("32 runs of 20,000 steps", "on one core", "one latent space 0.19/47.49"):
        assert text in one_line(printed)
    assert "keras-devae reproduce table2 --scale small" in printed


def test_list_knows_how_long_the_runs_took(runs_folder, capsys):
    words = ("--scale", "smoke", "--seeds", 1, "--runs-dir", runs_folder)
    assert run("reproduce", "figure6", *words) == 0
    capsys.readouterr()
    assert run("reproduce", "list", *words, "--json") == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["figure6"]["done"] == 1 and rows["figure6"]["process_hours"] == 0
    assert run("reproduce", "list", *words) == 0
    assert "1 run, all done" in one_line(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("figure22",), "figure2"),
        (("list", "figure22"), "figure2"),
        (("figure2", "table2"), "one NAME at a time"),
        (("figure2", "--scale", "tiny"), "scale"),
        (("figure2", "--engine", "loca"), "local"),
        (("figure2", "--engine", "inline", "--workers", 2), "one run at a time"),
        (("figure2", "--gpus-per-run", 1), "--engine ray"),
        (("table1", "--workers", 2), "works in this process"),
    ],
)
def test_wrong_use_ends_before_any_work(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("reproduce", *words) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_without_runs_there_is_nothing_to_show(tmp_path, capsys):
    words = ("--no-train", "--scale", "smoke", "--runs-dir", tmp_path)
    assert run("reproduce", "figure2", *words) == 1
    assert "No run of figure2 is done" in capsys.readouterr().err


def test_experiments_share_the_runs_of_the_default_pressures():
    """Table 3's betas 1, 10, 40 are DeVAE's own: the runs must be the very same."""
    small = SCALES["small"]
    of_table = [plan.settings for plan in plans_of("table3", small)]
    of_figure = [plan.settings for plan in plans_of("figure2", small)]
    own = [settings for settings in of_table if "betas" not in settings]
    assert own and all(settings in of_figure for settings in own)
    others = [settings["betas"] for settings in of_table if "betas" in settings]
    # A quarter of the published ones, as there are a quarter of the pixels.
    assert [0.25, 2.5, 5.0, 10.0, 20.0] in others and [0.25, 2.5] in others
