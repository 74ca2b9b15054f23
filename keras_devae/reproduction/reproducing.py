"""Carrying an experiment out: its runs, its table, its figure."""

import abc
import dataclasses
import functools
from pathlib import Path

import jinja2

from keras_devae import figures
from keras_devae.checks import usable_path
from keras_devae.comparison.table_files import markdown
from keras_devae.errors import FailureError
from keras_devae.files import write_table, write_text
from keras_devae.metrics import METRICS
from keras_devae.reproduction import model_outcomes, outcomes
from keras_devae.reproduction.catalogue import experiment_named, plans_of
from keras_devae.reproduction.discriminator_estimates import (
    BATCH_SIZE,
    STEPS,
    UNITS,
    environments_of,
    estimate_table,
)
from keras_devae.reproduction.results import Results, read_result
from keras_devae.studies.study import Study

_BOUNDS = (outcomes.RECONSTRUCTION, outcomes.MIG, METRICS["elbo_decomposition"].key("elbo"))
_COMPARED = (
    outcomes.MIG,
    METRICS["factor_vae_score"].key(),
    METRICS["dci"].key("disentanglement"),
    outcomes.RECONSTRUCTION,
)
_WIDTHS = (outcomes.MIG, outcomes.RECONSTRUCTION, METRICS["kl"].key())
_ACTIVE = (
    METRICS["active_variables"].key("varying_means"),
    METRICS["med"].key("disentanglement"),
    METRICS["med"].key("top_k_disentanglement"),
    METRICS["med"].key("top_k_completeness"),
)

_OF_BASES = (
    "Layer i is drawn with a weight of s to the power of i: with s = 0 the first is trained alone, "
    "and the rows of the others show scalings as they were at the start."
)


def _active_outcome(results):
    added = Results([model_outcomes.with_top_k(result) for result in results])
    return outcomes.method_outcome(added, _ACTIVE, favourite=None)


