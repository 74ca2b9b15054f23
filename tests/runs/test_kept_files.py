"""What a user has put beside or into a run is still there, whatever the package does to the run."""

import json
import os

import pytest

from keras_devae.errors import UsageError
from keras_devae.reports import run_figures as report_pictures
from keras_devae.reports.plots import KINDS
from keras_devae.runs import RunDirectory
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.diagnosis import examine
from keras_devae.runs.layout import FIGURES
from keras_devae.studies.study import Study

#: No process has this number.
NOBODY = 2**22 + 1
#: All that a run writes, under the names of a run of every kind.
WRITTEN = [
    *("config.json", "history.csv", "metrics.json", "model.keras", "report.html"),
    *("freezing.json", "freezing.csv", "model.keras.damaged", "history.csv.damaged-2"),
    *("checkpoints/step-00000005.keras", "checkpoints/step-00000012.keras.damaged"),
    *("codes/codes-0123456789ab-0123456789abcdef.npz", "reproduction/layers.json"),
    *("figures/traversal.png", "figures/kl-layer-1-seed-0.png", "figures/freezing.png"),
    *("figures/traversal-steps-5-index--1-span-quantiles-active-only-True.png",),
    *("tracking/kl.csv", "tracking/information.npz", "tracking/sampled-information.png"),
    *("tracking/metrics.csv", "tracking/traversal-step-00000500.png"),
    *("tracking/tensorboard/events.out.tfevents.1795990000.host",),
]
#: What a user might keep there.
FOREIGN = [
    *("thesis.tex", "data/images.npz", "notes.txt", ".git/HEAD", ".env.12345.local"),
    *("checkpoints/best.keras", "checkpoints/step-00000005 (1).keras", "checkpoints/tmpabc"),
    *("codes/mine.npz", "figures/thesis.pdf", "figures/traversal-final.png", "tracking/own.csv"),
    *(".notes.2024", f".config.{NOBODY}.json", "history.csv.bak", "checkpoints/mine/a.keras"),
]
RUN_LIKE = {"settings": RunConfig().to_dict(), "data": {}, "environment": {}}


def put(folder, names):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"content of {name}")


def files_in(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in walk(folder)}


def walk(folder):
    return [file for file in sorted(folder.rglob("*")) if file.is_file()]


@pytest.fixture
def folder(tmp_path):
    """The folder of a run with all that any run writes."""
    put(tmp_path / "run", WRITTEN)
    (tmp_path / "run" / "config.json").write_text(json.dumps(RUN_LIKE))
    return tmp_path / "run"


def test_overwriting_removes_what_a_run_writes(folder):
    assert {str(file.relative_to(folder)) for file in RunDirectory(folder).own_files()} == set(
        WRITTEN
    )
    RunDirectory.create(folder, overwrite=True).release()
    assert [entry.name for entry in folder.iterdir()] == [".lock"]


def test_overwriting_leaves_all_else_and_names_it(folder, caplog):
    put(folder, FOREIGN)
    before = files_in(folder)
    RunDirectory.create(folder, overwrite=True).release()
    after = files_in(folder)
    assert after.pop(".lock") == b""
    assert after == {name: before[name] for name in FOREIGN}
    assert "as no run wrote it" in caplog.text and ".env.12345.local" in caplog.text


def test_every_figure_of_a_run_is_known():
    assert set(KINDS) | {"freezing"} == set(FIGURES)
    source = report_pictures.__file__
    with open(source, encoding="utf-8") as file:
        text = file.read()
    assert all(f'"{name}"' in text for name in ("traversal", "reconstructions", "samples"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        '{"name": "my-app", "version": "1.0"}',
        '{"settings": {}, "data": {}}',
        '{"settings": {}, "data": {}, "environment": {}}',
        '{"settings": {"model": "vae", "dataset": "dsprites"}, "data": {}}',
        '{"settings": {"model": "vae", "dataset": "dsprites"}, "data": "data", "environment": {}}',
        '{"settings": {"model": "resnet", "dataset": "cifar"}, "data": {}, "environment": {}}',
    ],
)
def test_the_folder_of_another_project_is_no_run(content, tmp_path):
    folder = tmp_path / "proj"
    put(folder, ["thesis.tex", "data/a.npz", "model.keras", "checkpoints/step-00000005.keras"])
    (folder / "config.json").write_text(content)
    before = files_in(folder)
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"exists and is not a run: .*config\.json"):
            RunDirectory.create(folder, overwrite)
    assert files_in(folder) == before


