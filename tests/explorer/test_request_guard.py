"""Who may ask the explorer's server for what, without Gradio behind the guard."""

import base64
import contextlib
import json
import types

import pytest

from keras_devae.errors import UsageError
from keras_devae.explorer import request_guard
from keras_devae.explorer.request_guard import CALL_PATH, MOST_BYTES, RequestGuard

HOST = "127.0.0.1:7860"
JSON = {"content-type": "application/json"}


def application_seeing(seen):
    """An application that answers with permissions for every origin, as Gradio does."""

    async def application(scope, receive, send):
        seen.scopes.append(scope)
        if scope["method"] == "POST":
            seen.bodies.append((await receive())["body"])
        permissions = [
            (b"Access-Control-Allow-Origin", b"http://evil.example"),
            (b"access-control-allow-credentials", b"true"),
        ]
        headers = [(b"content-type", b"text/html"), *permissions]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"the page"})

    return application


def refuse_wrong(body):
    if body == b"wrong":
        raise UsageError("This is wrong.")
    return body


@pytest.fixture
def seen():
    return types.SimpleNamespace(scopes=[], bodies=[])


@pytest.fixture
def ask(seen):
    """Sends a request through a guard; returns status, headers and body."""

    def send_one(method="GET", path="/", chunks=(), headers=(), kind="http", **options):
        guard = RequestGuard(application_seeing(seen), refuse_wrong, **options)
        given = {"host": HOST} | dict(headers)
        pairs = [
            (name.encode(), value.encode("latin-1"))
            for name, values in given.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        scope = {"type": kind, "method": method, "path": path, "headers": pairs}
        waiting = [
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
            for number, chunk in enumerate(chunks, 1)
        ] or [{"type": "http.request", "body": b"", "more_body": False}]
        sent = []

        async def receive():
            return waiting.pop(0)

        async def send(message):
            sent.append(message)

        # Nothing here waits: no event loop is needed, which a browser's tests would disturb.
        with contextlib.suppress(StopIteration):
            guard(scope, receive, send).send(None)
        if kind != "http":
            return sent
        found = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        return sent[0]["status"], found, b"".join(m.get("body", b"") for m in sent).decode()

    return send_one


def is_one_sentence(text):
    return text.strip().count("\n") == 0 and text.strip().endswith(".")


@pytest.mark.parametrize(
    "host",
    [HOST, "127.0.0.1", "localhost:7860", "LocalHost:7860", "[::1]:7860", "127.0.0.2:1", "[::1]"],
)
def test_names_of_this_machine_are_answered(ask, host):
    status, headers, body = ask(headers={"host": host})
    assert (status, body) == (200, "the page")
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert headers["content-security-policy"] == "frame-ancestors 'self'"


FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:7860",
    "127.0.0.1.evil.example:7860",
    "localhost.evil.example",
    "evil.localhost",
    "0.0.0.0:7860",
    "192.168.0.7:7860",
    "[2001:db8::1]:7860",
    "127.0.0.1:7860@evil.example",
    "127.0.0.1:7860, evil.example",
    "127.0.0.1:abc",
    "127.1",
    "[::1",
    "",
    " ",
    "\x00",
    "é",
    [],
    [HOST, "evil.example"],
    [HOST, HOST],
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS, ids=repr)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/config"), ("POST", CALL_PATH)]
)
def test_a_foreign_host_is_refused_on_every_route(ask, seen, host, method, path):
    """A name of a stranger's can be made to lead here."""
    status, _, body = ask(method, path, headers={"host": host, **JSON})
    assert status == 403 and "another host" in body and not seen.scopes


ORIGINS = [
    "null",
    "http://evil.example",
    "http://127.0.0.1",
    "http://127.0.0.1:7861",
    "http://localhost:7860",
    "https://127.0.0.1:7860",
    "http://127.0.0.1:7860.evil.example",
    "http://evil.example#http://127.0.0.1:7860",
    "127.0.0.1:7860",
    "file://",
    "chrome-extension://abc",
    "",
    ["http://127.0.0.1:7860", "http://evil.example"],
]


@pytest.mark.parametrize("origin", ORIGINS, ids=repr)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", CALL_PATH), ("OPTIONS", CALL_PATH)]
)
def test_another_origin_is_refused_and_may_read_nothing(ask, seen, origin, method, path):
    status, headers, body = ask(method, path, headers={"origin": origin, **JSON})
    assert status == 403 and "other pages" in body and not seen.scopes
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", [HOST, "localhost:9000", "[::1]:7860"])
def test_the_page_itself_is_answered(ask, seen, host):
    """The port may be another one here: e.g. of a tunnel to a machine without a screen."""
    origin = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    status, headers, _ = ask("POST", CALL_PATH, [b"a ca", b"ll"], {**origin, **JSON})
    assert status == 200 and seen.bodies == [b"a call"]
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_parts_of_other_pages_are_refused_and_links_are_not(ask, site):
    where = {"sec-fetch-site": site}
    assert ask(headers={**where, "sec-fetch-mode": "no-cors"})[0] == 403
    assert ask(headers=where)[0] == 403
    assert ask(headers={**where, "sec-fetch-mode": "navigate"})[0] == 200


