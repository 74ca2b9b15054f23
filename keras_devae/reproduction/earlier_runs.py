"""Finished runs of version 0.1.0, used in place of the same runs, trained anew.

They have fewer scores, and all of them tracked information; both are among the settings by which a
finished run is recognised.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from keras_devae.reproduction.declarations import Plan
from keras_devae.reproduction.scales import TRACKED
from keras_devae.runs.config.flat_settings import config_from_settings
from keras_devae.studies.run_keys import run_key, run_name
from keras_devae.studies.study_run import StudyRun

#: Metrics that runs of 0.1.0 are without.
_LATER = ("infomec",)


def with_earlier_runs(plans: list[Plan], folder: Path) -> list[Plan]:
    """Replaces plans that are not done, and of which a run without the later metrics is done."""
    return [_done_before(plan, folder) for plan in plans] if folder.is_dir() else plans


def notices(planned: list[Plan], used: list[Plan]) -> list[str]:
    """Says how many of the runs that are used are earlier ones, if any."""
    count = sum(plan != other for plan, other in zip(planned, used, strict=True))
    if not count:
        return []
    return [
        f"{count} of {len(used)} runs are of version 0.1.0, which did not compute "
        f"{', '.join(_LATER)}: remove them to train them anew."
    ]


def _done_before(plan, folder):
    scores = tuple(name for name in plan.settings["metrics"] if name not in _LATER)
    if len(scores) == len(plan.settings["metrics"]) or _is_done(plan, folder):
        return plan
    earlier = dataclasses.replace(plan, settings={**plan.settings, "metrics": scores, **TRACKED})
    return earlier if _is_done(earlier, folder) else plan


def _is_done(plan, folder):
    config = config_from_settings(plan.settings)
    return StudyRun(folder, run_name(config, run_key(config))).is_done()
