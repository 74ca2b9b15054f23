"""Tables and figures of experiments, from the finished runs."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_devae import figures
from keras_devae.data.image_sizes import height_and_width
from keras_devae.metrics import number_of
from keras_devae.metrics.estimators.spread import Spread, spread_of
from keras_devae.reports.plots import read_information
from keras_devae.reproduction import paper
from keras_devae.reproduction.results import MIG, RECONSTRUCTION, Results, compared, score_title

_PAPER_IMAGE_SIZE = 64
#: Largest difference in nats of estimates of the total correlation that count as close.
_CLOSE = 0.15
INTERVALS = "Numbers are means, with the 95 % interval of the mean by Student's t in brackets."


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A table with its `header` and `rows`, and a figure.

    `remarks` are sentences, also about the paper's numbers; `tidy` has the rows of the CSV file,
    every number by itself; `caption` says what the figure's marks mean; `pictures` are further
    figures by name.
    """

    header: list[str]
    rows: list[list[str]]
    figure: Figure
    remarks: list[str]
    tidy: list[dict[str, Any]]
    caption: str = ""
    pictures: dict[str, Figure] = dataclasses.field(default_factory=dict)


def interval_text(spread: Spread | None) -> str:
    """Writes a mean with its 95 % interval, e.g. `"0.301 [0.250, 0.352]"`; `"-"` for `None`."""
    if spread is None:
        return "-"
    mean = _number(spread.mean)
    if spread.count < 2:
        return mean
    low, high = (_number(end, like=spread.mean) for end in (spread.low, spread.high))
    return f"{mean} [{low}, {high}]"


def _number(value, like=None):
    """Writes a number with three decimals below 1, two below 100 and one above."""
    size = abs(value if like is None else like)
    decimals = 3 if size < 1 else 2 if size < 100 else 1
    # z: no minus sign on a number that rounds to 0.
    return f"{value:z.{decimals}f}"


def layer_outcome(
    results: Results,
    published: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    remarks: Iterable[str] = (),
) -> Outcome:
    """Tabulates gap and reconstruction of every layer beside the `published` pairs."""
    header = ["", "layer", "seeds", score_title(MIG), score_title(RECONSTRUCTION)]
    header += ["MIG in the paper", "reconstruction in the paper"] if published else []
    rows: list[list[str]] = []
    panels: dict[str, dict[str, list[float]]] = {
        score_title(MIG): {},
        score_title(RECONSTRUCTION): {},
    }
    layers = [(g, i) for g in results.groups for i in range(len(results.of(g)[0].layers))]
    for group, layer in layers:
        cells = [
            interval_text(results.spread(group, name, layer)) for name in (MIG, RECONSTRUCTION)
        ]
        rows.append([group, str(layer), str(len(results.of(group))), *cells])
        if published:
            numbers = published.get(group, ())
            known: tuple[Any, Any] = numbers[layer] if layer < len(numbers) else ("-", "-")
            rows[-1] += [str(number) for number in known]
        for name in (MIG, RECONSTRUCTION):
            panels[score_title(name)][f"{group}, {layer}"] = results.values(group, name, layer)
    return Outcome(
        header,
        rows,
        figures.box_plots(panels, horizontal=True),
        [*remarks, "Reconstruction is the negative log-likelihood per image, in nats.", INTERVALS],
        results.tidy(),
    )


def ablation_outcome(results: Results) -> Outcome:
    """Table 2: one latent space, parallel ones, arbitrary maps, and DeVAE."""
    remarks = [
        f"MIG of layer 0, DeVAE against {group}: {compared(ours, theirs)}; in the paper "
        f"{_percent(paper.ABLATION['DeVAE'][0][0] / paper.ABLATION[group][0][0] - 1)}."
        for group, ours, theirs in _against(results, "DeVAE", MIG)
    ]
    size: Any = results[0].config.data.image_size
    factor = _PAPER_IMAGE_SIZE**2 / math.prod(height_and_width(size))
    if factor != 1:
        remarks.append(f"The paper's reconstruction is of images with {factor:g} times the pixels.")
    return layer_outcome(results, paper.ABLATION, remarks)


def _against(results, favourite, score):
    """Yields each other group, the favourite's values of a score, and the group's own."""
    ours = results.values(favourite, score) if favourite in results.groups else ()
    for group in results.groups:
        theirs = results.values(group, score)
        if group != favourite and ours and theirs:
            yield group, ours, theirs


def _percent(share):
    return f"{100 * share:+.0f} %"


def method_outcome(
    results: Results, scores: Sequence[str], favourite: str | None = "DeVAE"
) -> Outcome:
    """Tabulates and draws scores of layer 0 by method and data set, and compares the favourite."""
    several = len(results.data_sets) > 1
    rows: list[list[str]] = []
    panels: dict[str, dict[str, list[float]]] = {}
    remarks: list[str] = []
    for dataset in results.data_sets:
        part = results.on(dataset)
        for group in part.groups:
            cells = [interval_text(part.spread(group, name)) for name in scores]
            rows.append([group, dataset, str(len(part.of(group))), *cells])
        for name in scores:
            title = f"{score_title(name)}, {dataset}" if several else score_title(name)
            values = {group: part.values(group, name) for group in part.groups}
            if any(values.values()):
                panels[title] = values
        remarks += _ordering(part, dataset, scores, favourite)
    header = ["", "data set", "seeds", *map(score_title, scores)]
    return Outcome(header, rows, figures.box_plots(panels), [*remarks, INTERVALS], results.tidy())


def _ordering(results, dataset, scores, favourite):
    """Says in which order the groups come, and how the favourite compares with the others."""
    sentences = [_chain(results, dataset, scores[0])]
    for name, claim in ((MIG, "disentanglement"), (RECONSTRUCTION, "reconstruction")):
        if name not in scores:
            continue
        for group, ours, theirs in _against(results, favourite, name):
            known = paper.ADVANTAGE.get(group) if dataset == "dsprites" else None
            said = f"; the paper says {_percent(known[claim])} of {claim}" if known else ""
            sentences.append(
                f"{dataset}, {score_title(name)}, {favourite} against {group}: "
                f"{compared(ours, theirs)}{said}."
            )
    return sentences


def _chain(results, dataset, score):
    means = {g: np.mean(v) for g in results.groups if (v := results.values(g, score))}
    lowest_first = number_of(score).lower_is_better
    order = sorted(means, key=means.get, reverse=not lowest_first)
    chain = ", ".join(f"{group} {_number(means[group])}" for group in order)
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
    header = ["", "factor", "seeds", "largest share", "share at the end", "lost on the way"]
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
    return Outcome(header, rows, figure, remarks, tidy, caption)


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


def _verdict(estimate, known):
    if known == "-":
        return "-"
    return "yes" if abs(estimate - known) <= max(_CLOSE, 0.1 * known) else "no"
