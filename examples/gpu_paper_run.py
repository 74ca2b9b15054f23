"""Trains one run of the paper's size on a GPU with JAX: 300,000 steps of 256 images.

    pip install "jax[cuda12]" './examples/without_tensorflow[jax]'
    python examples/gpu_paper_run.py runs/paper

It needs neither TensorFlow nor matplotlib. The images stay on the device; the host sends row
numbers. The choice of the layer, the noise and the schedules are part of the compiled step. On a
GPU it computes in mixed precision, many steps per call. The same command resumes a run that was
stopped. `keras-devae evaluate`, `plot` and `export` take the folder like any other run's.
"""

import csv
import os
import statistics
import sys

import click

os.environ.setdefault("KERAS_BACKEND", "jax")

from keras_devae.runs import PRESETS, Run, RunConfig, RunDirectory

PAPER = PRESETS["paper"][1]


def begin(folder, **settings):
    """Begins a run, or resumes the one that is there."""
    if RunDirectory(folder).config_file.is_file():
        print(f"Resuming {folder} with its own settings; options given now are ignored.")
        return Run.resume(folder)
    fixed = {"model": "devae", "dataset": "dsprites", "resident": True}
    measured = {"track": ("speed",), "metrics": ("mig",)}
    return Run.new(RunConfig(**{**PAPER, **fixed, **measured, **settings}), folder)


def speeds(run):
    """Returns the steps per second of each part of a run, without the warm-up."""
    table = run.folder.tracking / "speed.csv"
    if not table.is_file():
        return []
    with open(table, newline="", encoding="utf-8") as file:
        rates = [float(row["steps_per_second"]) for row in csv.DictReader(file)]
    return rates[1:] or rates


def main(folder="runs/paper", **settings):
    """Trains and scores one run; returns its median steps per second, or `None`, and its scores.

    Args:
        folder: Folder of the run.
        **settings: Settings of `RunConfig` in place of the paper's.
    """
    with begin(folder, **settings) as run:
        # These import Keras, which must happen after the backend is chosen.
        from keras_devae.backend import accelerator_facts
        from keras_devae.backend.choosing import chosen_backend
        from keras_devae.runs.compute import describe_compute
        from keras_devae.runs.environment import describe_machine

        machine, training = describe_machine(), run.config.training
        print(f"{accelerator_facts()[0] or machine['processor']}; {machine['versions']}")
        print(f"{run.dataset.description}; {training.steps} steps of {training.batch_size} images")
        print(f"{chosen_backend()}: {describe_compute(run.config)}", flush=True)
        run.train()
        rates = speeds(run)
        middle = statistics.median(rates) if rates else None
        if rates:
            print(f"{middle:.1f} steps/s, {middle * training.batch_size:,.0f} images/s (median)")
        else:
            print("The run was too short to time. Give it more --steps.")
        scores = run.evaluate()
    for layer in scores["layers"]:
        print(f"layer {layer['layer']}: MIG {layer['mig.score']:.3f}")
    return middle, scores


@click.command(help=__doc__.splitlines()[0])
@click.argument("folder", default="runs/paper")
@click.option("--steps", default=PAPER["steps"], show_default=True)
@click.option("--batch-size", default=PAPER["batch_size"], show_default=True)
@click.option("--checkpoint-every", default=PAPER["checkpoint_every"], show_default=True)
@click.option("--track-every", default=1000, show_default=True, help="Steps of each timed part.")
@click.option("--dataset", default="dsprites", show_default=True)
@click.option("--image-size", type=int, help="Pixels a side.  [default: 64]")
@click.option("--mixed-precision", help="off, float16 or bfloat16.  [default: by device]")
@click.option("--seed", default=0, show_default=True)
def command(folder, **given):
    """Reads the command line."""
    try:
        main(folder, **given)
    except KeyboardInterrupt:
        print("Interrupted. The same command resumes the run.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    command()
