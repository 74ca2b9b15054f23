"""`keras-devae explore`."""

import shlex
import sys
from pathlib import Path

import click

from keras_devae.cli.options import choose_backend, run_argument, status_line
from keras_devae.errors import UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE


def _credentials(auth, no_password):
    """Returns the argument of `choose_credentials`, and asks for a password that was left out."""
    if no_password:
        if auth is not None:
            raise UsageError(
                "--auth (or KERAS_DEVAE_AUTH) and --no-password contradict each other. Leave out "
                "one of them."
            )
        return False
    if auth is None:
        return None
    user, colon, password = auth.partition(":")
    if not user or (colon and not password):
        # An empty text, as from a shell's variable that is not set, must not mean no password.
        raise UsageError("--auth must be USER or USER:PASSWORD, neither of them empty.")
    if not colon:
        password = _typed_password(user)
    return user, password


def _typed_password(user):
    if sys.stdin.isatty():
        return click.prompt(f"Password of {user}", hide_input=True, err=True)
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise UsageError("--auth USER reads the password from the standard input, which is empty.")
    return password


@click.command()
@run_argument
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets other machines connect.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of the page.  [default: the first free one from 7860]",
)
@click.option(
    "--browser/--no-browser",
    default=True,
    help="Open the page in a browser, or only print its address.  [default: open it]",
)
@click.option(
    "--images",
    type=click.IntRange(2),
    help="Number of images to measure the latents on.  [default: as in the run's evaluation]",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Random seed that chooses the images.  [default: the run's]",
)
@click.option(
    "--auth",
    metavar="USER[:PASSWORD]",
    envvar="KERAS_DEVAE_AUTH",
    show_envvar=True,
    help="User and password for the page. Leave out PASSWORD to type it, or to read it from the "
    "standard input; other users can see what is on the command line.  [default: none on "
    "127.0.0.1; else user explore and a random password, which is printed]",
)
@click.option("--no-password", is_flag=True, help="Never ask for a password, whatever --host is.")
@click.pass_context
def explore(
    context: click.Context,
    run: Path,
    host: str,
    port: int | None,
    browser: bool,
    images: int | None,
    seed: int | None,
    auth: str | None,
    no_password: bool,
) -> None:
    """Move the latents of the run in folder RUN by hand, on a local web page.

    Only this machine can open the page. With --host 0.0.0.0 others can too, with the password.
    Ctrl-C stops it.
    """
    from keras_devae.explorer.serving import (
        announcement,
        check_gradio,
        choose_credentials,
        listen,
        private_folder,
        serve,
    )
    from keras_devae.process.interruption import Interruption
    from keras_devae.runs import Run

    check_gradio()
    trained = Run.open(run)
    # The defaults are what the report is made with, so that both show the same numbers.
    images = trained.config.evaluation.images if images is None else images
    seed = trained.config.training.seed if seed is None else seed
    MODEL_CATALOGUE[trained.config.model.name].check_decodes()
    trained.folder.trained_model_file()
    wanted = _credentials(auth, no_password)
    with Interruption(), listen(host, port) as listener, private_folder():
        credentials = choose_credentials(listener, wanted)
        choose_backend(context, trained.config.compute.backend)

        from keras_devae.explorer.page import make_page
        from keras_devae.explorer.session import Session

        with status_line() as status:
            status("loading the model and its data set")
            trained.load()
            status("measuring the latents")
            session = Session(trained.model, trained.dataset, images, seed)
            page = make_page(session, f"keras-devae export {shlex.quote(str(run))} encoder")
        for line in announcement(listener, credentials, chosen=wanted is not None):
            click.echo(line)
        serve(page, listener, browser, credentials)
