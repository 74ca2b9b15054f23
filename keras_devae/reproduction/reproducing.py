"""Executes an experiment: its runs, its table, its figure."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from keras_devae.checks import AnyPath
from keras_devae.errors import FailureError
from keras_devae.metrics import METRICS
from keras_devae.reproduction import (
    benchmark_outcomes,
    front_outcomes,
    model_outcomes,
    outcomes,
)
from keras_devae.reproduction.base import Progress, Provenance, Reproduction
from keras_devae.reproduction.catalogue import experiment_named, plans_of
from keras_devae.reproduction.earlier_runs import notices, with_earlier_runs
from keras_devae.reproduction.estimating import EstimatesReproduction, SettingsReproduction
from keras_devae.reproduction.results import INFOM, MIG, RECONSTRUCTION, Results, read_result
from keras_devae.reproduction.scales import Scale
from keras_devae.reproduction.tables import Outcome
from keras_devae.studies.study import Study

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


class RunsReproduction(Reproduction):
    """An experiment that trains models, with runs in `RUNS-DIR/reproduce/SCALE/`.

    All experiments of a scale share this study: a run that several need is trained once.
    """

    study: Study

    def __init__(
        self, name: str, scale: Scale, runs_dir: AnyPath = "runs", seeds: int | None = None
    ) -> None:
        super().__init__(name, scale, runs_dir, scale.name)
        planned = plans_of(name, scale, seeds)
        self.plans = with_earlier_runs(planned, self.folder)
        self._notices = notices(planned, self.plans)
        self.study = Study.from_settings(self.folder, [plan.settings for plan in self.plans])

    @property
    def setting(self) -> str:
        """The description of the scale."""
        return self.scale.description

    def outcome(
        self, progress: Progress | None = None, only_done: bool = False
    ) -> tuple[Outcome, Provenance]:
        """Makes the table and the figure of the runs that are done."""
        runs = zip(self.plans, self.study.runs, strict=True)
        results = Results(read_result(plan, run) for plan, run in runs if run.is_done())
        if not results:
            raise FailureError(f"No run of {self.name} is done in {self.folder}.")
        outcome = OUTCOMES[self.experiment.outcome](results)
        remarks = [*results.mixtures(), *self._notices, *outcome.remarks]
        provenance = Provenance(
            carried_out=f"{len(results)} of {len(self.plans)} runs",
            seconds=sum(result.seconds for result in results),
            sources=results.sources,
            environments=results.environments(),
            days=results.days(),
        )
        return dataclasses.replace(outcome, remarks=remarks), provenance


#: Outcome of an experiment that trains no image models -> what executes it.
_WITHOUT_RUNS = {"estimates": EstimatesReproduction, "settings": SettingsReproduction}


def reproduction_of(
    name: str, scale: Scale, runs_dir: AnyPath = "runs", seeds: int | None = None
) -> Reproduction:
    """Returns the reproduction of an experiment; `None` stands for its own number of seeds."""
    kind = _WITHOUT_RUNS.get(experiment_named(name).outcome, RunsReproduction)
    return kind(name, scale, runs_dir, seeds)
