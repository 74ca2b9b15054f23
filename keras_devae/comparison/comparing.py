"""Compares finished runs, with the spread over seeds and rank correlations of metrics."""

import collections
import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from keras_devae.checks import Array, usable_path
from keras_devae.comparison.groups import ComparedRun, Group, group_runs
from keras_devae.data.image_sizes import size_text
from keras_devae.errors import FailureError, UsageError, unknown_name
from keras_devae.files import is_there
from keras_devae.metrics import SPREAD
from keras_devae.runs.config.flat_settings import setting_names
from keras_devae.runs.evaluation_folder import EvaluationFolder, find_evaluations
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.listing import find_runs
from keras_devae.runs.preset import preset_at
from keras_devae.runs.records import run_names

#: Fewest runs for which rank correlations are computed: three have few ranks to agree by.
FEWEST_RUNS = 4
#: Fewest seeds of a group by which small differences can be told from chance.
FEWEST_SEEDS = 5


class RankCorrelations(NamedTuple):
    """Spearman correlations of m metrics over all runs, `(m, m)` in [-1, 1], and their names."""

    matrix: Array
    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True, repr=False)
class Comparison:
    """The result of `compare_runs`.

    Attributes:
        groups: The groups, ordered by name.
        metrics: Names of the metrics that any run has, e.g. `"mig.score"`.
        layer: Number of the latent layer.
        left_out: Name of each run that is left out, or its path where names repeat -> why.
        remarks: Caveats, as sentences.

    A notebook shows it as a table: for several runs, mean ± standard deviation and the 95 %
    interval of the mean.

    Example:
        >>> settings = dict(model="pca", dataset="dsprites", source="rendered", image_size=32,
        ...     variants=("subset:300",), metrics=("mig",), evaluation_images=200)
        >>> for seed in (0, 1):
        ...     config = kd.runs.RunConfig(**settings, seed=seed)
        ...     with kd.runs.Run.new(config, f"compared/{seed}") as run:
        ...         model, scores = run.train(progress=False), run.evaluate()
        >>> comparison = kd.comparison.compare_runs(["compared"])
        >>> [(group.name, group.seeds) for group in comparison.groups]
        [('pca', (0, 1))]
    """

    groups: tuple[Group, ...]
    metrics: tuple[str, ...]
    layer: int
    left_out: dict[str, str]
    remarks: tuple[str, ...]

    def __repr__(self) -> str:
        groups = ", ".join(f"{group.name} ({len(group.runs)})" for group in self.groups)
        return f"<Comparison of runs, layer {self.layer}: {groups}>"

    @property
    def runs(self) -> tuple[ComparedRun, ...]:
        """All runs compared, group by group."""
        return tuple(run for group in self.groups for run in group.runs)

    @property
    def caution(self) -> str | None:
        """A sentence that names the groups of too few seeds; `None` if there is none."""
        seeds = {group.name: len(set(group.seeds)) for group in self.groups}
        few = [f"{name} ({count})" for name, count in seeds.items() if count < FEWEST_SEEDS]
        if not few:
            return None
        return (
            f"Fewer than {FEWEST_SEEDS} seeds, too few to tell small differences from chance: "
            f"{'; '.join(few)}. Train more seeds before you rely on a difference."
        )

    def restricted(self, names: Iterable[str]) -> Self:
        """Returns the comparison restricted to some metrics, in the order of `names`.

        `"dci"` stands for all that begin with `dci.`; a name that no run has raises `UsageError`.
        """
        chosen: list[str] = []
        for name in names:
            found = [m for m in self.metrics if m == name or m.startswith(f"{name}.")]
            if not found:
                whole = {metric.split(".")[0] for metric in self.metrics}
                raise unknown_name("metric of these runs", name, {*self.metrics, *whole})
            chosen += found
        return dataclasses.replace(self, metrics=tuple(dict.fromkeys(chosen)))

    def _repr_markdown_(self) -> str:
        """Returns the table of all metrics and the caution, which notebooks show."""
        # Imported late: `tables` imports this module.
        from keras_devae.comparison.table_files import markdown
        from keras_devae.comparison.tables import comparison_cells

        return "\n".join([markdown(*comparison_cells(self)), *filter(None, [self.caution])])

    @functools.cached_property
    def not_ranked(self) -> dict[str, str]:
        """Name of each metric without rank correlations -> why, e.g. because of too few runs."""
        return {name: reason for name in self.metrics if (reason := self._unrankable(name))}

    @functools.cached_property
    def rank_correlations(self) -> RankCorrelations:
        """Rank correlations over all runs of the metrics that are not in `not_ranked`."""
        # Imported late, so that errors found earlier are reported without delay.
        from scipy.stats import rankdata

        names = tuple(name for name in self.metrics if name not in self.not_ranked)
        if not names:
            return RankCorrelations(np.zeros((0, 0)), ())
        values = np.array([[run.scores[name] for name in names] for run in self.runs])
        matrix = np.atleast_2d(np.corrcoef(rankdata(values, axis=0), rowvar=False))
        return RankCorrelations(np.clip(matrix, -1.0, 1.0), names)

    def _unrankable(self, name: str) -> str | None:
        values = [run.scores[name] for run in self.runs if name in run.scores]
        if len(self.runs) < FEWEST_RUNS:
            return f"needs {FEWEST_RUNS} runs or more, here {len(self.runs)}"
        if len(values) < len(self.runs):
            return "not in every run"
        return "the same in all runs" if min(values) == max(values) else None


