"""The page that compares several runs."""

import os
from pathlib import Path

from keras_devae.comparison.comparing import compare_runs
from keras_devae.comparison.tables import (
    comparison_cells,
    correlation_cells,
    shown_metrics,
)
from keras_devae.files import write_text
from keras_devae.metrics import METRICS, meaning_of, number_of
from keras_devae.reports.comparison_figures import choose_traversals, draw_comparison_figures
from keras_devae.reports.formatting import counted, listed, number, setting
from keras_devae.reports.page import rendered

_SECTIONS = (
    ("summary", "In short"),
    ("runs", "Runs"),
    ("scores", "Scores"),
    ("correlations", "Rank correlations"),
    ("training", "Training"),
    ("traversals", "Traversals"),
)
#: Scores that groups are ranked by.
_RANKED = (
    METRICS["mig"].key(),
    METRICS["dci"].key("disentanglement"),
    METRICS["reconstruction_error"].key(),
)


def write_comparison(folders, output, layer=0):
    """Writes a page that compares finished runs, from what is in their folders.

    Args:
        folders: Folders of runs, of studies, or of any number of runs, see `compare_runs`.
        output: The file.
        layer: Number of the latent layer whose scores are compared; default 0.

    Returns:
        The path.

    Raises:
        UsageError: See `keras_devae.comparison.comparing.compare_runs`.
    """
    output = Path(output)
    comparison = shown_metrics(compare_runs(folders, layer=layer))
    write_text(output, comparison_page(comparison, output))
    return output


def comparison_page(comparison, output):
    """Returns the page.

    Args:
        comparison: A `keras_devae.comparison.comparing.Comparison`.
        output: The file that it will be in, which links are relative to.
    """
    traversals, left_out = choose_traversals(comparison)
    cells = comparison_cells(comparison)
    # Names and numbers of runs come first.
    end = cells[0][2:]
    titles = {m: t.replace("\n", " ") for m, t in zip(comparison.metrics, end, strict=True)}
    return rendered(
        "comparison.html",
        sections=_SECTIONS,
        title=f"{counted(len(comparison.runs), 'run')} compared",
        layer=comparison.layer,
        summary=_summary(comparison),
        remarks=_remarks(comparison),
        same=_same_settings(comparison),
        columns=list(dict.fromkeys(n for group in comparison.groups for n in group.settings)),
        groups=[_group_row(group, output) for group in comparison.groups],
        scores=cells,
        meanings=[(title, meaning_of(name)) for name, title in titles.items()],
        correlations=correlation_cells(comparison),
        not_ranked=_not_ranked(comparison, titles),
        pictures=draw_comparison_figures(comparison, titles),
        traversals=traversals,
        left_out=left_out,
    )


def _summary(comparison):
    groups = comparison.groups
    yield (
        f"{counted(len(comparison.runs), 'run')} in {counted(len(groups), 'group')}; the runs of a "
        "group differ in the seed only."
    )
    if not comparison.metrics:
        yield "There is no score to compare."
    for metric in _RANKED:
        measured = [group for group in groups if metric in group.scores]
        if len(measured) > 1:
            yield _best(measured, metric)


def _best(groups, metric):
    declared = number_of(metric)
    title = f"{declared.title} ({declared.unit})" if declared.unit else declared.title
    more_is_better = not declared.lower_is_better
    ranked = sorted(groups, key=lambda group: group.scores[metric].mean, reverse=more_is_better)
    first, second = (group.scores[metric] for group in ranked[:2])
    text = f"Best {title} in the mean: {ranked[0].name} ({number(first.mean)}), before "
    text += f"{ranked[1].name} ({number(second.mean)})."
    if min(first.count, second.count) < 2:
        return f"{text} A single run tells nothing of the spread over seeds."
    apart = first.low > second.high if more_is_better else first.high < second.low
    return text + (
        " Their 95 % intervals do not overlap." if apart else " Their 95 % intervals overlap."
    )


def _remarks(comparison):
    left_out = [f"{name} is left out: {reason}." for name, reason in comparison.left_out.items()]
    return [*comparison.remarks, *left_out]


def _not_ranked(comparison, titles):
    """Says why scores have no rank correlation: a sentence for each reason."""
    reasons = {}
    for name, reason in comparison.not_ranked.items():
        reasons.setdefault(reason, []).append(titles[name])
    return [f"None for {listed(names)}: {reason}." for reason, names in reasons.items()]


def _group_row(group, output):
    return {
        "name": group.name,
        "settings": {name: setting(value) for name, value in group.settings.items()},
        "runs": [_link(run, output) for run in group.runs],
    }


def _link(run, output):
    """Returns a run's name, seed, and the way to its report, `None` where it has none."""
    report = run.directory.report_file
    path = None
    if report.is_file():
        path = Path(os.path.relpath(report.resolve(), output.resolve().parent)).as_posix()
    return {"name": run.name, "seed": run.config.training.seed, "report": path}


def _same_settings(comparison):
    """Returns what all runs have in common of the settings that say most, a list of pairs."""
    names = ("model", "dataset", "image_size", "latent_dim", "steps", "batch_size", "learning_rate")
    values = {name: {run.config.to_dict()[name] for run in comparison.runs} for name in names}
    return [(name, setting(*found)) for name, found in values.items() if len(found) == 1]
