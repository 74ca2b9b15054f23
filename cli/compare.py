"""`keras-devae compare`."""

import click

from keras_devae.cli.options import (
    PATH,
    choose_backend,
    json_option,
    names_from,
    print_json,
    status_line,
)
from keras_devae.cli.tables import print_table
from keras_devae.errors import UsageError

#: Titles of the columns that hold words.
_TEXTS = ("group", "run", "rank correlation")


@click.command()
@click.argument("runs", type=PATH, metavar="RUN...", nargs=-1, required=True)
@click.option("--layer", type=click.IntRange(0), default=0, show_default=True, help="Latent layer.")
@click.option("--metrics", help="Names with commas, e.g. mig.score,dci; or all.  [default: a few]")
@click.option("--by", metavar="NAME,...", help="Settings to group runs by.  [default: all]")
@click.option("--select", type=click.Choice(["udr"]), help="Rank the models, without factors.")
@click.option("--images", type=click.IntRange(2), help="Images to encode for UDR.  [default: 2000]")
@json_option
@click.option(
    "--output", type=PATH, metavar="FILE", help="Also write the table, to a .csv or .md file."
)
@click.pass_context
def compare(context, runs, layer, metrics, by, select, images, as_json, output):
    """Compare finished runs: mean and spread over seeds, and rank correlations between metrics.

    RUN is the folder of a run, or a study or another folder of runs, all of which are compared.
    Runs that differ only in the seed form a group.

    With --select udr, every model encodes the same images, and models that agree most with those
    trained alike come first (unsupervised disentanglement ranking; Duan et al. 2020).
    """
    from keras_devae.comparison import tables
    from keras_devae.comparison.comparing import compare_runs

    if output:
        tables.check_table_file(output)
    if images is not None and select is None:
        raise UsageError("--images needs --select udr.")
    found = tables.shown_metrics(compare_runs(runs, names_from(by), layer), names_from(metrics))
    selection = None if select is None else _select(context, found, images or 2000)
    result = tables.comparison_dict(found)
    if selection is None:
        rows, cells = tables.comparison_rows(found), tables.comparison_cells(found)
    else:
        result["selection"] = tables.selection_dict(selection, found)
        rows, cells = result["selection"]["ranking"], tables.selection_cells(selection, found)
    if output:
        tables.write_table_file(output, rows, cells)
    if as_json:
        print_json(result)
        return
    _print_cells(*cells)
    if selection is None:
        if any(len(group.runs) > 1 for group in found.groups):
            click.echo("Mean ± standard deviation over runs, [95 % interval of the mean]")
        _print_correlations(found)
    _print_remarks(found, selection)


def _print_correlations(comparison):
    from keras_devae.comparison.tables import correlation_cells

    if comparison.rank_correlations.names:
        _print_cells(*correlation_cells(comparison))
    _print_reasons("No rank correlation", comparison.not_ranked)


def _print_remarks(comparison, selection):
    _print_reasons("Left out", comparison.left_out)
    for remark in (*comparison.remarks, *(selection.remarks if selection else ())):
        click.echo(remark)
    if selection is not None:
        _print_best(selection)


def _print_reasons(what, reason_of):
    from keras_devae.comparison.comparing import names_by_reason

    for reason, names in names_by_reason(reason_of).items():
        click.echo(f"{what} ({reason}): {', '.join(names)}")


def _print_best(selection):
    alike = {}
    for ranked in selection.best:
        alike.setdefault(None if selection.common else ranked.group, []).append(ranked)
    for best in alike.values():
        paths = " or ".join(str(ranked.run.directory.path) for ranked in best)
        click.echo(f"Take {paths}: UDR {best[0].udr:.3f}, group {best[0].group}")


def _print_cells(titles, rows):
    print_table(titles, rows, right=set(titles) - set(_TEXTS), width=200)


def _select(context, comparison, images):
    choose_backend(context, comparison.runs[0].config.compute.backend)

    from keras_devae.comparison.model_selection import select_by_udr

    with status_line() as status:
        return select_by_udr(
            comparison,
            images,
            progress=lambda run, done, total: status(
                f"{run}: encoding {done:,} of {total:,} images", passing=done < total
            ),
        )
