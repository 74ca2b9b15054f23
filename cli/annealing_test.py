"""`keras-devae annealing-test`."""

import functools
import os
from pathlib import Path
from typing import Any

import click

from keras_devae.cli.formatting import print_fact, print_text
from keras_devae.cli.options import (
    PATH,
    RUN_NAME,
    json_option,
    print_json,
    progress_bars,
    resumable,
    resumed,
    runs_folder_option,
)
from keras_devae.cli.setting_options import setting_options
from keras_devae.cli.tables import print_table
from keras_devae.data.image_sizes import pixels_text
from keras_devae.errors import UsageError

#: Setting -> its default in words, where it is not the one of `train`.
_DEFAULTS = {
    "dataset": "dsprites",
    "source": None,
    "data_dir": None,
    "image_size": "64",
    "factors": None,
    "variants": None,
    "factors_file": None,
    "latent_dim": None,
    "network": None,
    "batch_size": None,
    "learning_rate": "0.0005",
    "seed": None,
}
_SETTINGS = (*_DEFAULTS, "readings")


@click.command("annealing-test")
@setting_options(_DEFAULTS)
@click.option(
    "--beta-start",
    type=float,
    help="Beta at the first step.  [default: 200 for 64x64 pixels, in proportion to their number]",
)
@click.option(
    "--beta-end",
    type=float,
    help="Beta at the last step.  [default: 1 for 64x64 pixels, in proportion to their number]",
)
@click.option("--steps", type=int, help="Number of training steps.  [default: 20000]")
@click.option(
    "--readings", type=int, help="How many times the information is measured.  [default: 50]"
)
@click.option(
    "--run",
    type=RUN_NAME,
    metavar="NAME",
    help="Name of the run.  [default: annealing-DATASET-seedSEED]",
)
@runs_folder_option
@click.option(
    "--resume", "resume_run", type=PATH, metavar="RUN", help="Resume an interrupted test."
)
@click.option("--overwrite", is_flag=True, help="Replace a run of the same name.")
@json_option
@click.pass_context
def annealing_test(
    context: click.Context,
    runs_dir: Path,
    run: str | None,
    resume_run: Path | None,
    overwrite: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Find betas that suit a data set.

    Trains a beta-VAE while beta falls, from a value at which all latents are collapsed, and
    measures how much information they carry about each factor. A factor's freezing point is the
    beta at which this exceeds 10 % of the factor's entropy. Betas for DeVAE are proposed from these
    points. They are proportional to the number of pixels: use them at the image size of the test,
    or scale them.

    Everything is written to RUNS-DIR/NAME: the run, figures/freezing.png, freezing.csv and
    freezing.json.
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
    from keras_devae.runs.config.flat_settings import dataset_label

    settings = {key: value for key, value in named.items() if key in _SETTINGS}
    defaults = {"dataset": "dsprites", "learning_rate": 5e-4}
    config = annealing_config(named.get("steps", 20_000), **{**defaults, **settings})
    ends = {name: named.get(name) for name in ("beta_start", "beta_end")}
    default_name = f"annealing-{dataset_label(config.data.dataset)}-seed{config.training.seed}"
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
        print_fact("Data", run.dataset.description)
        where = f"{run.config.compute.backend}, seed {run.config.training.seed}"
        print_fact("Run", f"{run.folder.path}  ({where})")
    with resumable(context, run):
        test = train_test(run, progress=not quiet)
        files = write_test(test, run.folder)
    return test, files


def _show(test, config, files):
    from keras_devae.reproduction.annealing_test import RULE

    titles, rows = ("factor", "freezing point", "captured at the end"), []
    for row in test.rows():
        point = row["freezing_point"]
        shown = row["state"] if point is None else f"{point:.3g}"
        rows.append((row["factor"], shown, f"{row['final_share']:.0%}"))
    print_table(titles, rows, right=titles[1:], width=100)
    size = pixels_text(config.data.image_size)
    if test.suggested:
        betas = ",".join(f"{beta:g}" for beta in test.suggested)
        click.echo(f"Suggested for DeVAE at {size} pixels: --betas {betas}")
    else:
        click.echo(
            "No betas can be proposed: the latents captured no factor early enough. Lower "
            "--beta-end, or raise --steps."
        )
    if any(row["state"] == "above the start" for row in test.rows()):
        click.echo(
            "The latents captured some factors from the start: raise --beta-start to find their "
            "freezing points."
        )
    print_text(RULE)
    for what, path in files.items():
        click.echo(f"{what:<8} {path}")
