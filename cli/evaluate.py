"""`keras-devae evaluate`."""

from dataclasses import replace

import click

from keras_devae.cli.options import (
    choose_backend,
    json_option,
    names_from,
    print_json,
    print_scores,
    run_argument,
)


@click.command()
@run_argument
@click.option("--metrics", help="Names with commas, or all.  [default: those of the run]")
@click.option("--images", type=click.IntRange(2), help="Images to encode.  [default: the run's]")
@click.option("--seed", type=click.IntRange(0), help="Seed of their choice.  [default: the run's]")
@json_option
@click.option("--output", metavar="FILE", help="Also write the JSON to a file.")
@click.pass_context
def evaluate(context, run, metrics, images, seed, as_json, output):
    """Compute the scores of the run in folder RUN, layer by layer."""
    from keras_devae.experiments.run_directory import RunDirectory
    from keras_devae.files import write_json

    directory = RunDirectory.open(run)
    config = directory.read_config()
    if metrics:
        config = replace(config, metrics=names_from(metrics))
    choose_backend(context, config.backend)

    from keras_devae.experiments.finishing import evaluate_run
    from keras_devae.experiments.training import load_trained

    dataset = directory.load_dataset()
    scores = evaluate_run(
        load_trained(directory),
        directory,
        dataset,
        config.resolved(dataset).metrics,
        config.evaluation_images if images is None else images,
        config.seed if seed is None else seed,
    )
    if output:
        write_json(output, scores)
    if as_json:
        print_json(scores)
    else:
        click.echo(dataset.description)
        print_scores(scores)
