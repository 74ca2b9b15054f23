"""What the runs of an experiment came to."""

import dataclasses
import math

import numpy as np

from keras_devae.errors import FailureError
from keras_devae.metrics import METRICS
from keras_devae.metrics.estimators.spread import spread_of
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.environment import environment_text
from keras_devae.runs.folder import RunDirectory

#: Names of scores in tables and figures.
SCORE_NAMES = {
    metric.key(name): number.label
    for metric in METRICS.values()
    for name, number in metric.numbers.items()
    if number.title
}


@dataclasses.dataclass(frozen=True)
class Result:
    """A run that is done.

    Attributes:
        group: See `catalogue.Plan`.
        directory: Its `RunDirectory`.
        config: Its `RunConfig`.
        layers: Its scores, a dictionary for each latent layer.
        seconds: How long it was worked on.
        source: Where its images are from, in words.
        environment: What it ran on, see `environment_text`.
    """

    group: str
    directory: RunDirectory
    config: RunConfig
    layers: list[dict]
    seconds: float
    source: str
    environment: str

    def score(self, name, layer=0):
        """Returns a score of a layer, or `None` where it was not computed."""
        return self.layers[layer].get(name)


class Results:
    """The runs of an experiment that are done, in the experiment's order.

    Args:
        results: List of `Result`.
    """

    def __init__(self, results):
        self._results = results

    def __iter__(self):
        return iter(self._results)

    def __len__(self):
        return len(self._results)

    @property
    def groups(self):
        """Names of the groups, in order."""
        return list(dict.fromkeys(result.group for result in self))

    def of(self, group):
        """Returns the results of one group, a list."""
        return [result for result in self if result.group == group]

    def on(self, dataset):
        """Returns the `Results` on one data set."""
        return Results([result for result in self if result.config.data.dataset == dataset])

    @property
    def data_sets(self):
        """Names of the data sets, in order."""
        return list(dict.fromkeys(result.config.data.dataset for result in self))

    @property
    def sources(self):
        """Where the images of each data set are from, a sorted list of texts."""
        return sorted({f"{result.config.data.dataset} {result.source}" for result in self})

    def mixtures(self):
        """Warns of data sets whose runs read images of several sources, a list of sentences."""
        return [
            f"The runs on {dataset} are of images of several sources ({', '.join(sources)}): do "
            "not compare their scores. Remove the runs of one source and reproduce again."
            for dataset in self.data_sets
            if len(sources := sorted({result.source for result in self.on(dataset)})) > 1
        ]

    def environments(self):
        """Returns what the runs ran on, see `environment_text`; a list without repetitions."""
        return list(dict.fromkeys(result.environment for result in self))

    def layer_count(self, group):
        """Returns the number of latent layers of a group."""
        return len(self.of(group)[0].layers)

    def values(self, group, name, layer=0):
        """Returns a score of each run of a group that has it, a list."""
        values = [result.score(name, layer) for result in self.of(group)]
        return [value for value in values if value is not None and math.isfinite(value)]

    def spread(self, group, name, layer=0):
        """Returns the `Spread` of a score over the seeds, or `None` where no run has it."""
        values = self.values(group, name, layer)
        return spread_of(values) if values else None

    def tidy(self):
        """Returns a row for each run, latent layer and score: a list of dictionaries."""
        return [
            {
                "group": result.group,
                "model": result.config.model.name,
                "dataset": result.config.data.dataset,
                "source": result.config.data.source,
                "latent_dim": result.config.model.latent_dim,
                "seed": result.config.training.seed,
                "run": result.directory.name,
                "layer": layer["layer"],
                "metric": name,
                "value": value,
            }
            for result in self
            for layer in result.layers
            for name, value in layer.items()
            if name != "layer" and value is not None
        ]


def read_result(plan, run):
    """Reads what a run came to.

    Args:
        plan: The `catalogue.Plan`.
        run: The `StudyRun`, done.

    Raises:
        FailureError: If its files are damaged.
    """
    record, scores = run.directory.read_record(), run.directory.read_metrics()
    if scores is None:
        raise FailureError(
            f"{run.directory.metrics_file} does not hold scores. Remove it and reproduce again."
        )
    return Result(
        group=plan.group,
        directory=run.directory,
        config=run.directory.read_config(),
        layers=[_with_varying_means(layer) for layer in scores["layers"]],
        seconds=run.seconds(),
        source=_source(record["data"]),
        environment=environment_text(record.get("environment", {})),
    )


def _with_varying_means(layer):
    """Gives the count of Burda et al. in scores of earlier versions the name that it has now."""
    named, before = (METRICS["active_variables"].key(name) for name in ("varying_means", "count"))
    if named in layer or before not in layer:
        return layer
    return {named if name == before else name: value for name, value in layer.items()}


def _source(provenance):
    if provenance.get("source") == "rendered":
        return "drawn by the built-in renderer"
    return f"read from the {provenance.get('source')} file"


def compared(first, second):
    """Says by how much the mean of one sample is above that of another.

    Args:
        first: Numbers.
        second: Numbers.

    Returns:
        Text such as `"+12 % (difference 0.030, 95 % interval -0.010 to 0.070)"`, by Welch's t;
        without the interval where a sample has a single number.
    """
    difference = float(np.mean(first) - np.mean(second))
    share = difference / abs(float(np.mean(second))) if np.mean(second) else float("nan")
    text = f"{100 * share:+.0f} % (difference {difference:.3g}"
    if min(len(first), len(second)) < 2 or not np.var([*first]) + np.var([*second]):
        return f"{text})"
    from scipy.stats import ttest_ind

    interval = ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    return f"{text}, 95 % interval {interval.low:.3g} to {interval.high:.3g})"