@pytest.mark.parametrize("name", ["checkpoints", "codes", "figures", "tracking"])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_nothing_behind_a_link_is_removed(name, kind, folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (folder / name).rename(elsewhere)
    if kind == "link":
        (folder / name).symlink_to(elsewhere)
    else:
        (folder / name).write_text("not a folder")
    before = files_in(folder), files_in(elsewhere)
    with pytest.raises(UsageError, match=f"in place of what a run writes, {name}\\."):
        RunDirectory.create(folder, overwrite=True)
    assert (files_in(folder), files_in(elsewhere)) == before


def test_a_folder_in_place_of_a_file_is_not_removed(folder):
    (folder / "history.csv").unlink()
    put(folder, ["history.csv/own.txt"])
    with pytest.raises(UsageError, match=r"in place of what a run writes, history\.csv\."):
        RunDirectory.create(folder, overwrite=True)
    assert (folder / "history.csv" / "own.txt").is_file()


def test_a_link_to_a_file_goes_and_the_file_stays(folder, tmp_path):
    (folder / "model.keras").rename(tmp_path / "good.keras")
    (folder / "model.keras").symlink_to(tmp_path / "good.keras")
    RunDirectory.create(folder, overwrite=True).release()
    assert (tmp_path / "good.keras").is_file() and not os.path.lexists(folder / "model.keras")


def test_the_folder_itself_may_be_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    RunDirectory.create(tmp_path / "link", overwrite=True).release()
    assert [entry.name for entry in folder.iterdir()] == [".lock"]


def test_a_lock_of_somebody_else_is_not_emptied(folder):
    (folder / ".lock").write_text("pid 5")
    run = RunDirectory(folder)
    assert not run.is_claimed()
    for act in (run.claim, lambda: RunDirectory.create(folder, overwrite=True)):
        with pytest.raises(UsageError, match=r"\.lock is not a lock of this package"):
            act()
    assert (folder / ".lock").read_text() == "pid 5" and (folder / "model.keras").is_file()


def test_repairing_keeps_what_it_cannot_read(folder):
    put(folder, FOREIGN)
    for table in ("history.csv", "tracking/kl.csv", "tracking/own.csv"):
        (folder / table).write_text("my own words\nin two lines")
    before = files_in(folder)
    examine(folder, repair=True)
    after = files_in(folder)
    kept = set(before) - {name for name in WRITTEN if name not in after}
    assert all(after[name] == before[name] for name in kept)
    assert after["history.csv.damaged"] == after["tracking/kl.csv.damaged"] == before["history.csv"]
    # One from before stays beside it.
    assert after["model.keras.damaged"] == before["model.keras.damaged"]
    assert after["model.keras.damaged-2"] == before["model.keras"]


def test_a_study_takes_no_folder_with_a_file_of_its_name(tmp_path):
    settings = [{"dataset": "dsprites", "model": "vae"}]
    for content in ("{}", "my study", '{"name": "mine", "participants": [3]}'):
        (tmp_path / "study.json").write_text(content)
        with pytest.raises(UsageError, match="is not a study"):
            Study.from_settings(tmp_path, settings).write()
        assert files_in(tmp_path) == {"study.json": content.encode()}


def test_a_study_whose_list_is_damaged_writes_it_again(tmp_path):
    study = Study.from_settings(tmp_path / "study", [{"dataset": "dsprites", "model": "vae"}])
    study.write()
    whole = (tmp_path / "study" / "study.json").read_bytes()
    (tmp_path / "study" / "study.json").write_text("{")
    study.write()
    assert (tmp_path / "study" / "study.json").read_bytes() == whole


def test_what_is_no_runs_is_listed(folder):
    put(folder, FOREIGN)
    listed = {str(path) for path in RunDirectory(folder).foreign_files()}
    assert {"thesis.tex", "data", ".git", "figures/thesis.pdf", "checkpoints/mine"} <= listed
    assert not listed & set(WRITTEN)
