"""Tables and figures of experiments, from the finished runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_devae import figures
from keras_devae.data.image_sizes import height_and_width
from keras_devae.metrics import number_of
from keras_devae.metrics.estimators.spread import spread_of
from keras_devae.reports.plots import read_information
from keras_devae.reproduction import paper
from keras_devae.reproduction.comparing_groups import Rival, comparison_table, rivals_of
from keras_devae.reproduction.results import INFOM, MIG, RECONSTRUCTION, Results, score_title
from keras_devae.reproduction.tables import (
    INTERVALS,
    Outcome,
    Table,
    interval_text,
    number_text,
    percent_text,
)

_PAPER_IMAGE_SIZE = 64
#: Largest difference in nats of estimates of the total correlation that count as close.
_CLOSE = 0.15
#: Scores of every latent layer that tables show.
_OF_LAYERS = (MIG, INFOM, RECONSTRUCTION)
_LOST = "lost on the way"


def layer_outcome(
    results: Results,
    published: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    remarks: Iterable[str] = (),
    tables: Sequence[Table] = (),
) -> Outcome:
    """Tabulates gap, modularity and reconstruction of every layer beside the `published` pairs."""
    header = ["", "layer", "seeds", *map(score_title, _OF_LAYERS)]
    header += ["MIG in the paper", "reconstruction in the paper"] if published else []
    rows: list[list[str]] = []
    panels: dict[str, dict[str, list[float]]] = {score_title(name): {} for name in _OF_LAYERS}
    layers = [(g, i) for g in results.groups for i in range(len(results.of(g)[0].layers))]
    for group, layer in layers:
        cells = [interval_text(results.spread(group, name, layer)) for name in _OF_LAYERS]
        rows.append([group, str(layer), str(len(results.of(group))), *cells])
        if published:
            numbers = published.get(group, ())
            known: tuple[Any, Any] = numbers[layer] if layer < len(numbers) else ("-", "-")
            rows[-1] += [str(number) for number in known]
        for name in _OF_LAYERS:
            panels[score_title(name)][f"{group}, {layer}"] = results.values(group, name, layer)
    return Outcome(
        header,
        rows,
        figures.box_plots(_with_numbers(panels), horizontal=True),
        [*remarks, "Reconstruction is the negative log-likelihood per image, in nats.", INTERVALS],
        results.tidy(),
        tables=[*tables],
    )


def _with_numbers(panels):
    return {title: panel for title, panel in panels.items() if any(panel.values())}


def ablation_outcome(results: Results) -> Outcome:
    """Table 2: one latent space, parallel ones, arbitrary maps, and DeVAE."""
    rivals = rivals_of(results, "DeVAE", _OF_LAYERS, _advantage_in_table)
    remarks = ["DeVAE is compared with the others by layer 0."]
    size: Any = results[0].config.data.image_size
    factor = _PAPER_IMAGE_SIZE**2 / math.prod(height_and_width(size))
    if factor != 1:
        remarks.append(f"The paper's reconstruction is of images with {factor:g} times the pixels.")
    tables = comparison_table("DeVAE", [*rivals])
    return layer_outcome(results, paper.ABLATION, remarks, tables)


def _advantage_in_table(dataset, group, score):
    """Says by how much DeVAE's first layer exceeds a variant's in the paper's table 2."""
    del dataset
    if score not in (MIG, RECONSTRUCTION) or group not in paper.ABLATION:
        return "-"
    ours, theirs = (paper.ABLATION[g][0][score == RECONSTRUCTION] for g in ("DeVAE", group))
    return percent_text(ours / theirs - 1)


