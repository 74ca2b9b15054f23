"""`keras-devae export`."""

import click

from keras_devae.cli.options import (
    PATH,
    choose_backend,
    json_option,
    print_json,
    print_layer_advice,
    run_argument,
)


@click.command()
@run_argument
@click.argument("path", type=PATH, metavar="FOLDER")
@click.option(
    "--format",
    "format_name",
    default="tf_saved_model",
    show_default=True,
    help="Format: tf_saved_model, onnx, openvino, litert or torch (PyTorch .pt2).",
)
@click.option(
    "--layer",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Latent layer that encode, decode and reconstruct use.",
)
@click.option(
    "--quantize",
    metavar="int8|float16",
    help="Smaller litert files: int8 has a quarter of the size and codes within 1 %, float16 half "
    "the size and codes within 0.1 %.  [default: float32]",
)
@json_option
@click.pass_context
def export(
    context: click.Context,
    run: str,
    path: str,
    format_name: str,
    layer: int,
    quantize: str | None,
    as_json: bool,
) -> None:
    """Export encoder and decoder of the run in folder RUN to FOLDER, for other programs.

    The result needs neither this package nor Keras. It has the endpoints encode, encode_all_layers,
    decode and reconstruct; litert, onnx, openvino and torch write one file for each. Prints the
    Python code that loads the result, and the packages to install for it.
    """
    from keras_devae.export.formats import check_arguments, exporting_backend, loading_code
    from keras_devae.runs import Run

    check_arguments(path, format_name, quantize)
    opened = Run.open(run)
    opened.folder.trained_model_file()
    choose_backend(context, opened.config.compute.backend)
    exporting_backend(format_name, quantize)

    from keras_devae.export import export_model
    from keras_devae.runs.trained_model import scored_losses

    model = opened.model
    export_model(model, path, format_name, layer, quantize)
    print_layer_advice(scored_losses(model, opened.folder), run, layer)
    precision = opened.config.compute.mixed_precision
    if precision not in (None, "off") and not opened.folder.is_preset:
        click.echo(
            f"The run computes in {precision}, the export in float32: their codes differ by the "
            f"rounding errors of {precision}.",
            err=True,
        )
    code = loading_code(path, format_name, model.image_shape)
    if as_json:
        print_json({"folder": path, "format": format_name, "layer": layer, "load": code})
    else:
        click.echo(f"{path}\n\n{code}", nl=False)
