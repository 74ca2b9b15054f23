"""`keras-devae plot`."""

import click

from keras_devae.cli.options import choose_backend, run_argument


@click.command()
@click.argument("kind", metavar="KIND")
@run_argument
@click.option("--layer", type=int, help="Latent layer.  [default: 0; all for reconstructions]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the images.")
@click.option("--steps", type=click.IntRange(2), help="Columns of a traversal.  [default: 9]")
@click.option("--index", type=int, help="Row of the image that a traversal starts from.")
@click.option("--out", metavar="FILE", help="[default: RUN/figures/KIND.png]")
@click.pass_context
def plot(context, kind, run, layer, seed, steps, index, out):
    """Draw a figure of the run in folder RUN.

    KIND is traversal, reconstructions or samples.
    """
    from keras_devae import figures
    from keras_devae.errors import UsageError
    from keras_devae.experiments.run_directory import RunDirectory
    from keras_devae.pictures import PICTURES, check_picture

    check_picture(kind)
    directory = RunDirectory.open(run)
    given = {"layer": layer, "seed": seed, "steps": steps, "index": index}
    options = {name: value for name, value in given.items() if value is not None}
    if kind != "traversal" and {"steps", "index"} & set(options):
        raise UsageError("--steps and --index belong to traversals.")
    choose_backend(context, directory.read_config().backend)

    from keras_devae.experiments.training import load_trained

    figure = PICTURES[kind](load_trained(directory), directory.load_dataset(), **options)
    click.echo(figures.save(figure, out or directory.figures / f"{kind}.png"))
