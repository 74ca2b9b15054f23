"""Which runs of a study can be trained together, as one program."""

from __future__ import annotations

import collections
from collections.abc import Hashable, Iterable

from keras_devae.backend.choosing import chosen_backend
from keras_devae.backend.interface import backend_named
from keras_devae.checks import at_least, counted
from keras_devae.errors import UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.studies.study import Study
from keras_devae.studies.study_run import StudyRun

#: Engines that can train runs together.
ENGINES_TOGETHER = ("local", "inline")
#: How the reason begins that lies in the backend.
_OTHER_BACKEND = "the backend"
#: Groups of settings that do not concern the training step.
_OUTSIDE_THE_STEP = ("evaluation", "validation")


class Grouping:
    """Which runs of a study are trained together: those that differ only in seed and numbers.

    Numbers are those that enter the training step as such, for example `beta` or `learning_rate`,
    and not sizes or lengths. What is measured, held out and kept may differ as well. Whether the
    steps themselves differ only in numbers is seen when the runs are begun.

    Args:
        study: The study.
        size: Most runs in one group, at least 2.

    Raises:
        UsageError: If `size` is below 2.
    """

    def __init__(self, study: Study, size: int) -> None:
        self.size = at_least("group_size", size, 2)
        self._keys = {run: _key_of(study.plan[run.name][1]) for run in study.runs}
        self._alone = {
            run: reason
            for run in study.runs
            if (reason := why_alone(study.plan[run.name][1])) is not None
        }

    def pick(self, run: StudyRun, waiting: Iterable[StudyRun]) -> list[StudyRun]:
        """Returns a run and the waiting runs that are trained together with it."""
        if run in self._alone:
            return [run]
        like = [other for other in waiting if self._are_like(run, other)]
        return [run, *like[: self.size - 1]]

    def _are_like(self, run, other):
        return other not in self._alone and self._keys[other] == self._keys[run]

    def check(self) -> None:
        """Raises a `UsageError` unless some runs of the study can be trained together."""
        if len(self._alone) == len(self._keys):
            reason = next(iter(self._alone.values()))
            other = ", or give --backend jax before the command" * reason.startswith(_OTHER_BACKEND)
            raise UsageError(
                f"No runs of this study can be trained together: {reason}. Leave --together out"
                f"{other}."
            )

    def describe(self) -> list[str]:
        """Says in a line how many runs form groups, and in another which ones are alone and why."""
        sizes = collections.Counter(
            key for run, key in self._keys.items() if run not in self._alone
        )
        grouped = [count for count in sizes.values() if count > 1]
        groups = sum(-(-count // self.size) for count in grouped)
        lines = [f"{sum(grouped)} runs in {counted(groups, 'group')}"]
        reasons = collections.Counter(self._alone.values())
        if single := sum(count == 1 for count in sizes.values()):
            reasons["no other run is like it"] = single
        parts = [f"{number} ({reason})" for reason, number in reasons.items()]
        return [*lines, *([f"trained alone: {', '.join(parts)}"] if parts else [])]


def check_engine(engine: str) -> None:
    """Raises a `UsageError` for an engine that trains no runs together."""
    if engine not in ENGINES_TOGETHER:
        raise UsageError(
            f"--together needs --engine {' or '.join(ENGINES_TOGETHER)}, which train runs on this "
            f"machine. Received: --engine {engine}."
        )


def why_alone(config: RunConfig) -> str | None:
    """Returns why a run is trained alone, in words, or `None` if it need not be."""
    backend = config.compute.backend or chosen_backend()
    if not backend_named(backend).trains_together:
        return f"{_OTHER_BACKEND} {backend} trains one run at a time"
    if MODEL_CATALOGUE[config.model.name].fitted:
        return f"{config.model.name} is fitted in one go"
    if config.compute.distribute is not None:
        return "`distribute` gives one run all devices"
    if config.compute.jit_compile is False:
        return "`jit_compile` is off"
    return None


def _key_of(config: RunConfig) -> Hashable:
    """Returns what runs that may be trained together have in common."""
    settings = config.to_nested()
    for group in _OUTSIDE_THE_STEP:
        del settings[group]
    # The number of steps per call depends on it.
    settings["track_every"] = config.evaluation.track_every if config.evaluation.track else None
    del settings["training"]["seed"], settings["training"]["keep"]
    options = MODEL_CATALOGUE[config.model.name].options
    numbers = {name for name, option in options.items() if option.kind in ("number", "numbers")}
    given = {name: option.default for name, option in options.items()} | config.model.options
    settings["model"]["options"] = {
        name: _form_of(value) if name in numbers else value for name, value in given.items()
    }
    return str({name: _without_numbers(value) for name, value in sorted(settings.items())})


def _without_numbers(value):
    if isinstance(value, dict):
        return {name: _without_numbers(part) for name, part in sorted(value.items())}
    return "number" if isinstance(value, float) else value


def _form_of(value):
    """Returns what stands for a number, or for each of several."""
    if isinstance(value, (list, tuple)):
        return ["number"] * len(value)
    return None if value is None else "number"
