"""Serving the explorer's page, unless asked otherwise to this machine only."""

import errno
import os
import socket
import sys
import webbrowser

from keras_devae.checks import has_extra
from keras_devae.errors import UsageError
from keras_devae.explorer.page import make_page, system_theme
from keras_devae.explorer.session import Session

#: The ports that are tried where none is asked for.
PORTS = range(7860, 7960)


def check_gradio():
    """Raises a `UsageError` unless Gradio is installed here."""
    has_extra("The explorer", "gradio", "explore")


def listen(host="127.0.0.1", port=None):
    """Takes a port, before anything else is done.

    Args:
        host: Address to listen on; default that which only this machine reaches. `"0.0.0.0"` is
            every address of this machine.
        port: Number of the port; default the first free one from 7860 on.

    Returns:
        A `socket.socket` that listens.

    Raises:
        UsageError: If the port is taken, or there is no such address here.
    """
    for candidate in PORTS if port is None else [port]:
        try:
            return socket.create_server((host, candidate), family=_family(host, candidate))
        except OSError as error:
            if port is None and error.errno == errno.EADDRINUSE:
                continue
            raise UsageError(
                f"Cannot listen on {host}, port {candidate}: {error.strerror}. Choose another "
                "--host or --port."
            ) from None
    raise UsageError(
        f"The ports {PORTS[0]} to {PORTS[-1]} are all taken. Choose another one with --port."
    )


def address_of(listener):
    """Returns the address that a browser on this machine opens, e.g. `"http://127.0.0.1:7860"`."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(page, listener, browser=True):
    """Serves a page until Ctrl-C.

    Args:
        page: A `gradio.Blocks`, from `make_page`.
        listener: A socket, from `listen`; it is closed at the end.
        browser: Whether to open the page in the browser, where there is a screen; default true.

    Raises:
        KeyboardInterrupt: After Ctrl-C, when the server has ended.
    """
    server = make_server(page)
    if browser and _has_screen():
        # The socket listens already: the browser waits for what follows.
        webbrowser.open(address_of(listener))
    with listener:
        server.run(sockets=[listener])


def make_server(page):
    """Returns a `uvicorn.Server` of a page, which calls no other host and keeps no history."""
    import fastapi
    import gradio
    import uvicorn

    application = gradio.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None),
        page,
        path="/",
        theme=system_theme(),
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
    )
    # Pages that are still open would otherwise keep it from ending.
    return uvicorn.Server(
        uvicorn.Config(application, log_level="critical", timeout_graceful_shutdown=1)
    )


def explore(model, dataset, host="127.0.0.1", port=None, browser=True, images=5000, seed=0):
    """Opens a page with a slider for each latent dimension of a model, until Ctrl-C.

    Of many dimensions the 20 with the largest KL divergence have one.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        host: Address to listen on, see `listen`; default this machine only.
        port: Number of the port; default the first free one from 7860 on.
        browser: Whether to open the page in the browser, where there is a screen; default true.
        images: Images that the latents are measured on; default 5,000, or all if there are fewer.
        seed: Integer seed of these images and of random ones; default 0.

    Raises:
        UsageError: If Gradio is not installed here, or the port is taken.
        KeyboardInterrupt: After Ctrl-C, when the server has ended.
    """
    check_gradio()
    listener = listen(host, port)
    with listener:
        page = make_page(Session(model, dataset, images, seed))
        print(f"The page is at {address_of(listener)} until Ctrl-C.")
        serve(page, listener, browser)


def _family(host, port):
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]


def _has_screen():
    # Elsewhere a browser of the terminal might take it over.
    return sys.platform != "linux" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))
