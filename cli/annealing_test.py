"""`keras-devae annealing-test`."""

import functools
import os

import click

from keras_devae.cli.options import (
    PATH,
    RUN_NAME,
    json_option,
    names_from,
    print_json,
    progress_bars,
    runs_folder_option,
    variants_option,
)
from keras_devae.cli.running import resumable, resumed
from keras_devae.cli.tables import print_table
from keras_devae.errors import UsageError

_SETTINGS = (
    "dataset",
    "source",
    "data_dir",
    "image_size",
    "factors",
    "variants",
    "factors_file",
    "readings",
    "latent_dim",
    "network",
    "batch_size",
    "learning_rate",
    "seed",
)


@click.command("annealing-test")
@click.option("--dataset", help="As for `train`.  [default: dsprites]")
@click.option("--source", help="auto, official or rendered.  [default: auto]")
@click.option("--data-dir", type=PATH, metavar="FOLDER", help="Folder of the prepared data sets.")
@click.option("--image-size", type=int, help="Pixels a side.  [default: 64]")
@click.option(
    "--factors",
    callback=lambda context, parameter, text: names_from(text),
    metavar="NAMES",
    help="Factors that vary, as for `train`.  [default: all]",
)
@variants_option
@click.option("--factors-file", type=PATH, metavar="FILE", help="Factors of your own images.")
@click.option("--beta-start", type=float, help="[default: 200 for 64x64 pixels, in proportion]")
@click.option("--beta-end", type=float, help="[default: 1 for 64x64 pixels, in proportion]")
@click.option("--steps", type=int, help="Steps from one to the other.  [default: 20000]")
@click.option("--readings", type=int, help="Times information is read.  [default: 50]")
@click.option("--latent-dim", type=int, help="Latent dimensions.  [default: 10]")
@click.option("--network", help="convolutional or mlp.  [default: convolutional]")
@click.option("--batch-size", type=int, help="Images a step.  [default: 64]")
@click.option("--learning-rate", type=float, help="Of Adam.  [default: 5e-4]")
@click.option("--seed", type=int, help="Seed of everything random.  [default: 0]")
@click.option("--run", type=RUN_NAME, metavar="NAME", help="[default: annealing-DATASET-seedSEED]")
@runs_folder_option
@click.option(
    "--resume", "resume_run", type=PATH, metavar="RUN", help="Resume an interrupted test."
)
@click.option("--overwrite", is_flag=True, help="Replace a run of the same name.")
@json_option
@click.pass_context
def annealing_test(context, runs_dir, run, resume_run, overwrite, as_json, **given):
    """Find out which betas suit a data set.

    Trains a beta-VAE while beta falls from where everything is collapsed, and reads along the way
    what the latents tell of each factor. A factor's freezing point is the beta at which that rises
    above 10 % of the factor's entropy. From the points it suggests betas for DeVAE. Betas go with
    the number of pixels: use them at the image size of the test, or scale them.

    Everything lands in RUNS-DIR/NAME: the run, figures/freezing.png, freezing.csv, freezing.json.
    """
    named = {name: value for name, value in given.items() if value is not None}
    if resume_run is None:
        owner = _new(context, named, runs_dir, run, overwrite, as_json)
    elif named or run is not None or overwrite:
        raise UsageError("A resumed test keeps its name and settings: leave out the other options.")
    else:
        owner = resumed(context, resume_run, as_json)
    test, files = _carry_out(context, owner, as_json)
    if as_json:
        from keras_devae.reproduction.annealing_test import summary

        print_json({"run": str(owner.folder.path), **summary(test)})
    else:
        _show(test, owner.config, files)


def _new(context, named, runs_dir, name, overwrite, quiet):
    from keras_devae.reproduction.annealing_test import annealing_config, with_falling_beta
    from keras_devae.runs import Run

    settings = {key: value for key, value in named.items() if key in _SETTINGS}
    defaults = {"dataset": "dsprites", "learning_rate": 5e-4}
    config = annealing_config(named.get("steps", 20_000), **{**defaults, **settings})
    ends = {name: named.get(name) for name in ("beta_start", "beta_end")}
    default_name = f"annealing-{config.data.dataset.split(':')[0]}-seed{config.training.seed}"
    with progress_bars(quiet) as progress:
        return Run.new(
            config,
            os.path.join(runs_dir, name or default_name),
            backend=context.obj["backend"],
            overwrite=overwrite,
            numbered=name is None,
            adapt=functools.partial(with_falling_beta, **ends),
            progress=progress,
        )


def _carry_out(context, run, quiet):
    from keras_devae.reproduction.annealing_test import train_test, write_test

    if not quiet:
        click.echo(f"Data     {run.dataset.description}")
        where = f"{run.config.compute.backend}, seed {run.config.training.seed}"
        click.echo(f"Run      {run.folder.path}  ({where})")
    with resumable(context, run):
        test = train_test(run, progress=not quiet)
        files = write_test(test, run.folder)
    return test, files


def _show(test, config, files):
    from keras_devae.reproduction.annealing_test import RULE

    titles, rows = ("factor", "freezing point", "known at the end"), []
    for row in test.rows():
        point = row["freezing_point"]
        shown = row["state"] if point is None else f"{point:.3g}"
        rows.append((row["factor"], shown, f"{row['final_share']:.0%}"))
    print_table(titles, rows, right=titles[1:], width=100)
    size = f"{config.data.image_size}x{config.data.image_size}"
    if test.suggested:
        betas = ",".join(f"{beta:g}" for beta in test.suggested)
        click.echo(f"Suggested for DeVAE at {size} pixels: --betas {betas}")
    else:
        click.echo(
            "No betas follow: no factor began to be known on the way with room below. Lower "
            "--beta-end, or give it more --steps."
        )
    if any(row["state"] == "above the start" for row in test.rows()):
        click.echo(
            "Some factors are known from the start: raise --beta-start to find their points."
        )
    click.echo(RULE)
    for what, path in files.items():
        click.echo(f"{what:<8} {path}")
