"""`keras-devae plot`."""

from typing import Any

import click

from keras_devae.cli.options import PATH, choose_backend
from keras_devae.errors import UsageError

# The first character keeps click from wrapping the lines.
_KINDS = """\b
KIND is one of
  traversal                what each latent does to an image; .gif: animated
  reconstructions          images, and their reconstruction by each layer
  samples                  images decoded from the prior
  kl                       KL divergence of each latent
  information-map          information of each latent about each factor
  information-over-layers  information about each factor, layer by layer
  factor-scatter           each factor against its most informative latent
  learning-curves          losses by step
  information-diffusion    information by step (needs --track information)
  kl-diffusion             KL divergence by step (needs --track kl)
  tracked-scores           scores by step (needs --track with metrics)
  mig-reconstruction       MIG against reconstruction, of several runs
"""


@click.command(epilog=_KINDS)
@click.argument("kind", metavar="KIND")
@click.argument("runs", type=PATH, metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--layer", type=int, help="Latent layer to draw.  [default: 0, or all in figures of all layers]"
)
@click.option(
    "--seed", type=click.IntRange(0), help="Random seed that chooses the images.  [default: 0]"
)
@click.option(
    "--steps",
    type=click.IntRange(2),
    help="Number of values that a latent takes.  [default: 9; 16 in a GIF]",
)
@click.option(
    "--index",
    type=int,
    help="Index of the image that a traversal starts from.  [default: a random image]",
)
@click.option(
    "--span",
    type=click.Choice(["range", "quantiles"]),
    help="Values of a latent: from -2 to 2, or quantiles of the prior.  [default: range]",
)
@click.option("--active-only", is_flag=True, help="Leave out latents that are not active.")
@click.option(
    "--representation",
    type=click.Choice(["mean", "sample"]),
    help="Codes to measure information on: means of the posterior, or samples of it."
    "  [default: mean]",
)
@click.option(
    "--out",
    "files",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="File to write, in the format of its suffix; may be repeated.  [default: "
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
    """Draw a figure of the run in folder RUN, or one that compares several runs or a study.

    --steps, --index, --span and --active-only apply to traversals; --representation applies to
    figures of information.
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
        raise UsageError(f"A figure needs a run. Received: {', '.join(runs)}, without any.")
    check_plot(kind, directories, options, files)
    if kind in MODEL_FIGURES:
        choose_backend(context, directories[0].read_config().compute.backend)
    for path in draw_plot(kind, directories, options, files):
        click.echo(path)
