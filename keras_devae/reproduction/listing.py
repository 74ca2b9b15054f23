"""Lists the experiments and how long they take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_devae.checks import AnyPath, counted
from keras_devae.reproduction.catalogue import EXPERIMENTS, plans_of
from keras_devae.reproduction.earlier_runs import with_earlier_runs
from keras_devae.reproduction.scales import Scale
from keras_devae.runs.config.flat_settings import config_from_settings
from keras_devae.studies.run_keys import run_key, run_name
from keras_devae.studies.study_run import StudyRun


def list_experiments(
    scale: Scale, runs_dir: AnyPath = "runs", seeds: int | None = None
) -> list[dict[str, Any]]:
    """Describes all experiments at a scale; runs done in `runs_dir` show how long a step takes.

    Each has `name`, `what` it shows, `trains`, `takes`, `known` (the paper's numbers), `runs`,
    `done`, and `process_hours`, the hours of one core that are left, or `None`.
    """
    folder = Path(runs_dir) / "reproduce" / scale.name
    planned = {name: _planned(name, scale, folder, seeds) for name in EXPERIMENTS}
    every = {run: config for runs in planned.values() for run, config in runs.items()}
    step_seconds, measured = _seconds_per_step(every, scale)
    return [_described(name, planned[name], step_seconds, measured) for name in EXPERIMENTS]


def _planned(name, scale, folder, seeds):
    plans = with_earlier_runs(plans_of(name, scale, seeds), folder)
    configs = [config_from_settings(plan.settings) for plan in plans]
    names = [run_name(config, run_key(config)) for config in configs]
    return {StudyRun(folder, name): c for name, c in zip(names, configs, strict=True)}


def _seconds_per_step(runs, scale):
    done = [(run.seconds(), config.training.steps) for run, config in runs.items() if run.is_done()]
    if not any(seconds for seconds, _ in done):
        return scale.core_seconds, False
    return sum(seconds for seconds, _ in done) / sum(steps for _, steps in done), True


#: Outcome of an experiment that trains no image models -> how long it takes.
_TAKES = {
    "estimates": "3 minutes on one core for each of the 90 trials at scale paper",
    "settings": "2, 7 or 26 minutes on one core, with batches of 64, 256 or 1,024, for each of the "
    "81 trials at scale paper",
}


def _described(name, runs, step_seconds, measured):
    experiment = EXPERIMENTS[name]
    row = {"name": name, "what": experiment.title, "known": experiment.finding}
    if not runs:
        return {
            **row,
            "trains": "discriminators, no images",
            "takes": _TAKES[experiment.outcome],
            "runs": 0,
            "done": 0,
            "process_hours": None,
        }
    done = sum(run.is_done() for run in runs)
    hours = sum(c.training.steps for run, c in runs.items() if not run.is_done())
    hours *= step_seconds / 3600
    return {
        **row,
        "trains": _models(runs.values()),
        "takes": _duration(hours, measured) if hours else "no time: all runs are done",
        "runs": len(runs),
        "done": done,
        "process_hours": round(hours, 2),
    }


def _models(configs):
    configs = list(configs)
    models = ", ".join(dict.fromkeys(config.model.name for config in configs))
    sets = " and ".join(dict.fromkeys(config.data.dataset for config in configs))
    runs = counted(len(configs), "run")
    return f"{runs} of {configs[0].training.steps:,} steps: {models} on {sets}"


def _duration(hours, measured):
    length = f"{hours:.1f} hours" if hours >= 1 else counted(round(60 * hours), "minute")
    where = ", judging by the runs that are done" if measured else ""
    return f"about {length} on one core{where}; less if other experiments share runs"
