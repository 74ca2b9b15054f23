"""Finished runs side by side: groups that differ in their settings, with the spread over seeds."""

import collections
import dataclasses
import functools
import math
import re
from typing import NamedTuple

import numpy as np
import scipy.stats

from keras_devae.checks import usable_path
from keras_devae.errors import FailureError, UsageError, unknown_name
from keras_devae.files import is_there
from keras_devae.metrics.estimators.spread import Spread, spread_of
from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.runs.config.flat_settings import setting_names
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.config.settings import declarations
from keras_devae.runs.folder import RunDirectory, find_runs
from keras_devae.runs.records import run_names

#: Settings that say how a run was carried out, and change neither model nor scores.
IRRELEVANT = frozenset(n for n, d in declarations().items() if not d.changes_result)
#: Settings that a model fitted in one go does not have, or has no choice in.
_OF_TRAINING = frozenset(n for n, d in declarations().items() if d.needs_training)
#: Settings that go without their name in the name of a group.
_PLAIN = ("model", "dataset")
#: Fewest runs that ranks are correlated over.
FEWEST_RUNS = 3
_SPREAD_KEYS = (".std", ".low", ".high")


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """A finished run.

    Attributes:
        directory: Its `RunDirectory`.
        config: Its `RunConfig`.
        scores: Metric -> number, of the layer compared.
    """

    directory: RunDirectory
    config: RunConfig
    scores: dict[str, float]

    @property
    def name(self):
        """Name of its folder."""
        return self.directory.name


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that differ in nothing that matters but the seed.

    Attributes:
        name: What tells it from the other groups, e.g. `"beta_vae beta=4"`.
        settings: The same as a dictionary; a setting that its model lacks is not in there.
        runs: Its `ComparedRun`s, ordered by seed.
        scores: Metric -> `Spread` over the runs that have the metric.
    """

    name: str
    settings: dict
    runs: tuple[ComparedRun, ...]
    scores: dict[str, Spread]

    @property
    def seeds(self):
        """The seed of each run, a tuple."""
        return tuple(run.config.training.seed for run in self.runs)

    def values(self, metric):
        """Returns a metric's value of each run that has it, a list."""
        return [run.scores[metric] for run in self.runs if metric in run.scores]


