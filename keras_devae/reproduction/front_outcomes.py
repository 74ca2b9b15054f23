"""The front of disentanglement against reconstruction, and how much of the plane lies below it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

from keras_devae import figures
from keras_devae.metrics import METRICS
from keras_devae.metrics.estimators.spread import spread_of
from keras_devae.reproduction.comparing_groups import Rival, comparison_table
from keras_devae.reproduction.front import FAVOURITE, method_and_strength
from keras_devae.reproduction.results import INFOM, MIG, RECONSTRUCTION, Results, score_title
from keras_devae.reproduction.tables import INTERVALS, Outcome, Table, interval_text, number_text

_SCORES = (MIG, INFOM)
#: Score -> its column in the table.
_COLUMNS = {
    MIG: score_title(MIG),
    INFOM: score_title(INFOM),
    RECONSTRUCTION: score_title(RECONSTRUCTION),
    METRICS["reconstruction_error"].key("squared_error"): "squared error",
    METRICS["kl"].key("total"): "KL, nats",
    METRICS["active_variables"].key("count"): "active latents",
}
_DEFAULT = "1"
_RULE = (
    "The rule, set before the runs: of DeVAE's settings, all at the strengths that they share, the "
    "one with the largest mean hypervolume of MIG is named. It is said to beat the other methods "
    "if its hypervolume of MIG is above each of theirs, all at its own strengths, by "
    "Welch's two-sided test at 5 % with Holm's correction. That the setting is chosen by the runs "
    "that are then compared is in its favour."
)


def hypervolume(points: Iterable[tuple[float, float]], worst: float) -> float:
    """Returns the share of the plane of error and score that lies below a method's runs.

    The plane reaches from no error with a score of 1 to the `worst` error, above 0, with a score of
    0. A run covers all that has a higher error and a lower score than it, and a method what one of
    its runs covers: between `worst` and no error, it is the mean of the best score that the method
    reaches with at most that error.

    Args:
        points: Error, from 0 to `worst`, and score, from 0 to 1, of each run.
        worst: The error of the reference point.
    """
    area, highest, before = 0.0, 0.0, 0.0
    for error, score in sorted(points):
        area += highest * (error - before)
        highest, before = max(highest, score), error
    return (area + highest * (worst - before)) / worst


@dataclasses.dataclass(frozen=True)
class Fronts:
    """The runs of an experiment by method, a method with an option being one of its own.

    `points` has error and score of each run by name, strength and seed, `None` where one of them is
    not finite, and nothing where the score was not computed. `worst` is the largest error of all.
    """

    points: dict[str, dict[float, dict[int, tuple[float, float] | None]]]
    worst: float

    def strengths(self, *names: str) -> tuple[float, ...]:
        """Returns the strengths that all of the names have."""
        shared = set.intersection(*(set(self.points[name]) for name in names))
        return tuple(sorted(shared))

    def volumes(self, name: str, strengths: Sequence[float]) -> dict[int, float]:
        """Returns the hypervolume by seed, of the seeds with a run at every strength."""
        by_strength = [self.points[name][strength] for strength in strengths]
        seeds = set.intersection(*map(set, by_strength)) if by_strength else set()
        return {
            seed: hypervolume([p for runs in by_strength if (p := runs[seed])], self.worst)
            for seed in sorted(seeds)
        }


def fronts_of(results: Results, score: str) -> Fronts:
    """Sorts runs by method, strength and seed; errors are the reconstruction's in nats."""
    points: dict[str, dict[float, dict[int, tuple[float, float] | None]]] = {}
    for result in results:
        name, strength = method_and_strength(result.group)
        found = [result.score(name) for name in (RECONSTRUCTION, score)]
        error, value = (math.nan if number is None else number for number in found)
        is_known = math.isfinite(error) and math.isfinite(value)
        runs = points.setdefault(name, {}).setdefault(strength, {})
        if score in result.layers[0]:
            runs[result.config.training.seed] = (error, value) if is_known else None
    errors = [value for group in results.groups for value in results.values(group, RECONSTRUCTION)]
    return Fronts(points, max(errors, default=math.nan))


def front_outcome(results: Results) -> Outcome:
    """Tabulates each method by strength, draws the fronts, and compares what lies below them."""
    rows = []
    for group in _by_method(results):
        name, strength = method_and_strength(group)
        cells = [interval_text(results.spread(group, score)) for score in _COLUMNS]
        rows.append([name, f"{strength:g}", str(len(results.of(group))), *cells])
    fronts = {score: fronts_of(results, score) for score in _SCORES}
    tables, said = _compared(fronts, results.data_sets[0])
    remarks = [
        "Strength: what the pressure of the method's defaults is multiplied by: beta of beta-VAE "
        "and beta-TCVAE, gamma of FactorVAE, lambda_od of DIP-VAE, all betas of DeVAE, and one "
        "over the target of the KL divergence of DynamicVAE. Scores are of layer 0.",
        INTERVALS,
        *said,
    ]
    tidy = [
        dict(zip(("method", "strength"), method_and_strength(row["group"]), strict=True)) | row
        for row in results.tidy()
    ]
    caption = (
        "Points: runs; marks: means over seeds, joined from weak to strong pressure, the defaults' "
        "ringed. The upper left is best. Errors on a logarithmic axis."
    )
    return Outcome(
        ["", "strength", "seeds", *_COLUMNS.values()],
        rows,
        _drawn(fronts),
        remarks,
        tidy,
        caption,
        tables=tables,
    )


