"""`keras-devae export`."""

import click

from keras_devae.cli.options import PATH, choose_backend, print_layer_advice, run_argument


@click.command()
@run_argument
@click.argument("path", type=PATH, metavar="FOLDER")
@click.option(
    "--format",
    "format_name",
    default="tf_saved_model",
    show_default=True,
    help="tf_saved_model or onnx.",
)
@click.option(
    "--layer",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Latent layer of encode, decode and reconstruct.",
)
@click.pass_context
def export(context: click.Context, run: str, path: str, format_name: str, layer: int) -> None:
    """Write encoder and decoder of the run in folder RUN to FOLDER.

    The result needs neither this package nor Keras. Endpoints: encode, encode_all_layers, decode,
    reconstruct.
    """
    from keras_devae.files import check_new
    from keras_devae.runs import Run

    check_new(path)
    opened = Run.open(run)
    opened.folder.trained_model_file()
    choose_backend(context, opened.config.compute.backend)

    from keras_devae.export import check_export, export_model
    from keras_devae.runs.trained_model import scored_losses

    check_export(path, format_name)
    export_model(opened.model, path, format_name, layer)
    print_layer_advice(scored_losses(opened.model, opened.folder), layer)
    click.echo(path)