def compare_runs(
    folders: Iterable[str | Path], by: Sequence[str] | None = None, layer: int = 0
) -> Comparison:
    """Compares the scores of finished runs.

    Args:
        folders: Folders of runs, of studies (all their runs), of evaluations of other encoders, or
            of any number of these, such as `runs`. A run that is named twice counts once.
        by: Names of the settings, or of options of models, whose values make the groups; default:
            all that change model or scores, except the seed.
        layer: Number of the latent layer; default 0.

    Returns:
        The comparison. Runs that are not finished, are damaged or lack the layer are left out.

    Raises:
        UsageError: If a folder holds no run, a setting is unknown, or no run is left.
    """
    known = [name for name in setting_names() if name != "preset"]
    for name in by or ():
        if name not in known:
            raise unknown_name("setting", name, known)
    runs: list[ComparedRun] = []
    left_out: dict[str, str] = {}
    directories = find_all_runs(folders)
    names = collections.Counter(directory.name for directory in directories)
    for directory in directories:
        try:
            runs.append(_read_run(directory, layer))
        except (FailureError, UsageError) as error:
            name = directory.name
            left_out[name if names[name] == 1 else str(directory.path)] = str(error)
    if not runs:
        reasons = "; ".join(
            f"{', '.join(names)} ({reason})" for reason, names in names_by_reason(left_out).items()
        )
        raise UsageError(f"There is no run to compare. Left out: {reasons}.")
    groups = group_runs(runs, by)
    metrics = dict.fromkeys(name for run in runs for name in run.scores)
    return Comparison(groups, tuple(metrics), layer, left_out, tuple(_remarks(groups)))


def find_all_runs(folders: Iterable[str | Path]) -> list[RunDirectory | EvaluationFolder]:
    """Returns the runs in folders as `compare_runs` takes them, each once, in their order."""
    found = [directory for folder in folders for directory in _runs_in(folder)]
    return list({directory.path.resolve(): directory for directory in found}.values())


def names_by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Turns reasons by name into the names that each reason applies to."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names.setdefault(reason, []).append(name)
    return names


def _runs_in(folder: str | Path) -> Sequence[RunDirectory | EvaluationFolder]:
    preset = preset_at(folder)
    if preset is not None:
        return [preset]
    path = usable_path("The folder of a run", folder)
    if is_there(path / "config.json"):
        return [RunDirectory(path)]
    if is_there(path / "study.json"):
        return [RunDirectory(path / name) for name in run_names(path)]
    evaluation = EvaluationFolder(path)
    if evaluation.is_there():
        return [evaluation]
    runs: list[RunDirectory | EvaluationFolder] = [*find_runs(path), *find_evaluations(path)]
    if not runs:
        raise UsageError(f"There is no run in {path}: neither config.json nor folders with one.")
    return runs


def _read_run(directory: RunDirectory | EvaluationFolder, layer: int) -> ComparedRun:
    """Reads a run, or raises an error that says why it is left out."""
    content: Any
    if isinstance(directory, EvaluationFolder):
        content = directory.read()
        settings = directory.settings(content)
    else:
        content = directory.read_metrics()
        if content is None:
            raise UsageError("not finished")
        settings = directory.read_config().to_dict()
    layers = {scores["layer"]: scores for scores in content["layers"]}
    if layer not in layers:
        raise UsageError(f"no scores of layer {layer}")
    scores = {
        name: float(value)
        for name, value in layers[layer].items()
        if name != "layer" and value is not None and not name.endswith(SPREAD)
    }
    finite = {name: value for name, value in scores.items() if math.isfinite(value)}
    return ComparedRun(directory, settings, finite)


def _remarks(groups: Iterable[Group]) -> Iterator[str]:
    groups = tuple(groups)
    data = [run.settings for group in groups for run in group.runs]
    for what, found in (
        ("data sets", {settings["dataset"] for settings in data}),
        ("image sizes", {size_text(settings["image_size"]) for settings in data}),
    ):
        if len(found) > 1:
            yield f"These runs are of different {what}: {', '.join(sorted(found))}."
    repeated = [group.name for group in groups if len(set(group.seeds)) < len(group.seeds)]
    if repeated:
        yield (
            "Runs with the same seed are not independent, and the interval is too narrow: "
            f"{'; '.join(repeated)}."
        )
