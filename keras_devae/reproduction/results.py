"""The scores of the runs of an experiment."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from keras_devae.errors import FailureError
from keras_devae.metrics import METRICS, number_of
from keras_devae.metrics.estimators.spread import Spread, spread_of
from keras_devae.reproduction.differences import difference_of
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.environment import environment_text, precision_text
from keras_devae.runs.folder import RunDirectory

if TYPE_CHECKING:
    from keras_devae.reproduction.declarations import Plan
    from keras_devae.studies.study_run import StudyRun

MIG = METRICS["mig"].key()
INFOM = METRICS["infomec"].key("infom")
RECONSTRUCTION = METRICS["reconstruction_error"].key("negative_log_likelihood")
_VARYING_MEANS = METRICS["active_variables"].key("varying_means")


def score_title(key: str) -> str:
    """Returns a score's name in tables and figures, with its unit."""
    number = number_of(key)
    return key if number is None else number.label


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished run: its group, see `declarations.Plan`, and its scores by latent layer.

    `source` says where its images come from, `environment` what it ran on, see `environment_text`,
    and in which precision, and `day` when it was trained, as `"2026-11-30"`.
    """

    group: str
    directory: RunDirectory
    config: RunConfig
    layers: list[dict[str, Any]]
    seconds: float
    source: str
    environment: str
    day: str

    def score(self, name: str, layer: int = 0) -> float | None:
        """Returns a score of a layer, or `None` where it was not computed."""
        return self.layers[layer].get(name)

    def described(self) -> dict[str, Any]:
        """Returns what the run was, for the rows of a CSV file."""
        return {
            "group": self.group,
            "model": self.config.model.name,
            "dataset": self.config.data.dataset,
            "source": self.config.data.source,
            "latent_dim": self.config.model.latent_dim,
            "seed": self.config.training.seed,
            "run": self.directory.name,
        }


class Results(list[Result]):
    """The finished runs of an experiment, in the experiment's order."""

    @property
    def groups(self) -> list[str]:
        """Names of the groups, in order."""
        return list(dict.fromkeys(result.group for result in self))

    def of(self, group: str) -> list[Result]:
        """Returns the results of one group."""
        return [result for result in self if result.group == group]

    def on(self, dataset: str) -> Results:
        """Returns the results on one data set."""
        return Results(result for result in self if result.config.data.dataset == dataset)

    @property
    def data_sets(self) -> list[str]:
        """Names of the data sets, in order."""
        return list(dict.fromkeys(result.config.data.dataset for result in self))

    @property
    def sources(self) -> list[str]:
        """Where the images of each data set come from, sorted."""
        return sorted({f"{result.config.data.dataset} {result.source}" for result in self})

    def mixtures(self) -> list[str]:
        """Returns a warning for each data set whose runs read images from several sources."""
        return [
            f"The runs on {dataset} used images of several sources ({', '.join(sources)}): do "
            "not compare their scores. Remove the runs of one source and reproduce again."
            for dataset in self.data_sets
            if len(sources := sorted({result.source for result in self.on(dataset)})) > 1
        ]

    def environments(self) -> list[str]:
        """Returns the environments of the runs, without repetitions."""
        return list(dict.fromkeys(result.environment for result in self))

    def days(self) -> str:
        """Returns the days from the first to the last run, such as `"2026-11-30"`."""
        return days_text(result.day for result in self)

    def values(self, group: str, name: str, layer: int = 0) -> list[float]:
        """Returns a score of each run of a group that has it."""
        values = [result.score(name, layer) for result in self.of(group)]
        return [value for value in values if value is not None and math.isfinite(value)]

    def spread(self, group: str, name: str, layer: int = 0) -> Spread | None:
        """Returns the `Spread` of a score over the seeds, or `None` where no run has it."""
        values = self.values(group, name, layer)
        return spread_of(values) if values else None

    def tidy(self) -> list[dict[str, Any]]:
        """Returns a row for each run, latent layer and score."""
        return [
            {
                **result.described(),
                "layer": layer["layer"],
                "metric": name,
                "value": value,
            }
            for result in self
            for layer in result.layers
            for name, value in layer.items()
            if name != "layer" and value is not None
        ]


def days_text(days: Iterable[str]) -> str:
    """Describes days such as `"2026-11-30"` by the first and the last."""
    known = sorted(filter(None, days))
    return " to ".join(dict.fromkeys(known[:1] + known[-1:]))


def read_result(plan: Plan, run: StudyRun) -> Result:
    """Reads the result of a finished run."""
    record, scores = run.directory.read_record(), run.directory.read_metrics()
    source = record["data"].get("source")
    drawn, read = "drawn by the built-in renderer", f"read from the {source} file"
    if scores is None:
        raise FailureError(
            f"{run.directory.metrics_file} does not hold scores. Remove it and reproduce again."
        )
    config = run.directory.read_config()
    environment = environment_text(record.get("environment", {}))
    return Result(
        group=plan.group,
        directory=run.directory,
        config=config,
        layers=[_with_varying_means(layer) for layer in scores["layers"]],
        seconds=run.seconds(),
        source=drawn if source == "rendered" else read,
        environment=f"{environment}, {precision_text(config.compute.mixed_precision)}",
        day=record.get("times", {}).get("trained", "")[:10],
    )


def _with_varying_means(layer):
    """Renames the count of Burda et al. in scores of version 0.1.0."""
    before = "active_variables.count"
    if _VARYING_MEANS in layer or before not in layer:
        return layer
    return {_VARYING_MEANS if name == before else name: value for name, value in layer.items()}


def compared(first: Sequence[float], second: Sequence[float]) -> str:
    """Describes by how much one sample's mean exceeds another's, with an interval by Welch's t.

    For example `"+12 % (difference 0.030, 95 % interval -0.010 to 0.070)"`; without the interval
    where a sample has a single number.
    """
    difference = difference_of(first, second)
    text = f"{100 * difference.share:+.0f} % (difference {difference.mean:.3g}"
    if difference.interval is None:
        return f"{text})"
    low, high = difference.interval
    return f"{text}, 95 % interval {low:.3g} to {high:.3g})"
