"""Runs that version 0.1.0 finished, with fewer scores, are used."""

import pytest

from keras_devae.reproduction.catalogue import plans_of
from keras_devae.reproduction.earlier_runs import notices, with_earlier_runs
from keras_devae.reproduction.scales import SCALES
from keras_devae.runs.config.flat_settings import config_from_settings
from keras_devae.studies.run_keys import run_key, run_name
from keras_devae.studies.study_run import StudyRun


@pytest.fixture
def plans():
    return plans_of("figure2", SCALES["smoke"], 1)[:2]


def finish(folder, settings):
    config = config_from_settings(settings)
    run = StudyRun(folder, run_name(config, run_key(config))).directory
    run.path.mkdir()
    for file in (run.metrics_file, run.report_file):
        file.write_text("done")


def before(plan):
    scores = tuple(name for name in plan.settings["metrics"] if name != "infomec")
    return {**plan.settings, "metrics": scores, "track": ("information", "kl")}


def test_a_run_that_was_finished_with_fewer_scores_is_used(plans, tmp_path):
    finish(tmp_path, before(plans[1]))
    first, second = used = with_earlier_runs(plans, tmp_path)
    assert first == plans[0]
    assert second.settings == before(plans[1]) and second.group == plans[1].group
    (notice,) = notices(plans, used)
    assert notice.startswith("1 of 2 runs are of version 0.1.0") and "infomec" in notice


def test_a_run_with_all_scores_is_preferred(plans, tmp_path):
    finish(tmp_path, before(plans[1]))
    finish(tmp_path, plans[1].settings)
    assert with_earlier_runs(plans, tmp_path) == plans
    assert notices(plans, plans) == []


def test_without_a_folder_there_are_no_earlier_runs(plans, tmp_path):
    assert with_earlier_runs(plans, tmp_path / "nowhere") == plans
