"""`keras-devae plot`."""

from typing import Any

import click

from keras_devae.cli.options import PATH, choose_backend
from keras_devae.errors import UsageError

# The first character keeps click from wrapping the lines.
_KINDS = """\b
KIND is one of
  traversal                what each latent does to an image; .gif: animated
  reconstructions          images and what each layer makes of them
  samples                  images decoded from the prior
  kl                       KL divergence of each latent
  information-map          which latent is informative about which factor, by layer
  information-over-layers  information about each factor, by layer
  factor-scatter           each factor against its most informative latent
  learning-curves          losses by step
  information-diffusion    information of factors by step (--track information)
  kl-diffusion             KL divergence by step (--track kl)
  tracked-scores           scores by step (--track with names of metrics)
  mig-reconstruction       scores of several runs against each other
"""


@click.command(epilog=_KINDS)
@click.argument("kind", metavar="KIND")
@click.argument("runs", type=PATH, metavar="RUN...", nargs=-1, required=True)
@click.option("--layer", type=int, help="Latent layer.  [default: 0, or all where several fit]")
@click.option("--seed", type=click.IntRange(0), help="Seed of the images.  [default: 0]")
@click.option(
    "--steps", type=click.IntRange(2), help="Number of values of a latent.  [default: 9; GIF 16]"
)
@click.option("--index", type=int, help="Index of the image that a traversal starts from.")
@click.option(
    "--span",
    type=click.Choice(["range", "quantiles"]),
    help="From -2 to 2, or quantiles of the prior.  [default: range]",
)
@click.option("--active-only", is_flag=True, help="Leave out latents that are not active.")
@click.option(
    "--representation",
    type=click.Choice(["mean", "sample"]),
    help="Codes that information is measured on: means of the posterior, or samples from it."
    "  [default: mean]",
)
@click.option(
    "--out",
    "files",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="File to write, in the format of its suffix; repeatable.  [default: "
    "RUN/figures/KIND.png, with the options in its name]",
)
@click.pass_context
def plot(
    context: click.Context,
    kind: str,
    runs: tuple[str, ...],
    files: tuple[str, ...],
    active_only: bool,
    **given: Any,
) -> None:
    """Draw a figure of the run in folder RUN, or one that compares several runs or a study's.

    --steps, --index, --span and --active-only apply to traversals, --representation to figures of
    information.
    """
    from keras_devae.comparison.comparing import find_all_runs
    from keras_devae.reports.plots import COMPARISONS, MODEL_FIGURES, check_plot, draw_plot
    from keras_devae.runs.folder import RunDirectory
    from keras_devae.runs.preset import open_directory

    options = {name: value for name, value in given.items() if value is not None}
    if active_only:
        options["active_only"] = True
    several = kind in COMPARISONS
    found = find_all_runs(runs) if several else [open_directory(run) for run in runs]
    directories = [run for run in found if isinstance(run, RunDirectory)]
    if not directories:
        raise UsageError(f"The figure is of runs. Received: {', '.join(runs)}, without any.")
    check_plot(kind, directories, options, files)
    if kind in MODEL_FIGURES:
        choose_backend(context, directories[0].read_config().compute.backend)
    for path in draw_plot(kind, directories, options, files):
        click.echo(path)