def method_outcome(
    results: Results, scores: Sequence[str], favourite: str | None = "DeVAE"
) -> Outcome:
    """Tabulates and draws scores of layer 0 by method and data set, and compares the favourite."""
    several = len(results.data_sets) > 1
    rows: list[list[str]] = []
    panels: dict[str, dict[str, list[float]]] = {}
    parts = {dataset: results.on(dataset) for dataset in results.data_sets}
    for dataset, part in parts.items():
        for group in part.groups:
            cells = [interval_text(part.spread(group, name)) for name in scores]
            rows.append([group, dataset, str(len(part.of(group))), *cells])
    for name, (dataset, part) in itertools.product(scores, parts.items()):
        title = f"{score_title(name)}, {dataset}" if several else score_title(name)
        panels[title] = {group: part.values(group, name) for group in part.groups}
    header = ["", "data set", "seeds", *map(score_title, scores)]
    remarks = [*(_chain(part, dataset, scores[0]) for dataset, part in parts.items()), INTERVALS]
    tables = []
    if favourite is not None:
        rivals = rivals_of(results, favourite, scores, _advantage_in_text)
        tables = comparison_table(favourite, [*rivals])
    figure = figures.box_plots(_with_numbers(panels))
    return Outcome(header, rows, figure, remarks, results.tidy(), tables=tables)


def _advantage_in_text(dataset, group, score):
    """Says by how much DeVAE exceeds a method in the text of the paper's figure 2."""
    claim = {MIG: "disentanglement", RECONSTRUCTION: "reconstruction"}.get(score)
    known = paper.ADVANTAGE.get(group) if dataset == "dsprites" else None
    return f"{percent_text(known[claim])} of {claim}" if known and claim else "-"


def _chain(results, dataset, score):
    means = {g: np.mean(v) for g in results.groups if (v := results.values(g, score))}
    lowest_first = number_of(score).lower_is_better
    order = sorted(means, key=means.get, reverse=not lowest_first)
    chain = ", ".join(f"{group} {number_text(means[group])}" for group in order)
    which = "lowest" if lowest_first else "highest"
    return f"{dataset}, {score_title(score)}, {which} mean first: {chain}."


def diffusion_outcome(results: Results) -> Outcome:
    """Figure 4: the information about each factor while models train, by method."""
    curves, rows, tidy, lost_by_group = {}, [], [], {}
    for group in results.groups:
        tracked = [_learned_shares(result) for result in results.of(group)]
        curves[group] = [shares for _, shares, _ in tracked]
        steps, _, names = tracked[0]
        stacked = np.array(curves[group])
        largest, final = stacked.max(axis=1), stacked[:, -1]
        lost_by_group[group] = (largest - final).mean(axis=1)
        for name, *columns in zip(names, largest.T, final.T, (largest - final).T, strict=True):
            means = [interval_text(spread_of(column)) for column in columns]
            rows.append([group, name, str(len(stacked)), *means])
        for result, curve in zip(results.of(group), curves[group], strict=True):
            tidy += _tidy_curve(group, result.config.training.seed, steps, curve, names)
    header = ["", "factor", "seeds", "largest share", "share at the end", _LOST]
    losses = ", ".join(f"{g} {interval_text(spread_of(lost))}" for g, lost in lost_by_group.items())
    figure = figures.information_curves(steps, curves, names)
    remarks = [
        "Share: mutual information of the factor with the most informative latent dimension, over "
        "the factor's entropy, of posterior means. Lost: the largest share of a run less the "
        "share at its end. The paper says of its figure 4 that DynamicVAE loses information late "
        "in training and DeVAE does not.",
        INTERVALS,
        f"Lost on the way, mean over the factors: {losses}.",
    ]
    caption = "Lines: means over seeds; bands: from the lowest to the highest seed."
    tables = comparison_table("DeVAE", [*_losers(results, lost_by_group)])
    return Outcome(header, rows, figure, remarks, tidy, caption, tables=tables)


def _losers(results, lost_by_group):
    """Yields the methods that DeVAE is compared with by the information that they lose."""
    (dataset,) = results.data_sets
    for group, lost in lost_by_group.items():
        if group != "DeVAE" and "DeVAE" in lost_by_group:
            yield Rival(dataset, _LOST, group, lost_by_group["DeVAE"], lost)


def _tidy_curve(group, seed, steps, curve, names):
    return [
        {"group": group, "seed": seed, "step": int(step), "factor": name, "share": float(share)}
        for step, shares in zip(steps, curve, strict=True)
        for name, share in zip(names, shares, strict=True)
    ]


def _learned_shares(result):
    """Returns steps, shares of the most informative dimensions, and the factors' names."""
    steps, information, entropies, names = read_information(result.directory)
    # At step 0 nothing is learned that could be lost: an untrained network is a little informative.
    trained = steps > 0
    shares = information[trained].max(axis=1) / entropies
    return steps[trained], shares, [str(name) for name in names]


