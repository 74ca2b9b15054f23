"""The guard before the Gradio that is installed, as other programs and web pages meet it."""

import http.client
import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from keras_devae.explorer.page import make_page
from keras_devae.explorer.request_guard import CALL_PATH
from keras_devae.explorer.serving import listen, make_server, private_folder

pytestmark = [
    pytest.mark.browser,
    # Gradio leaves event loops that it never ran to the garbage collector.
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <:pytest.PytestUnraisableExceptionWarning"
    ),
]

EVIL = "http://evil.example"


class Client:
    """Sends requests to a server on this machine."""

    def __init__(self, port):
        self.port = port

    def ask(self, method="GET", path="/", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        try:
            return answer.status, dict(answer.getheaders()), answer.read(100_000).decode()
        finally:
            connection.close()

    def call(self, number, *values):
        body = json.dumps({"data": values, "fn_index": number, "session_hash": "abc"})
        return self.ask("POST", CALL_PATH, body, Content_Type="application/json")


@pytest.fixture(scope="module")
def served(painter):
    """A client, and the application behind the guard."""
    with private_folder(), listen() as listener:
        server = make_server(make_page(painter()))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Client(listener.getsockname()[1]), server.config.app.application
        server.should_exit = True
        thread.join()


def paths_of(routes):
    """The addresses of an application's routes, with x in all places that are free."""
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        if hasattr(inner, "routes"):
            yield from paths_of(inner.routes)
        if getattr(route, "path", ""):
            yield re.sub(r"\{[^}]*\}", "x", route.path)


ANSWERED = {"/", CALL_PATH, "/theme.css", "/favicon.ico", "/assets/x", "/static/x"}


def test_no_other_route_of_gradio_is_open(served):
    """Whatever routes the installed version has: those that take files were open to every page."""
    client, application = served
    paths = set(paths_of(application.routes)) - ANSWERED - {"/gradio_api/heartbeat/x"}
    assert {"/gradio_api/upload", "/gradio_api/queue/join", "/config"} <= paths
    assert len(paths) > 50
    for path in paths:
        for method in ("GET", "POST", "OPTIONS"):
            assert client.ask(method, path, "{}", Content_Type="application/json")[0] == 404, path


def test_an_upload_is_refused_and_leaves_nothing(served):
    client, _ = served
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc\r\n--x--'
    for path in ("/gradio_api/upload", "/gradio_api/upload?upload_id=a", "/upload"):
        for more in ({}, {"Origin": EVIL}):
            # The iterator is sent in chunks, without a length.
            for sent in (body, iter([body])):
                kind = {"Content_Type": "multipart/form-data; boundary=x", **more}
                assert client.ask("POST", path, sent, **kind)[0] == (403 if more else 404)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_no_other_origin_may_read_or_write(served):
    client, _ = served
    for path in ("/", "/config", CALL_PATH, "/theme.css"):
        for method in ("GET", "POST", "OPTIONS"):
            for host in ("evil.example", f"evil.example:{client.port}"):
                assert client.ask(method, path, Host=host)[0] == 403
            status, headers, _ = client.ask(
                method, path, Origin=EVIL, Access_Control_Request_Method="POST"
            )
            assert status == 403
            assert not [name for name in headers if name.lower().startswith("access-control")]
    # What came from the page itself is given no permission either: it needs none.
    status, headers, _ = client.ask(Origin=f"http://127.0.0.1:{client.port}")
    assert status == 200
    assert not [name for name in headers if name.lower().startswith("access-control")]


def test_web_sockets_do_not_open(served):
    client, _ = served
    wanted = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    for path in ("/gradio_api/queue/join", "/ws", "/"):
        status, _, _ = client.ask(path=path, Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAAAA==", **wanted)
        assert status in (200, 404)


WRONG = [
    (0, [None, None, None, 0, 0, 0, 0], "'Latent layer' must be 0 to 1. Received: null."),
    (0, [None, 0, None, float("nan"), 0, 0, 0], "finite numbers"),
    (0, [None, 0, None, "x" * 500_000, 0, 0, 0], "must be a finite number"),
    (0, [None, 0, None, {"path": "/etc/passwd"}, 0, 0, 0], "must be a finite number"),
    (0, [None, 0, None, 1e15, 0, 0, 0], None),
    (1, [None, 9, False], "'Latent layer' must be 0 to 1. Received: 9."),
    (1, [10, 0], "takes 3 values. Received: 2"),
    (9, [], "no such function"),
]


@pytest.mark.parametrize(("number", "values", "message"), WRONG)
def test_wrong_calls_are_refused_and_not_printed(served, capfd, number, values, message):
    status, _, body = served[0].call(number, *values)
    if message is None:
        assert status == 200
    else:
        assert status == 422 and message in json.loads(body)["error"] and len(body) < 200
    assert capfd.readouterr() == ("", "")


def test_what_a_session_refuses_is_said_by_the_page_and_not_printed(painter, capfd, monkeypatch):
    session = painter()
    with private_folder(), listen() as listener:
        server = make_server(make_page(session))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        monkeypatch.setattr(
            session.model, "decode", lambda codes, layer: np.full((1, 4, 4, 1), np.inf)
        )
        try:
            client = Client(listener.getsockname()[1])
            status, _, body = client.call(0, None, 0, None, 1, 0, 0, 0)
        finally:
            server.should_exit = True
            thread.join()
    assert status == 500
    assert json.loads(body)["error"] == "The decoder makes no finite image of these values."
    assert capfd.readouterr() == ("", "")


def test_50_megabytes_are_refused_and_not_printed(served, capfd):
    client, _ = served
    with pytest.raises((ConnectionError, AssertionError)):
        status = client.ask("POST", CALL_PATH, b"[" + b"1," * 25_000_000 + b"1]")[0]
        assert status == 200
    assert client.ask()[0] == 200
    assert capfd.readouterr() == ("", "")


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import conftest
from keras_devae.data import from_arrays
from keras_devae.explorer import explore
images = conftest.np.stack([conftest.painted(50 * a, 100 * b) for a, b in conftest.FACTORS])

def cell():
    explore(conftest.Painter(), from_arrays(images), browser=False)

async def kernel():
    cell()
"""


@pytest.mark.parametrize("call", ["cell()", "import asyncio; asyncio.run(kernel())"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_python_serves_until_it_is_interrupted_and_leaves_nothing(tmp_path, call, number):
    """Also where an event loop is running, as in a notebook."""
    here, temporary = str(Path(__file__).parent), tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + call, here],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    try:
        port = re.search(r":(\d+) until", process.stdout.readline()).group(1)
        assert Client(int(port)).ask()[0] == 200
        (folder,) = temporary.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        process.send_signal(number)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert errors.splitlines()[-1] in (
        "KeyboardInterrupt",
        "keras_devae.process.interruption.Termination",
    )
    assert not list(temporary.iterdir()) and list(tmp_path.iterdir()) == [temporary]
