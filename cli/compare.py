"""`keras-devae compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keras_devae.cli.options import (
    PATH,
    choose_backend,
    json_option,
    parse_names,
    print_json,
    status_line,
)
from keras_devae.cli.tables import print_table
from keras_devae.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from keras_devae.comparison.comparing import Comparison
    from keras_devae.comparison.model_selection import RankedRun, Selection

#: Titles of the columns that hold words.
_TEXTS = ("group", "run", "rank correlation")


@click.command()
@click.argument("runs", type=PATH, metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--layer", type=click.IntRange(0), default=0, show_default=True, help="Latent layer to compare."
)
@click.option(
    "--metrics",
    callback=parse_names,
    help="Metrics to show, comma-separated, e.g. mig.score,dci; or all.  [default: the main ones]",
)
@click.option(
    "--by",
    callback=parse_names,
    metavar="NAMES",
    help="Settings to group runs by, comma-separated.  [default: all but the seed]",
)
@click.option("--select", type=click.Choice(["udr"]), help="Rank the models without using factors.")
@click.option(
    "--images", type=click.IntRange(2), help="Number of images to encode for UDR.  [default: 2000]"
)
@json_option
@click.option(
    "--output", type=PATH, metavar="FILE", help="Also write the table to a .csv or .md file."
)
@click.pass_context
def compare(
    context: click.Context,
    runs: tuple[Path, ...],
    layer: int,
    metrics: tuple[str, ...] | None,
    by: tuple[str, ...] | None,
    select: str | None,
    images: int | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Compare finished runs: mean and spread over seeds, and rank correlations between metrics.

    RUN is a run's folder, a folder from `evaluate --report-dir`, or a folder that holds several of
    these, such as a study. Runs that differ only in their seed form a group. Groups of fewer than
    five seeds get a warning, and rank correlations need at least four runs.

    With --select udr, all models encode the same images, and the models that agree most with others
    trained in the same way come first (unsupervised disentanglement ranking; Duan et al. 2020).
    """
    from keras_devae.comparison.table_files import check_table_file, write_table_file

    if output:
        check_table_file(output)
    if images is not None and select is None:
        raise UsageError("--images needs --select udr.")

    from keras_devae.comparison import tables
    from keras_devae.comparison.comparing import compare_runs

    found = tables.shown_metrics(compare_runs(runs, by, layer), metrics)
    selection = None if select is None else _select(context, found, images or 2000)
    result = tables.comparison_dict(found)
    if selection is None:
        rows, cells = tables.comparison_rows(found), tables.comparison_cells(found)
    else:
        result["selection"] = tables.selection_dict(selection, found)
        rows, cells = result["selection"]["ranking"], tables.selection_cells(selection, found)
    if output:
        write_table_file(output, rows, cells)
    if found.caution is not None:
        click.echo(f"Warning: {found.caution}", err=True)
    if as_json:
        print_json(result)
        return
    _print_cells(*cells)
    if selection is None:
        if any(len(group.runs) > 1 for group in found.groups):
            click.echo("Mean ± standard deviation over runs, [95 % interval of the mean]")
        if found.rank_correlations.names:
            _print_cells(*tables.correlation_cells(found))
        _print_reasons("No rank correlation", found.not_ranked)
    _print_reasons("Left out", found.left_out)
    for remark in (*found.remarks, *(selection.remarks if selection else ())):
        click.echo(remark)
    if selection is not None:
        _print_best(selection)


def _print_reasons(what: str, reasons: Mapping[str, str]) -> None:
    from keras_devae.comparison.comparing import names_by_reason

    for reason, names in names_by_reason(reasons).items():
        click.echo(f"{what} ({reason}): {', '.join(names)}")


def _print_best(selection: Selection) -> None:
    equals: dict[str | None, list[RankedRun]] = {}
    for ranked in selection.best:
        equals.setdefault(None if selection.common else ranked.group, []).append(ranked)
    for best in equals.values():
        paths = " or ".join(str(ranked.run.directory.path) for ranked in best)
        click.echo(f"Take {paths}: UDR {best[0].udr:.3f}, group {best[0].group}")


def _print_cells(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print_table(titles, rows, right=set(titles) - set(_TEXTS), width=200)


def _select(context: click.Context, comparison: Comparison, images: int) -> Selection:
    backends = [run.settings["backend"] for run in comparison.runs if "backend" in run.settings]
    choose_backend(context, backends[0] if backends else None)

    from keras_devae.comparison.model_selection import select_by_udr

    with status_line() as status:
        return select_by_udr(
            comparison,
            images,
            progress=lambda run, done, total: status(
                f"{run}: encoding {done:,} of {total:,} images", passing=done < total
            ),
        )