#: Name in the catalogue -> function of the `Results` that returns an `Outcome`.
OUTCOMES = {
    "bases": functools.partial(outcomes.layer_outcome, remarks=[_OF_BASES]),
    "ablation": outcomes.ablation_outcome,
    "active": _active_outcome,
    "bounds": functools.partial(outcomes.method_outcome, scores=_BOUNDS),
    "diffusion": outcomes.diffusion_outcome,
    "layers": outcomes.layer_outcome,
    "layer_samples": model_outcomes.layer_sample_outcome,
    "layer_traversals": model_outcomes.layer_traversal_outcome,
    "methods": functools.partial(outcomes.method_outcome, scores=_COMPARED),
    "over_layers": model_outcomes.over_layers_outcome,
    "samples": model_outcomes.sample_outcome,
    "traversals": model_outcomes.traversal_outcome,
    "widths": functools.partial(outcomes.method_outcome, scores=_WIDTHS, favourite=None),
}
#: Scale -> arguments of `estimate_table`.
_ESTIMATES = {
    "paper": {"trials": 10},
    "small": {"dimensions": (10, 100), "trials": 2},
    "smoke": {
        "dimensions": (4,),
        "correlations": (0.6, 0.9),
        "trials": 2,
        "steps": 20,
        "units": (16, 16),
    },
}


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What an outcome was made of.

    Attributes:
        carried_out: The number of runs or trials, as text.
        seconds: What they took in all.
        sources: Where the images are from, a text for each data set.
        environments: What they ran on, a text for each machine and its versions.
    """

    carried_out: str
    seconds: float
    sources: list[str]
    environments: list[str]


class Reproduction(abc.ABC):
    """An experiment at a scale.

    Attributes:
        name: Name of the experiment.
        scale: The `Scale`.
        experiment: The `Experiment`.
        study: The `Study` of its runs, or `None`: it trains no models of images.
    """

    study = None

    def __init__(self, name, scale):
        self.name, self.scale = name, scale
        self.experiment = experiment_named(name)

    @property
    @abc.abstractmethod
    def setting(self):
        """What the numbers are of, in a sentence or two."""

    @abc.abstractmethod
    def outcome(self, progress=None, only_done=False):
        """Makes the table and the figure.

        Args:
            progress: Function of the numbers of trials done and to do, called by the experiment
                that trains no models of images; or `None`.
            only_done: Whether that one leaves out the trials that are not done; default false.

        Returns:
            The pair of the `Outcome` and its `Provenance`.

        Raises:
            FailureError: If nothing is done.
        """

    def write(self, outcome, provenance, output, command):
        """Writes the numbers, the table and the figure.

        Args:
            outcome: The `Outcome`.
            provenance: Its `Provenance`.
            output: Folder.
            command: The command that makes them, to be written beside.

        Returns:
            List of the files: CSV, Markdown, PNG and SVG.
        """
        files = {kind: Path(output) / f"{self.name}.{kind}" for kind in ("csv", "md", "png", "svg")}
        write_table(files["csv"], outcome.tidy)
        write_text(files["md"], self._page(outcome, provenance, command))
        data = f"Data: {'; '.join(provenance.sources)}." if provenance.sources else ""
        note = [f"{self.name}.", self.setting, data, outcome.caption]
        figures.note_below(outcome.figure, " ".join(part for part in note if part))
        figures.save(outcome.figure, files["png"])
        figures.save(outcome.figure, files["svg"])
        return list(files.values())

    def _page(self, outcome, provenance, command):
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("keras_devae.reproduction"),
            trim_blocks=True,
            keep_trailing_newline=True,
        )
        return environment.get_template("experiment.md").render(
            name=self.name,
            experiment=self.experiment,
            setting=self.setting,
            table=markdown(outcome.header, outcome.rows),
            remarks=outcome.remarks,
            command=command,
            provenance=provenance,
        )


class RunsReproduction(Reproduction):
    """An experiment that trains models.

    Its runs lie in `RUNS-DIR/reproduce/SCALE/`, one study that all experiments of a scale share: a
    run that several of them need is trained once.

    Args:
        name: Name of the experiment.
        scale: The `Scale`.
        runs_dir: Folder of all runs; default `"runs"`.
        seeds: Number of seeds, or `None`: the experiment's own.

    Raises:
        UsageError: If the name is unknown, or something is wrong with a run's settings.
    """

    def __init__(self, name, scale, runs_dir="runs", seeds=None):
        super().__init__(name, scale)
        self.folder = usable_path("The folder of the runs", runs_dir) / "reproduce" / scale.name
        self.plans = plans_of(name, scale, seeds)
        self.study = Study.from_settings(self.folder, [plan.settings for plan in self.plans])

    @property
    def setting(self):
        """The description of the scale."""
        return self.scale.description

    def results(self):
        """Returns the `Results` of the runs that are done."""
        runs = zip(self.plans, self.study.runs, strict=True)
        return Results([read_result(plan, run) for plan, run in runs if run.is_done()])

    def outcome(self, progress=None, only_done=False):
        """Makes the table and the figure of the runs that are done."""
        results = self.results()
        if not len(results):
            raise FailureError(f"No run of {self.name} is done in {self.folder}.")
        outcome = OUTCOMES[self.experiment.outcome](results)
        remarks = [*results.mixtures(), *outcome.remarks]
        provenance = Provenance(
            carried_out=f"{len(results)} of {len(self.plans)} runs",
            seconds=sum(result.seconds for result in results),
            sources=results.sources,
            environments=results.environments(),
        )
        return dataclasses.replace(outcome, remarks=remarks), provenance


class EstimatesReproduction(Reproduction):
    """The experiment that trains discriminators on samples of known distributions.

    Its trials lie in `RUNS-DIR/reproduce/SCALE-NAME/`, beside the study of the others.

    Args:
        name: Name of the experiment.
        scale: The `Scale`.
        runs_dir: Folder of all runs; default `"runs"`.
        trials: Number of trials of each cell, or `None`: that of the scale.
    """

    def __init__(self, name, scale, runs_dir="runs", trials=None):
        super().__init__(name, scale)
        self.folder = (
            usable_path("The folder of the runs", runs_dir) / "reproduce" / f"{scale.name}-{name}"
        )
        self._options = _ESTIMATES[scale.name] | ({"trials": trials} if trials else {})

    @property
    def setting(self):
        """The trials, and the discriminators that they train."""
        options = {"steps": STEPS, "batch_size": BATCH_SIZE, "units": UNITS} | self._options
        return (
            f"Scale {self.scale.name}: {options['trials']} trials; discriminators of "
            f"{len(options['units'])} layers of {options['units'][0]} units, {options['steps']:,} "
            f"steps of {options['batch_size']} samples, Adam 1e-4 (0.5, 0.9)."
        )

    def outcome(self, progress=None, only_done=False):
        """Does the trials that are not done, and makes the table and the figure."""
        options = {"progress": progress, "only_done": only_done}
        rows = estimate_table(self.folder, **self._options, **options)
        if not rows:
            raise FailureError(f"No trial of {self.name} is done in {self.folder}.")
        provenance = Provenance(
            carried_out=f"{len(rows)} trials",
            seconds=sum(row["seconds"] for row in rows),
            sources=[],
            environments=environments_of(self.folder),
        )
        return outcomes.estimate_outcome(rows), provenance


def reproduction_of(name, scale, runs_dir="runs", seeds=None):
    """Returns the `Reproduction` of an experiment at a scale.

    Args:
        name: Name of the experiment.
        scale: The `Scale`.
        runs_dir: Folder of all runs; default `"runs"`.
        seeds: Number of seeds, or of trials, or `None`: the experiment's own.

    Raises:
        UsageError: If the name is unknown, or something is wrong with a run's settings.
    """
    kind = EstimatesReproduction if experiment_named(name).plans is None else RunsReproduction
    return kind(name, scale, runs_dir, seeds)
