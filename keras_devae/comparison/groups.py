"""Groups of finished runs, or of other encoders, that are alike except for the seed."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_devae.data.image_sizes import size_text
from keras_devae.data.titles import title_of
from keras_devae.metrics.estimators.spread import Spread, spread_of
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.config.forms import declarations
from keras_devae.runs.evaluation_folder import EvaluationFolder
from keras_devae.runs.folder import RunDirectory

#: Settings whose values appear in the name of a group without the name of the setting.
_UNNAMED = ("model", "dataset")


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """A finished run, or the evaluation of another encoder.

    `settings` are by name, as in `RunConfig.to_dict`, of another encoder the few that it has;
    `scores` are the numeric ones of the compared layer, by metric.
    """

    directory: RunDirectory | EvaluationFolder
    settings: dict[str, Any]
    scores: dict[str, float]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.directory.name

    @property
    def seed(self) -> int:
        """Seed of the run, or of another encoder's images."""
        return self.settings["seed"]


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that are alike in everything that matters, except the seed; ordered by seed.

    `settings` are those that distinguish it from the other groups, if its model has them; `name` is
    the same as text, e.g. `"beta_vae beta=4"`; `scores` has the spread of each metric over the
    runs that have it.
    """

    name: str
    settings: dict[str, Any]
    runs: tuple[ComparedRun, ...]
    scores: dict[str, Spread]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each run."""
        return tuple(run.seed for run in self.runs)

    def values(self, metric: str) -> list[float]:
        """Returns a metric's value in each run that has it."""
        return [run.scores[metric] for run in self.runs if metric in run.scores]


def group_runs(runs: Iterable[ComparedRun], by: Sequence[str] | None) -> tuple[Group, ...]:
    """Groups runs by the named settings, or by all that change the result except the seed."""
    groups: dict[tuple[Any, ...], tuple[dict[str, Any], list[ComparedRun]]] = {}
    for run in runs:
        settings = _comparable_settings(run.settings)
        names = grouping_settings(settings) if by is None else by
        chosen = {name: settings[name] for name in names if name in settings}
        groups.setdefault(tuple(sorted(chosen.items())), (chosen, []))[1].append(run)
    shown = _differing([chosen for chosen, _ in groups.values()]) if by is None else by
    titles = _titles_of_datasets(chosen.get("dataset") for chosen, _ in groups.values())
    found = (_group(*group, shown, titles) for group in groups.values())
    return tuple(sorted(found, key=_natural_order))


def _titles_of_datasets(names: Iterable[str | None]) -> dict[str, str]:
    """Returns each data set's title, without the path of your own images unless titles repeat."""
    found = {name: title_of(name) for name in names if name is not None}
    return found if len(set(found.values())) == len(found) else {name: name for name in found}


def _group(
    settings: Mapping[str, Any],
    runs: list[ComparedRun],
    shown: Sequence[str],
    titles: Mapping[str, str],
) -> Group:
    shown_settings = {name: settings[name] for name in shown if name in settings}
    metrics = dict.fromkeys(name for run in runs for name in run.scores)
    return Group(
        name=_name(shown_settings, titles),
        settings=shown_settings,
        runs=tuple(sorted(runs, key=lambda run: (run.seed, run.name))),
        scores={m: spread_of([r.scores[m] for r in runs if m in r.scores]) for m in metrics},
    )


def _comparable_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all settings that the model knows as hashable values: model, data, options, rest."""
    settings = dict(settings)
    options = settings.pop("model_options", {})
    if not isinstance(settings["image_size"], int):
        settings["image_size"] = size_text(settings["image_size"])
    declared = MODEL_CATALOGUE.get(settings["model"])
    if declared is not None and declared.fitted:
        settings = {n: v for n, v in settings.items() if not declarations()[n].needs_training}
    if declared is not None and not declared.decodes:
        settings.pop("likelihood", None)
    first = {name: settings.pop(name) for name in _UNNAMED}
    return {name: _comparable(value) for name, value in {**first, **options, **settings}.items()}


def _comparable(value: Any) -> Any:
    """Returns a value with lists and dictionaries as tuples, and equal numbers written alike."""
    if isinstance(value, dict):
        return tuple(sorted((name, _comparable(part)) for name, part in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_comparable(part) for part in value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def grouping_settings(names: Iterable[str]) -> list[str]:
    """Returns the names of settings that change model or scores, except the seed."""
    declared = declarations()
    return [
        name
        for name in names
        if name != "seed" and (name not in declared or declared[name].changes_result)
    ]


def _differing(settings_of_groups: list[dict[str, Any]]) -> tuple[str, ...]:
    """Returns the names of the settings that differ between groups, the model first.

    Options of models count where groups of the same model differ in them.
    """
    shown = ["model"]
    for name in dict.fromkeys(name for settings in settings_of_groups for name in settings):
        values: dict[str | None, set[Any]] = {}
        for settings in settings_of_groups:
            if name not in declarations():
                values.setdefault(settings["model"], set()).add(settings.get(name))
            elif name in settings:
                values.setdefault(None, set()).add(settings[name])
        if name not in shown and any(len(different) > 1 for different in values.values()):
            shown.append(name)
    return tuple(shown)


def _name(settings: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    if "dataset" in settings:
        settings = {**settings, "dataset": titles[settings["dataset"]]}
    parts = [_text(v) if n in _UNNAMED else f"{n}={_text(v)}" for n, v in settings.items()]
    return " ".join(parts) or "all runs"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(_text(part) for part in value) or "none"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _natural_order(group: Group) -> list[str | float]:
    """Returns a key that sorts groups by name, with 4 before 16."""
    parts = re.split(r"(\d+(?:\.\d+)?)", group.name)
    return [float(part) if i % 2 else part for i, part in enumerate(parts)]
