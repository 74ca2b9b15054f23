"""Serving the explorer's page, by default to this machine only."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from keras_devae.checks import require_extra
from keras_devae.errors import UsageError
from keras_devae.explorer.call_validation import call_checker
from keras_devae.explorer.page import make_page, system_theme
from keras_devae.explorer.request_guard import RequestGuard, is_local
from keras_devae.explorer.session import Session
from keras_devae.process.interruption import Interruption

#: The ports that are tried by default.
PORTS = range(7860, 7960)

#: `(user, password)`; `False` for none; `None`: none where only this machine reaches the page, else
#: a random password.
Auth: TypeAlias = tuple[str, str] | Literal[False] | None


def check_gradio() -> None:
    """Raises a `UsageError` unless Gradio is installed."""
    require_extra("The explorer", "gradio", "explore")


def listen(host: str = "127.0.0.1", port: int | None = None) -> socket.socket:
    """Opens a port, before the slow work begins.

    Args:
        host: Address to listen on; by default one that only this machine reaches. `"0.0.0.0"` is
            every address of this machine.
        port: Number of the port; by default the first free one from 7860. 0 is any free one.

    Returns:
        The listening socket.

    Raises:
        UsageError: If the port is taken, or this machine has no such address or port.
    """
    if not isinstance(host, str) or not host.strip():
        # An empty address, as from an unset shell variable, would mean every address.
        raise UsageError(
            f"`host` must be an address of this machine, 0.0.0.0 for all. Received: {host!r}."
        )
    if port is not None and (not isinstance(port, int) or port not in range(65536)):
        raise UsageError(f"`port` must be a whole number from 0 to 65535. Received: {port!r}.")
    for candidate in PORTS if port is None else [port]:
        try:
            family = socket.getaddrinfo(host, candidate, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((host, candidate), family=family)
        except OSError as error:
            if port is None and error.errno == errno.EADDRINUSE:
                continue
            reason = (error.strerror or str(error)).partition(" (while")[0]
            raise _cannot_listen(host, candidate, reason) from None
        except ValueError:
            # A text with a NUL or a part of more than 63 letters is not a name.
            raise _cannot_listen(host, candidate, "That is no address") from None
    raise UsageError(
        f"The ports {PORTS[0]} to {PORTS[-1]} are all taken. Choose another one with --port."
    )


def _cannot_listen(host, port, reason):
    shown = repr(host)[1:-1][:80]
    return UsageError(
        f"Cannot listen on {shown}, port {port}: {reason}. Choose another --host or --port."
    )


def address_of(listener: socket.socket) -> str:
    """Returns the address that a browser on this machine opens, e.g. `"http://127.0.0.1:7860"`."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def choose_credentials(listener: socket.socket, auth: Auth = None) -> tuple[str, str] | None:
    """Returns the user and the password that a page asks for, or `None`, see `Auth`."""
    if auth is False or (auth is None and is_local(listener.getsockname()[0])):
        return None
    if auth is None:
        return "explore", secrets.token_urlsafe(12)
    is_pair = isinstance(auth, (tuple, list)) and len(auth) == 2
    if not is_pair or not all(isinstance(part, str) and part for part in auth) or ":" in auth[0]:
        # The value is not repeated: it may hold a password.
        raise UsageError(
            "`auth` must be a user without a colon and a password, neither of them empty, or False."
        )
    return auth[0], auth[1]


def announcement(
    listener: socket.socket, credentials: tuple[str, str] | None, chosen: bool
) -> list[str]:
    """Returns lines that say where a page is, who else reaches it, and a password not `chosen`."""
    lines = [f"The page is at {address_of(listener)} until Ctrl-C."]
    if credentials is not None:
        password = "" if chosen else f" and the password {credentials[1]}"
        lines.append(f"It asks for the user {credentials[0]}{password}.")
    if is_local(listener.getsockname()[0]):
        return lines
    if credentials is None:
        lines.append(
            "WARNING: no password. Whoever reaches this machine over the network sees this page, "
            "images of the data set included, and may use this machine's time."
        )
    lines.append("Other machines reach it too; what goes over the network is not encrypted.")
    return lines