def estimate_outcome(rows: list[dict[str, Any]]) -> Outcome:
    """Table 1: the estimates of `estimate_table` beside the true total correlation."""
    cells: list[list[str]] = []
    panels: dict[str, dict[str, list[float]]] = {}
    known_shares: dict[str, dict[str, float]] = {}
    by_cell = itertools.groupby(rows, lambda row: (row["dimensions"], row["correlation"]))
    for (dimensions, correlation), group_of_trials in by_cell:
        trials = list(group_of_trials)
        spread, truth = spread_of([row["estimate"] for row in trials]), trials[0]["truth"]
        known: Any = paper.TOTAL_CORRELATION.get((dimensions, correlation), ("-",))[0]
        trained = [str(dimensions), str(correlation), str(spread.count), f"{truth:.2f}"]
        cells.append([*trained, interval_text(spread), str(known), _verdict(spread.mean, known)])
        title, group = f"D = {dimensions}: estimate / truth", f"rho {correlation}"
        panels.setdefault(title, {})[group] = [row["estimate"] / truth for row in trials]
        if known != "-":
            known_shares.setdefault(title, {})[group] = known / truth
    header = ["D", "rho", "trials", "truth, nats", "estimate, nats", "paper's estimate", "close"]
    remarks = [
        f"Close: within {_CLOSE} nats or 10 % of the paper's estimate. The figure shows estimates "
        "as a share of the truth, the paper's as diamonds.",
        INTERVALS,
    ]
    figure = figures.box_plots(panels, references=known_shares)
    return Outcome(header, cells, figure, remarks, rows)


def setting_outcome(rows: list[dict[str, Any]]) -> Outcome:
    """Compares estimates of `estimate_table` in several settings with the paper's.

    The distance of a setting is the root mean square, over the cells that the paper has, of the
    logarithm of the mean estimate relative to the paper's.
    """
    cells = list(dict.fromkeys((row["dimensions"], row["correlation"]) for row in rows))
    known = {cell: paper.TOTAL_CORRELATION[cell][0] for cell in cells}
    header = ["batch", "learning rate", "trials"]
    header += [f"D = {d}, rho {rho} (paper {known[d, rho]})" for d, rho in cells] + ["distance"]
    table: list[list[str]] = []
    panels: dict[str, dict[str, list[float]]] = {}
    distances: dict[str, float] = {}
    for (batch_size, rate), group in itertools.groupby(
        rows, lambda row: (row["batch_size"], row["learning_rate"])
    ):
        estimates: dict[tuple[int, float], list[float]] = {}
        for row in group:
            estimates.setdefault((row["dimensions"], row["correlation"]), []).append(
                row["estimate"]
            )
        setting = f"{batch_size:,} at {rate:g}"
        spreads = {cell: spread_of(values) for cell, values in estimates.items()}
        distances[setting] = _distance(
            [spread.mean / known[cell] for cell, spread in spreads.items()]
        )
        for cell, values in estimates.items():
            title = f"D = {cell[0]}: estimate / paper's"
            panels.setdefault(title, {})[setting] = [value / known[cell] for value in values]
        done = [interval_text(spreads[cell]) if cell in spreads else "-" for cell in cells]
        count = max(spread.count for spread in spreads.values())
        first = [f"{batch_size:,}", f"{rate:g}", str(count)]
        table.append([*first, *done, f"{distances[setting]:.2f}"])
    nearest = min(distances, key=lambda setting: distances[setting])
    remarks = [
        f"Nearest to the paper: {nearest}. Distance: root mean square of the logarithm of the mean "
        "estimate relative to the paper's; 0.1 is a tenth. A setting of which an estimate is not "
        "above 0 is infinitely far.",
        INTERVALS,
    ]
    return Outcome(header, table, figures.box_plots(panels), remarks, rows)


def _distance(shares):
    if min(shares) <= 0:
        return math.inf
    return math.sqrt(sum(math.log(share) ** 2 for share in shares) / len(shares))


def _verdict(estimate, known):
    if known == "-":
        return "-"
    return "yes" if abs(estimate - known) <= max(_CLOSE, 0.1 * known) else "no"