def _by_method(results):
    """Returns the groups method by method, each from the weakest strength to the strongest."""
    split = {group: method_and_strength(group) for group in results.groups}
    names = list(dict.fromkeys(name for name, _ in split.values()))
    return sorted(split, key=lambda group: (names.index(split[group][0]), split[group][1]))


def _drawn(fronts):
    """Draws the methods, and below them, if there are options, the settings of the favourite."""
    panels = {}
    names = list(fronts[MIG].points)
    settings = [name for name in names if _is_favourite(name)]
    methods = [name for name in names if name == FAVOURITE or name not in settings]
    for shown, suffix in ((methods, ""), (settings, f", {FAVOURITE}'s options")):
        for score in _SCORES if shown and (not suffix or len(settings) > 1) else ():
            panels[f"{score_title(score)}{suffix}"] = {
                name: {
                    f"{strength:g}": np.array(known)
                    for strength, runs in sorted(fronts[score].points[name].items())
                    if (known := [point for point in runs.values() if point])
                }
                for name in shown
            }
    return figures.front_curves(panels, score_title(RECONSTRUCTION), ringed=_DEFAULT)


def _is_favourite(name):
    return name == FAVOURITE or name.startswith(f"{FAVOURITE}, ")


def _compared(fronts, dataset):
    """Returns the tables of hypervolumes and comparisons, and what follows from them."""
    by_gap = fronts[MIG]
    settings = [name for name in by_gap.points if _is_favourite(name)]
    siblings = [name for name in by_gap.points if not _is_favourite(name)]
    shared = by_gap.strengths(*settings) if settings else ()
    volumes = _volume_table(fronts, shared)
    means = {
        name: np.mean([*found.values()])
        for name in settings
        if (found := by_gap.volumes(name, shared))
    }
    if not means or not siblings:
        return [volumes], [_RULE]
    named = max(means, key=means.__getitem__)
    strengths = by_gap.strengths(named, *siblings)
    rivals = [
        Rival(dataset, _volume_title(score), name, [*ours], [*theirs])
        for score in _SCORES
        for ours in [fronts[score].volumes(named, strengths).values()]
        for name in siblings
        for theirs in [fronts[score].volumes(name, strengths).values()]
        if ours and theirs
    ]
    comparisons = comparison_table(named, rivals)
    said = [
        f"Of DeVAE's settings, {named} has the largest mean hypervolume of MIG at strengths "
        f"{_listed(shared)}: {number_text(means[named])}.",
        _judged(named, strengths, siblings, comparisons),
    ]
    return [volumes, *comparisons], [_RULE, *said]


def _judged(named, strengths, siblings, comparisons):
    """Says by the rule whether the named setting beats every sibling."""
    beaten = {
        row["against"]
        for table in comparisons
        for row in table.tidy
        if row["score"] == _volume_title(MIG) and row["result"] == "higher"
    }
    left = [name for name in siblings if name not in beaten]
    at = f"at strengths {_listed(strengths)}"
    if not left:
        return f"By the rule, {named} beats every other method {at}."
    return (
        f"By the rule, {named} does not beat the other methods {at}: its hypervolume of MIG is not "
        f"shown to be above the hypervolume of {', '.join(left)}."
    )


def _volume_title(score):
    return f"hypervolume of {score_title(score)}"


def _listed(strengths):
    return ", ".join(f"{strength:g}" for strength in strengths) or "none"


def _volume_table(fronts, shared):
    """Tabulates hypervolumes over all strengths of a name, and over those shared by settings."""
    by_gap, rows, tidy = fronts[MIG], [], []
    cases = [(name, by_gap.strengths(name)) for name in by_gap.points]
    cases += [(name, shared) for name, own in cases if shared and set(shared) < set(own)]
    for name, strengths in cases:
        found = {score: fronts[score].volumes(name, strengths) for score in _SCORES}
        cells = [interval_text(spread_of(f.values()) if f else None) for f in found.values()]
        rows.append([name, _listed(strengths), str(len(found[MIG])), *cells])
        tidy += [
            {
                "method": name,
                "strengths": _listed(strengths),
                "score": score,
                "seed": seed,
                "hypervolume": volume,
            }
            for score, by_seed in found.items()
            for seed, volume in by_seed.items()
        ]
    notes = [
        "Hypervolume: for each seed, the share of the plane between a perfect model (no error, "
        f"score 1) and the reference point (error {number_text(by_gap.worst)} nats, the largest of "
        "all runs here; score 0) that lies below the upper envelope of the method's runs; from 0 "
        "to 1. Seeds without a run at each of the strengths are left out. "
        f"{INTERVALS}"
    ]
    header = ["", "strengths", "seeds", *map(_volume_title, _SCORES)]
    return Table("hypervolumes", "What lies below the fronts", header, rows, notes, tidy)