NEEDED = ["/", "/theme.css", "/favicon.ico", "/assets/index-a_B.js", "/static/js/a.min.js"]


@pytest.mark.parametrize("path", [*NEEDED, "/gradio_api/heartbeat/abc123"])
def test_what_the_page_needs_is_read(ask, path):
    assert ask(path=path)[0] == ask("HEAD", path)[0] == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        assert ask(method, path, headers=JSON)[0] == 405


CLOSED = [
    "/gradio_api/upload",
    "/gradio_api/upload/",
    "/upload",
    "/gradio_api/component_server",
    "/gradio_api/queue/join",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/run/predict/",
    "/gradio_api/api/predict",
    "/gradio_api/call/x",
    "//gradio_api/upload",
    "/assets/../gradio_api/upload",
    "/assets/..",
    "/assets//etc/passwd",
    "/assets/a\n",
    "/static/\\..\\x",
    "/config",
    "/gradio_api/info",
    "/openapi.json",
    "/monitoring",
    "/login",
    "/svelte/x",
    "/gradio_api/heartbeat/a/b",
    "",
]


@pytest.mark.parametrize("path", CLOSED)
def test_all_other_routes_are_closed(ask, seen, path):
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        status, _, body = ask(method, path, [b"x"], JSON)
        assert status == 404 and is_one_sentence(body) and not seen.scopes


def test_web_sockets_are_closed(ask, seen):
    assert ask(kind="websocket") == [{"type": "websocket.close", "code": 1008}]
    assert not seen.scopes


@pytest.mark.parametrize(
    ("announced", "chunks"),
    [
        (str(MOST_BYTES + 1), [b""]),
        ("9" * 5000, [b""]),
        ("-1", [b""]),
        ("1", [b"x" * MOST_BYTES, b"y"]),
        (None, [b"x" * 600_000] * 90),
    ],
)
def test_a_long_request_is_refused(ask, seen, announced, chunks):
    headers = {**JSON} if announced is None else {**JSON, "content-length": announced}
    status, _, body = ask("POST", CALL_PATH, chunks, headers)
    assert status == 413 and json.loads(body) == {"error": "A call has at most 1,000,000 bytes."}
    assert not seen.scopes


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "", []])
def test_only_json_is_taken(ask, seen, kind):
    assert ask("POST", CALL_PATH, [b"{}"], {"content-type": kind})[0] == 415
    assert not seen.scopes


def test_a_wrong_call_is_answered_as_the_page_understands(ask, seen):
    status, headers, body = ask("POST", CALL_PATH, [b"wrong"], JSON)
    assert (status, headers["content-type"]) == (422, "application/json")
    assert json.loads(body) == {"error": "This is wrong."} and not seen.scopes


def basic(text):
    return {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


WRONG_PASSWORDS = [
    {},
    basic("ann:wrong"),
    basic("ann:"),
    basic("ann"),
    basic("bob:päss:word"),
    basic("ann:päss:word "),
    {"authorization": "Basic %%%"},
    {"authorization": "Basic ü"},
    {"authorization": "Bearer " + base64.b64encode("ann:päss:word".encode()).decode()},
    {"authorization": ""},
]


@pytest.mark.parametrize("given", WRONG_PASSWORDS, ids=repr)
def test_a_password_is_asked_for_on_every_route(ask, seen, given):
    options = {"credentials": ("ann", "päss:word"), "headers": {**given, **JSON}}
    for method, path in [("GET", "/"), ("GET", "/config"), ("POST", CALL_PATH)]:
        status, headers, body = ask(method, path, **options)
        assert status == 401 and headers["www-authenticate"].startswith("Basic ")
        assert "password" in body and not seen.scopes


def test_the_password_opens(ask):
    assert ask(credentials=("ann", "päss:word"), headers=basic("ann:päss:word"))[0] == 200


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.0.7", "::", "fe80::1%eth0"])
def test_others_name_this_machine_by_address_or_name(ask, monkeypatch, address):
    monkeypatch.setattr(request_guard.socket, "gethostname", lambda: "Lab7")
    monkeypatch.setattr(request_guard.socket, "getfqdn", lambda: "lab7.example.org")
    for host in (HOST, "192.168.0.7:7860", "[2001:db8::1]", "lab7:7860", "LAB7.example.org"):
        assert ask(address=address, headers={"host": host})[0] == 200
    for host in ("evil.example", "lab7.evil.example", "127.0.0.1.evil.example"):
        assert ask(address=address, headers={"host": host})[0] == 403
    where = {"host": "lab7:7860", "origin": "http://192.168.0.7:7860"}
    assert ask(address=address, headers=where)[0] == 403


def test_what_proxies_add_is_left_out(ask, seen):
    added = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example", "accept": "*/*"}
    assert ask(headers={**added, "x-gradio-server": "http://evil.example"})[0] == 200
    assert [name for name, _ in seen.scopes[0]["headers"]] == [b"host", b"accept"]
