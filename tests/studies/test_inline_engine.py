"""Runs of a study in the process of the study."""

import signal

import pytest

from keras_devae.process.interruption import TERMINATED, Termination
from keras_devae.studies import engines
from keras_devae.studies.engines import inline_engine
from keras_devae.studies.scheduler import carry_out_study
from keras_devae.studies.study import Study

SETTINGS = {
    "model": "vae",
    "network": "mlp",
    "steps": 2,
    "checkpoint_every": 2,
    "batch_size": 8,
    "evaluation_images": 20,
    "metrics": ["kl"],
}


@pytest.fixture
def study(workplace):
    runs = [{**SETTINGS, "dataset": "npz:images.npz", "seed": seed} for seed in (0, 1)]
    made = Study.from_settings(workplace / "runs" / "inline", runs)
    made.write()
    return made


def test_it_carries_all_runs_out(study, capsys):
    standing = carry_out_study(study, engines.make_engine("inline"), lambda standing: None)
    assert (standing.done, standing.failed) == (2, 0)
    assert all(run.is_done() for run in study.runs)
    # What the runs print goes to their logs, as with the other engines.
    assert capsys.readouterr().out == ""
    assert "step 2/2" in study.runs[0].log_file.read_text()


def test_a_run_that_fails_does_not_keep_the_others(study, monkeypatch):
    first = study.runs[0]
    first.directory.path.mkdir()
    (first.directory.path / "something").write_text("else")
    standing = carry_out_study(study, engines.make_engine("inline"), lambda standing: None)
    assert (standing.done, standing.failed) == (1, 1)
    assert "is not a run" in first.reason()


@pytest.mark.parametrize(
    ("status", "ending"), [(128 + signal.SIGINT, KeyboardInterrupt), (TERMINATED, Termination)]
)
def test_an_interrupted_run_ends_the_study(study, monkeypatch, status, ending):
    monkeypatch.setattr(inline_engine, "work", lambda run: status)
    with pytest.raises(ending):
        carry_out_study(study, engines.make_engine("inline"), lambda standing: None)


def test_a_second_study_in_the_folder_is_listed_beside_the_first(study):
    other = [{**SETTINGS, "dataset": "npz:images.npz", "seed": 2}]
    second = Study.from_settings(study.folder, other)
    second.write(beside_others=True)
    assert set(Study.from_folder(study.folder).plan) == {*study.plan, *second.plan}
    second.write()
    assert list(Study.from_folder(study.folder).plan) == list(second.plan)
