"""Executes an experiment: its runs, its table, its figure."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import jinja2

from keras_devae import figures
from keras_devae.checks import AnyPath, usable_path
from keras_devae.comparison.table_files import markdown
from keras_devae.errors import FailureError
from keras_devae.files import write_table, write_text
from keras_devae.metrics import METRICS
from keras_devae.reproduction import (
    benchmark_outcomes,
    front_outcomes,
    model_outcomes,
    outcomes,
)
from keras_devae.reproduction.catalogue import experiment_named, plans_of
from keras_devae.reproduction.discriminator_estimates import (
    BATCH_SIZE,
    STEPS,
    UNITS,
    environments_of,
    estimate_table,
)
from keras_devae.reproduction.results import INFOM, MIG, RECONSTRUCTION, Results, read_result
from keras_devae.reproduction.scales import Scale
from keras_devae.reproduction.tables import Outcome
from keras_devae.studies.study import Study

#: Called with the number of trials done and the total.
_Progress: TypeAlias = Callable[[int, int], None]

_BOUNDS = (RECONSTRUCTION, MIG, INFOM, METRICS["elbo_decomposition"].key("elbo"))
_COMPARED = (
    MIG,
    INFOM,
    METRICS["factor_vae_score"].key(),
    METRICS["dci"].key("disentanglement"),
    RECONSTRUCTION,
)
_WIDTHS = (MIG, RECONSTRUCTION, METRICS["kl"].key("total"))
_ACTIVE = (
    METRICS["active_variables"].key("varying_means"),
    *map(METRICS["med"].key, ("disentanglement", "top_k_disentanglement", "top_k_completeness")),
)

_ABOUT_BASES = (
    "Layer i is drawn with a weight of s to the power of i: with s = 0 the first is trained alone, "
    "and the rows of the others show scalings as they were at the start."
)


def _active_outcome(results):
    added = Results(map(model_outcomes.with_top_k, results))
    return outcomes.method_outcome(added, _ACTIVE, favourite=None)


#: Name in the catalogue -> function that makes the outcome.
OUTCOMES: dict[str, Callable[[Results], Outcome]] = {
    "bases": functools.partial(outcomes.layer_outcome, remarks=[_ABOUT_BASES]),
    "ablation": outcomes.ablation_outcome,
    "active": _active_outcome,
    "bounds": functools.partial(outcomes.method_outcome, scores=_BOUNDS),
    "correlated": benchmark_outcomes.correlation_outcome,
    "diffusion": outcomes.diffusion_outcome,
    "front": front_outcomes.front_outcome,
    "generalisation": benchmark_outcomes.generalisation_outcome,
    "layers": outcomes.layer_outcome,
    "layer_samples": functools.partial(model_outcomes.sample_outcome, by_layer=True),
    "layer_traversals": functools.partial(model_outcomes.traversal_outcome, by_layer=True),
    "methods": functools.partial(outcomes.method_outcome, scores=_COMPARED),
    "over_layers": model_outcomes.over_layers_outcome,
    "samples": model_outcomes.sample_outcome,
    "transfer": benchmark_outcomes.transfer_outcome,
    "traversals": model_outcomes.traversal_outcome,
    "widths": functools.partial(outcomes.method_outcome, scores=_WIDTHS, favourite=None),
}
#: Scale -> arguments of `estimate_table`.
_ESTIMATES: dict[str, dict[str, Any]] = {
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
    """How much was executed, how long it took, on which images and on which machines."""

    carried_out: str
    seconds: float
    sources: list[str]
    environments: list[str]


class Reproduction(abc.ABC):
    """An experiment with runs or trials in `folder`; `study` is `None` if it trains no models."""

    study: Study | None = None

    def __init__(self, name: str, scale: Scale, runs_dir: AnyPath, folder: str) -> None:
        self.name, self.scale = name, scale
        self.experiment = experiment_named(name)
        self.folder = usable_path("The folder of the runs", runs_dir) / "reproduce" / folder

    @property
    @abc.abstractmethod
    def setting(self) -> str:
        """How the numbers were obtained, in a sentence or two."""

    @abc.abstractmethod
    def outcome(
        self, progress: _Progress | None = None, only_done: bool = False
    ) -> tuple[Outcome, Provenance]:
        """Makes table and figure; first does missing trials, unless `only_done`."""

    def write(
        self, outcome: Outcome, provenance: Provenance, output: AnyPath, command: str
    ) -> list[Path]:
        """Writes CSV, Markdown with the `command` that made it, PNG and SVG; returns the files.

        Further tables are CSV and further pictures PNG, with their name behind the experiment's.
        """
        files = {kind: Path(output) / f"{self.name}.{kind}" for kind in ("csv", "md", "png", "svg")}
        write_table(files["csv"], outcome.tidy)
        write_text(files["md"], self._page(outcome, provenance, command))
        data = f"Data: {'; '.join(provenance.sources)}." if provenance.sources else ""
        note = [f"{self.name}.", self.setting, data]
        written = [*files.values()]
        for table in outcome.tables:
            written.append(Path(output) / f"{self.name}-{table.name}.csv")
            write_table(written[-1], table.tidy)
        drawn = [(outcome.figure, [outcome.caption], [files["png"], files["svg"]])]
        for name, figure in outcome.pictures.items():
            written.append(Path(output) / f"{self.name}-{name}.png")
            drawn.append((figure, [], written[-1:]))
        for figure, caption, places in drawn:
            figures.note_below(figure, " ".join(part for part in [*note, *caption] if part))
            for place in places:
                figures.save(figure, place)
        return written

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
            outcome=outcome,
            markdown=markdown,
            command=command,
            provenance=provenance,
        )


class RunsReproduction(Reproduction):
    """An experiment that trains models, with runs in `RUNS-DIR/reproduce/SCALE/`.

    All experiments of a scale share this study: a run that several need is trained once.
    """

    study: Study

    def __init__(
        self, name: str, scale: Scale, runs_dir: AnyPath = "runs", seeds: int | None = None
    ) -> None:
        super().__init__(name, scale, runs_dir, scale.name)
        self.plans = plans_of(name, scale, seeds)
        self.study = Study.from_settings(self.folder, [plan.settings for plan in self.plans])

    @property
    def setting(self) -> str:
        """The description of the scale."""
        return self.scale.description

    def outcome(
        self, progress: _Progress | None = None, only_done: bool = False
    ) -> tuple[Outcome, Provenance]:
        """Makes the table and the figure of the runs that are done."""
        runs = zip(self.plans, self.study.runs, strict=True)
        results = Results(read_result(plan, run) for plan, run in runs if run.is_done())
        if not results:
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
    """Trains discriminators, with trials in `RUNS-DIR/reproduce/SCALE-NAME/`."""

    def __init__(
        self, name: str, scale: Scale, runs_dir: AnyPath = "runs", trials: int | None = None
    ) -> None:
        super().__init__(name, scale, runs_dir, f"{scale.name}-{name}")
        self._options = _ESTIMATES[scale.name] | ({"trials": trials} if trials else {})

    @property
    def setting(self) -> str:
        """The trials, and the discriminators that they train."""
        options: dict[str, Any] = {"steps": STEPS, "batch_size": BATCH_SIZE, "units": UNITS}
        options |= self._options
        return (
            f"Scale {self.scale.name}: {options['trials']} trials; discriminators of "
            f"{len(options['units'])} layers of {options['units'][0]} units, {options['steps']:,} "
            f"steps of {options['batch_size']} samples, Adam 1e-4 (0.5, 0.9)."
        )

    def outcome(
        self, progress: _Progress | None = None, only_done: bool = False
    ) -> tuple[Outcome, Provenance]:
        """Does the trials that are not done, and makes the table and the figure."""
        rows = estimate_table(self.folder, progress=progress, only_done=only_done, **self._options)
        if not rows:
            raise FailureError(f"No trial of {self.name} is done in {self.folder}.")
        provenance = Provenance(
            carried_out=f"{len(rows)} trials",
            seconds=sum(row["seconds"] for row in rows),
            sources=[],
            environments=environments_of(self.folder),
        )
        return outcomes.estimate_outcome(rows), provenance


def reproduction_of(
    name: str, scale: Scale, runs_dir: AnyPath = "runs", seeds: int | None = None
) -> Reproduction:
    """Returns the reproduction of an experiment; `None` stands for its own number of seeds."""
    trains_models = experiment_named(name).plans is not None
    kind = RunsReproduction if trains_models else EstimatesReproduction
    return kind(name, scale, runs_dir, seeds)