def serve(
    page: Any,
    listener: socket.socket,
    browser: bool = True,
    credentials: tuple[str, str] | None = None,
) -> None:
    """Serves a page until Ctrl-C, even while an event loop is running, as in a notebook.

    Args:
        page: A `gradio.Blocks`, from `make_page`.
        listener: The socket, from `listen`; it is closed at the end.
        browser: Whether to open the page in the browser, where there is a screen; default true.
        credentials: `(user, password)` that the page asks for, or `None` (default) for none.

    Raises:
        KeyboardInterrupt: After Ctrl-C, at the end; its subclass `Termination` after SIGTERM.
    """
    with listener:
        server = make_server(page, listener.getsockname()[0], credentials)
        if browser and _has_screen():
            # The socket listens already: the browser waits for what follows.
            webbrowser.open(address_of(listener))
        # In a thread the server has its own event loop, and this program handles the signals.
        with _interruptible(), concurrent.futures.ThreadPoolExecutor(1) as threads:
            serving = threads.submit(server.run, sockets=[listener])
            try:
                serving.result()
            finally:
                server.should_exit = True


def make_server(
    page: Any, address: str = "127.0.0.1", credentials: tuple[str, str] | None = None
) -> Any:
    """Makes the `uvicorn.Server` of a page, guarded for the address that it listens on."""
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
    options: dict[str, Any] = {
        "log_level": "critical",
        "ws": "none",
        "proxy_headers": False,
        "server_header": False,
        # Otherwise pages that are still open would keep the server running.
        "timeout_graceful_shutdown": 1,
    }
    guarded = RequestGuard(application, call_checker(page), address, credentials)
    return uvicorn.Server(uvicorn.Config(guarded, **options))


@contextlib.contextmanager
def private_folder() -> Iterator[str]:
    """Gives Gradio a folder for temporary files that nobody else may read, and removes it.

    A page must be made and served inside the block.
    """
    before = os.environ.get("GRADIO_TEMP_DIR")
    prefix = "keras-devae-explorer-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield folder
        finally:
            del os.environ["GRADIO_TEMP_DIR"]
            if before is not None:
                os.environ["GRADIO_TEMP_DIR"] = before


def explore(
    model: Any,
    dataset: Any,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = True,
    images: int = 5000,
    seed: int = 0,
    auth: Auth = None,
) -> None:
    """Opens a page with a slider for each latent dimension of a model, until Ctrl-C.

    At most 20 dimensions have a slider, those with the largest KL divergence. In a notebook the
    cell runs until the kernel is interrupted.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        host: Address to listen on, see `listen`; by default this machine only.
        port: Number of the port; by default the first free one from 7860.
        browser: Whether to open the page in the browser, where there is a screen; default true.
        images: Images that the latents are measured on; default 5,000, or all if there are fewer.
        seed: Seed of these images and of random ones; default 0.
        auth: `(user, password)` that the page asks for; `False` for none; or `None` (default):
            none where only this machine reaches the page, else a random password, which is printed.

    Raises:
        UsageError: If Gradio is not installed, the port is taken, or `auth` is invalid.
        KeyboardInterrupt: After Ctrl-C, when the server has ended.
    """
    check_gradio()
    with _interruptible(), listen(host, port) as listener, private_folder():
        credentials = choose_credentials(listener, auth)
        page = make_page(Session(model, dataset, images, seed))
        for line in announcement(listener, credentials, bool(auth)):
            print(line, flush=True)
        serve(page, listener, browser, credentials)


@contextlib.contextmanager
def _interruptible():
    """Makes Ctrl-C and SIGTERM raise exceptions here, so that everything is closed in order."""
    before = signal.getsignal(signal.SIGINT)
    # Under `asyncio.run` Ctrl-C cancels a task, but only after this function has returned.
    taken = _in_event_loop() and before not in (None, signal.SIG_IGN, signal.default_int_handler)
    if taken:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interruption():
            yield
    finally:
        if taken:
            signal.signal(signal.SIGINT, before)


def _in_event_loop():
    """Returns whether this is the main thread and runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return threading.current_thread() is threading.main_thread()


def _has_screen():
    # Without a screen, a text browser might take over the terminal.
    return sys.platform != "linux" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ))