class RankCorrelations(NamedTuple):
    """Rank correlations between metrics.

    Attributes:
        matrix: `(m, m)` Spearman correlations over all runs, float64 in [-1, 1].
        names: Names of the m metrics.
    """

    matrix: np.ndarray
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare_runs` found.

    Attributes:
        groups: The `Group`s, ordered by name.
        metrics: Names of the metrics that any run has, e.g. `"mig.score"`.
        layer: Number of the latent layer.
        left_out: Name of each run that is left out, or its path where others have that name -> why.
        remarks: Sentences on what to bear in mind, a tuple.
    """

    groups: tuple[Group, ...]
    metrics: tuple[str, ...]
    layer: int
    left_out: dict[str, str]
    remarks: tuple[str, ...]

    @property
    def runs(self):
        """All runs compared, group by group, a tuple."""
        return tuple(run for group in self.groups for run in group.runs)

    def restricted(self, names):
        """Returns the comparison of some metrics only.

        Args:
            names: Names from `metrics`, or of whole metrics: `"dci"` is all that begins with
                `dci.`. Their order is kept.

        Raises:
            UsageError: If no run has one of them.
        """
        chosen = []
        for name in names:
            found = [m for m in self.metrics if m == name or m.startswith(f"{name}.")]
            if not found:
                whole = {metric.split(".")[0] for metric in self.metrics}
                raise unknown_name("metric of these runs", name, {*self.metrics, *whole})
            chosen += found
        return dataclasses.replace(self, metrics=tuple(dict.fromkeys(chosen)))

    @functools.cached_property
    def not_ranked(self):
        """Why a metric has no rank correlation, a dictionary; all have one if it is empty."""
        return {name: reason for name in self.metrics if (reason := self._unrankable(name))}

    @functools.cached_property
    def rank_correlations(self):
        """The `RankCorrelations` of the metrics over all runs; none with fewer than three runs.

        Metrics that are constant or that some runs lack are left out, see `not_ranked`.
        """
        names = tuple(name for name in self.metrics if name not in self.not_ranked)
        if not names:
            return RankCorrelations(np.zeros((0, 0)), ())
        values = np.array([[run.scores[name] for name in names] for run in self.runs])
        ranks = scipy.stats.rankdata(values, axis=0)
        matrix = np.atleast_2d(np.corrcoef(ranks, rowvar=False))
        return RankCorrelations(np.clip(matrix, -1.0, 1.0), names)

    def _unrankable(self, name):
        values = [run.scores[name] for run in self.runs if name in run.scores]
        if len(self.runs) < FEWEST_RUNS:
            return f"{len(self.runs)} of the {FEWEST_RUNS} runs that it takes"
        if len(values) < len(self.runs):
            return "not in every run"
        return "the same in all runs" if min(values) == max(values) else None


def compare_runs(directories, by=None, layer=0):
    """Puts the scores of finished runs side by side.

    Args:
        directories: Folders: of runs, of studies (all their runs), or of any number of runs, such
            as `runs`. A run that is named twice counts once.
        by: Names of the settings (of runs, or options of models) whose values make the groups; or
            `None`: all that matter to the model or to the scores, but for the seed. Those that do
            not are `IRRELEVANT`.
        layer: Number of the latent layer; default 0.

    Returns:
        A `Comparison`. Runs that are not finished, are damaged or lack the layer are left out.

    Raises:
        UsageError: If a folder holds no run, a setting is unknown, or no run is left.
    """
    by = None if by is None else _checked_names(by)
    runs, left_out = [], {}
    directories = directories_of(directories)
    names = collections.Counter(directory.name for directory in directories)
    for directory in directories:
        try:
            runs.append(_read(directory, layer))
        except (FailureError, UsageError) as error:
            name = directory.name
            left_out[name if names[name] == 1 else str(directory.path)] = str(error)
    if not runs:
        reasons = names_by_reason(left_out).items()
        told = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons)
        raise UsageError(f"There is no run to compare. Left out: {told}.")
    groups = _groups(runs, by)
    metrics = dict.fromkeys(name for run in runs for name in run.scores)
    return Comparison(groups, tuple(metrics), layer, left_out, tuple(_remarks(groups)))


def directories_of(folders):
    """Returns the `RunDirectory`s in folders of runs and studies, each once, in their order.

    Args:
        folders: As for `compare_runs`.

    Raises:
        UsageError: If one of them holds no run.
    """
    found = [directory for folder in folders for directory in _directories_in(folder)]
    return list({directory.path.resolve(): directory for directory in found}.values())


def names_by_reason(reason_of):
    """Turns a dictionary of reasons by name into one of lists of names by reason."""
    names_of = {}
    for name, reason in reason_of.items():
        names_of.setdefault(reason, []).append(name)
    return names_of


def _directories_in(folder):
    folder = usable_path("The folder of a run", folder)
    if is_there(folder / "config.json"):
        return [RunDirectory(folder)]
    if is_there(folder / "study.json"):
        return [RunDirectory(folder / name) for name in run_names(folder)]
    runs = find_runs(folder)
    if not runs:
        raise UsageError(f"There is no run in {folder}: neither config.json nor folders with one.")
    return runs


def _read(directory, layer):
    """Returns the `ComparedRun` of a folder, or raises an error that says why there is none."""
    if not is_there(directory.metrics_file):
        raise UsageError("not finished")
    config, content = directory.read_config(), directory.read_metrics()
    layers = {scores["layer"]: scores for scores in content["layers"]}
    scores = {
        name: float(value)
        for name, value in layers.get(layer, {}).items()
        if name != "layer" and value is not None and not name.endswith(_SPREAD_KEYS)
    }
    if layer not in layers:
        raise UsageError(f"no scores of layer {layer}")
    finite = {name: value for name, value in scores.items() if math.isfinite(value)}
    return ComparedRun(directory, config, finite)


def _checked_names(by):
    known = [name for name in setting_names() if name != "preset"]
    for name in by:
        if name not in known:
            raise unknown_name("setting", name, known)
    return tuple(by)


def _settings(config):
    """Returns all settings side by side, in a form that can be compared; options come early."""
    settings = config.to_dict()
    options = settings.pop("model_options")
    fitted = MODEL_CATALOGUE[config.model.name].fitted
    kept = {n: v for n, v in settings.items() if not (fitted and n in _OF_TRAINING)}
    first = {name: kept.pop(name) for name in _PLAIN}
    return {name: _comparable(value) for name, value in {**first, **options, **kept}.items()}


def _comparable(value):
    """Writes lists as tuples, and equal numbers alike."""
    if isinstance(value, dict):
        return tuple(sorted((name, _comparable(part)) for name, part in value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(_comparable(part) for part in value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _groups(runs, by):
    members = {}
    for run in runs:
        settings = _settings(run.config)
        if by is None:
            telling = {n: v for n, v in settings.items() if n not in IRRELEVANT and n != "seed"}
        else:
            telling = {name: settings[name] for name in by if name in settings}
        _, group = members.setdefault(tuple(sorted(telling.items())), (telling, []))
        group.append(run)
    keys = [telling for telling, _ in members.values()]
    shown = tuple(by) if by is not None else _differing(keys)
    groups = []
    for key, group in members.values():
        settings = {name: key[name] for name in shown if name in key}
        group = tuple(sorted(group, key=lambda run: (run.config.training.seed, run.name)))
        groups.append(Group(_name(settings), settings, group, _spreads(group)))
    return tuple(sorted(groups, key=lambda group: _in_order(group.name)))


def _in_order(name):
    """Returns a key to sort names by, in which 4 comes before 16."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)
    return [float(part) if i % 2 else part for i, part in enumerate(parts)]


def _differing(keys):
    """Returns the names of the settings that tell groups apart, the model first.

    Options of models count where groups of the same model differ in them.
    """
    shown = ["model"]
    for name in dict.fromkeys(name for key in keys for name in key):
        values = {}
        for key in keys:
            if name in declarations():
                values.setdefault(None, set()).update([key[name]] if name in key else [])
            else:
                values.setdefault(key["model"], set()).add(key.get(name))
        if name not in shown and any(len(different) > 1 for different in values.values()):
            shown.append(name)
    return tuple(shown)


def _name(settings):
    parts = [_text(v) if n in _PLAIN else f"{n}={_text(v)}" for n, v in settings.items()]
    return " ".join(parts) or "all runs"


def _text(value):
    if isinstance(value, tuple):
        return ",".join(_text(part) for part in value) or "none"
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _spreads(runs):
    names = dict.fromkeys(name for run in runs for name in run.scores)
    return {n: spread_of([r.scores[n] for r in runs if n in r.scores]) for n in names}


def _remarks(groups):
    runs = [run for group in groups for run in group.runs]
    for what, name in (("data sets", "dataset"), ("image sizes", "image_size")):
        values = sorted({str(run.config.to_dict()[name]) for run in runs})
        if len(values) > 1:
            yield f"These runs are of different {what}: {', '.join(values)}."
    repeated = [group.name for group in groups if len(set(group.seeds)) < len(group.seeds)]
    if repeated:
        yield (
            "Runs with the same seed are not independent, and the interval is too narrow: "
            f"{'; '.join(repeated)}."
        )
