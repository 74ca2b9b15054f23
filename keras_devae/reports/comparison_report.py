"""The page that compares several runs."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_devae.checks import counted
from keras_devae.comparison.comparing import Comparison, compare_runs, names_by_reason
from keras_devae.comparison.groups import ComparedRun, Group
from keras_devae.comparison.tables import comparison_cells, correlation_cells, shown_metrics
from keras_devae.evaluation.wording import listed
from keras_devae.files import write_text
from keras_devae.metrics import METRICS, Number, meaning_of
from keras_devae.reports.comparison_figures import choose_traversals, draw_comparison_figures
from keras_devae.reports.formatting import format_number, format_setting
from keras_devae.reports.next_steps import next_steps_of_comparison
from keras_devae.reports.page import render_page

#: What follows the answers at the top of the page.
_SECTIONS = (
    ("scores", "Scores"),
    ("runs", "Runs"),
    ("correlations", "Rank correlations"),
    ("training", "Training"),
    ("traversals", "Latents"),
)
#: Metrics for which the summary names the best groups.
_RANKED = ("mig", "dci", "reconstruction_error")
#: The settings that say most, shown if all runs have them in common.
_MAIN_SETTINGS = (
    "model",
    "dataset",
    "image_size",
    "latent_dim",
    "steps",
    "batch_size",
    "learning_rate",
)


def write_comparison(folders: Iterable[str | Path], output: str | Path, layer: int = 0) -> Path:
    """Writes a page that compares finished runs, from what is in their folders.

    Args:
        folders: Folders of runs, of studies, or of any number of runs.
        output: The file.
        layer: Number of the latent layer whose scores are compared; default 0.

    Returns:
        The path.

    Raises:
        UsageError: As for `keras_devae.comparison.comparing.compare_runs`.
    """
    output = Path(output)
    comparison = shown_metrics(compare_runs(folders, layer=layer))
    write_text(output, comparison_page(comparison, output))
    return output


def comparison_page(comparison: Comparison, output: Path) -> str:
    """Returns the page, with links relative to the file to which it will be written."""
    traversals, left_out = choose_traversals(comparison)
    cells = comparison_cells(comparison)
    # The first two columns are names and numbers of runs.
    end = cells[0][2:]
    titles = {m: t.replace("\n", " ") for m, t in zip(comparison.metrics, end, strict=True)}
    return render_page(
        "comparison.html",
        sections=_SECTIONS,
        title=f"{counted(len(comparison.runs), 'run')} compared",
        lead=_lead(comparison),
        layer=comparison.layer,
        summary=_summary(comparison),
        next_steps=next_steps_of_comparison(comparison),
        remarks=[
            *comparison.remarks,
            *(f"{name} is left out: {reason}." for name, reason in comparison.left_out.items()),
        ],
        same=_same_settings(comparison),
        columns=list(dict.fromkeys(n for group in comparison.groups for n in group.settings)),
        groups=[_group_row(group, output) for group in comparison.groups],
        scores=cells,
        meanings=[(title, meaning_of(name)) for name, title in titles.items()],
        correlations=correlation_cells(comparison),
        not_ranked=_not_ranked(comparison, titles),
        figures=draw_comparison_figures(comparison, titles),
        traversals=traversals,
        left_out=left_out,
    )


def _lead(comparison: Comparison) -> str:
    runs, groups = len(comparison.runs), len(comparison.groups)
    text = f"{counted(runs, 'run')} in {counted(groups, 'group')}."
    return f"{text} Runs of a group differ only in the seed." if runs > groups else text


def _summary(comparison: Comparison) -> Iterator[str]:
    groups = comparison.groups
    if not comparison.metrics:
        yield "There is no score to compare."
    for metric in _RANKED:
        key = METRICS[metric].key()
        measured = [group for group in groups if key in group.scores]
        if len(measured) > 1:
            yield _best(measured, key, next(iter(METRICS[metric].numbers.values())))


def _best(groups: Sequence[Group], key: str, number: Number) -> str:
    more_is_better = not number.lower_is_better
    title = f"{number.title} ({number.unit})" if number.unit else number.title
    ranked = sorted(groups, key=lambda group: group.scores[key].mean, reverse=more_is_better)
    first, second = (group.scores[key] for group in ranked[:2])
    text = (
        f"Best mean {title}: {ranked[0].name} ({format_number(first.mean)}), ahead of "
        f"{ranked[1].name} ({format_number(second.mean)})."
    )
    if min(first.count, second.count) < 2:
        return f"{text} With a single run, the difference may be due to the seed."
    apart = first.low > second.high if more_is_better else first.high < second.low
    return f"{text} Their 95 % confidence intervals {'do not ' if apart else ''}overlap."


def _not_ranked(comparison: Comparison, titles: Mapping[str, str]) -> list[str]:
    """Says why scores have no rank correlation: a sentence for each reason."""
    return [
        f"No rank correlation for {listed([titles[name] for name in names])}: {reason}."
        for reason, names in names_by_reason(comparison.not_ranked).items()
    ]


def _group_row(group: Group, output: Path) -> dict[str, Any]:
    return {
        "name": group.name,
        "settings": {name: format_setting(value) for name, value in group.settings.items()},
        "runs": [_link(run, output) for run in group.runs],
    }


def _link(run: ComparedRun, output: Path) -> dict[str, Any]:
    """Returns a run's name, its seed, and the path of its report, `None` where it has none."""
    report = run.directory.report_file
    path = None
    if report.is_file():
        path = Path(os.path.relpath(report.resolve(), output.resolve().parent)).as_posix()
    return {"name": run.name, "seed": run.seed, "report": path}


def _same_settings(comparison: Comparison) -> list[tuple[str, str]]:
    """Returns the main settings that all runs have in common."""
    settings = [run.settings for run in comparison.runs]
    names = [name for name in _MAIN_SETTINGS if all(name in one for one in settings)]
    values = {name: {one[name] for one in settings} for name in names}
    return [(name, format_setting(*found)) for name, found in values.items() if len(found) == 1]
