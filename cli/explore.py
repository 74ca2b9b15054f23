"""`keras-devae explore`."""

import click

from keras_devae.cli.options import choose_backend, run_argument, status_line


@click.command()
@run_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="[default: first free from 7860]")
@click.option("--browser/--no-browser", default=True, help="Open the browser, or only say where.")
@click.option(
    "--images",
    type=click.IntRange(2),
    default=5000,
    show_default=True,
    help="Images that the latents are measured on.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the images.")
@click.pass_context
def explore(context, run, host, port, browser, images, seed):
    """Move the latents of the run in folder RUN and watch the image change, on a local page.

    Only this machine reaches the page; with --host 0.0.0.0 others do, too. Ctrl-C ends it.
    """
    from keras_devae.experiments.run_directory import RunDirectory
    from keras_devae.explorer.serving import address_of, check_gradio, listen, serve

    check_gradio()
    directory = RunDirectory.open(run)
    config = directory.read_config()
    directory.trained_model_file()
    with listen(host, port) as listener:
        choose_backend(context, config.backend)

        from keras_devae.experiments.trained_model import load_trained
        from keras_devae.explorer.page import make_page
        from keras_devae.explorer.session import Session

        with status_line() as status:
            status("loading the model and its data set")
            model, dataset = load_trained(directory), directory.load_dataset()
            status("measuring the latents")
            page = make_page(Session(model, dataset, images, seed))
        click.echo(f"The page is at {address_of(listener)} until Ctrl-C.")
        serve(page, listener, browser)
