"""Decides which requests reach the explorer's page.

Every web page that a browser on this machine opens may send requests to loopback addresses, and may
make its own name resolve to these. Starlette's `TrustedHostMiddleware` does not replace this: it
reads no IPv6 address, and ignores repeated `Host` headers, origins and the length of bodies.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from keras_devae.errors import UsageError

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]

#: Most bytes of a request; the page's own requests stay below a thousandth of it.
MOST_BYTES = 1_000_000
#: Path to which the page sends a visitor's actions.
CALL_PATH = "/gradio_api/run/predict"

_FILE = r"[\w.@+~-]+(?:/[\w.@+~-]+)*"
_READ_PATHS = re.compile(
    rf"/|/theme\.css|/favicon\.ico|/(?:assets|static)/{_FILE}|/gradio_api/heartbeat/\w+", re.ASCII
)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,12}")
# Headers of proxies, from which Gradio builds addresses; there is no proxy in front of it.
_PROXY_HEADERS = ("forwarded", "x-forwarded-", "x-direct-url", "x-gradio-server")
_SAFETY_HEADERS = (
    (b"content-security-policy", b"frame-ancestors 'self'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclasses.dataclass(frozen=True)
class _Refusal(Exception):
    status: HTTPStatus
    sentence: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


class RequestGuard:
    """ASGI middleware that passes on only the requests that the explorer's page needs.

    All others are answered here, in one sentence: 403 for a foreign host or origin, 401 without the
    password, 404 for other routes (also for those that take files), 405 for other methods, 413
    for a request that is too long, 415 for a call that is not JSON, and 422 for one that
    `check_call` refuses with a `UsageError`. No other origin may read an answer, and web sockets
    are closed. At a loopback `address`, hosts must be loopback addresses or `localhost`.
    """

    def __init__(
        self,
        application: Callable[..., Any],
        check_call: Callable[[bytes], bytes],
        address: str = "127.0.0.1",
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self.application = application
        self.check_call = check_call
        self.local = is_local(address)
        self.names = {"localhost"}
        if not self.local:
            self.names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self.secret = None if credentials is None else ":".join(credentials).encode()

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Passes a request on, or answers with the reason for refusing it."""
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            try:
                self._check(scope)
                if scope["method"] == "POST":
                    scope, receive = await self._checked_call(scope, receive)
            except _Refusal as refusal:
                await _answer(refusal, scope, send)
                return
            await self.application(_without_proxies(scope), receive, _guarded(send))

    def _check(self, scope):
        host = _only(scope, "host")
        if host is None or not self._is_this_machine(host):
            raise _Refusal(
                HTTPStatus.FORBIDDEN,
                "The explorer answers only under the address that it printed: the request names "
                "another host.",
            )
        origins = _all(scope, "origin")
        if origins and origins != [f"http://{host}"]:
            raise _Refusal(HTTPStatus.FORBIDDEN, "The explorer takes no requests from other pages.")
        # Images and scripts of other pages send no origin, but these headers of the browser.
        site, mode = _all(scope, "sec-fetch-site"), _all(scope, "sec-fetch-mode")
        if not {*site} <= {"same-origin", "none"} and mode != ["navigate"]:
            raise _Refusal(HTTPStatus.FORBIDDEN, "The explorer takes no requests from other pages.")
        self._check_password(scope)
        _check_route(scope)

    def _is_this_machine(self, host):
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found.group(1).strip("[]")
        try:
            # A page at a numeric address came from that address: only names can be redirected.
            return ipaddress.ip_address(name).is_loopback or not self.local
        except ValueError:
            return name in self.names

    def _check_password(self, scope):
        if self.secret is None:
            return
        given = _only(scope, "authorization", lower=False) or ""
        kind, _, encoded = given.partition(" ")
        try:
            received = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            received = b""
        if kind.lower() != "basic" or not secrets.compare_digest(received, self.secret):
            challenge = b'Basic realm="keras-devae explorer", charset="UTF-8"'
            raise _Refusal(
                HTTPStatus.UNAUTHORIZED,
                "The explorer asks for the user and the password that it was started with.",
                ((b"www-authenticate", challenge),),
            )

    async def _checked_call(self, scope, receive):
        if _only(scope, "content-type", "").partition(";")[0].strip() != "application/json":
            raise _Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A call must be JSON.")
        body = await _body(scope, receive)
        try:
            body = self.check_call(body)
        except UsageError as error:
            raise _Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_checked():
            return messages.pop() if messages else await receive()

        headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
        headers.append((b"content-length", str(len(body)).encode()))
        return {**scope, "headers": headers}, receive_checked


def is_local(address: str) -> bool:
    """Returns whether an IP address can be reached only from this machine."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _all(scope, name, lower=True):
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name.encode()]
    return [value.lower() for value in values] if lower else values


def _only(scope, name, default=None, lower=True):
    """Returns the value of a header that is there exactly once, or the default."""
    values = _all(scope, name, lower)
    return values[0] if len(values) == 1 else default


def _check_route(scope):
    path, method = scope["path"], scope["method"]
    if path == CALL_PATH:
        methods = ("POST",)
    elif _READ_PATHS.fullmatch(path) and ".." not in path.split("/"):
        methods = ("GET", "HEAD")
    else:
        raise _Refusal(HTTPStatus.NOT_FOUND, "The explorer has no such page.")
    if method not in methods:
        raise _Refusal(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"The explorer takes only {' and '.join(methods)} here.",
            ((b"allow", ", ".join(methods).encode()),),
        )


async def _body(scope, receive):
    """Reads a request's body, unless it is too long."""
    too_long = _Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A call has at most {MOST_BYTES:,} bytes."
    )
    announced = _only(scope, "content-length", "0")
    if not _COUNT.fullmatch(announced) or int(announced) > MOST_BYTES:
        raise too_long
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BYTES:
            raise too_long
    return body


def _without_proxies(scope):
    headers = [
        pair
        for pair in scope["headers"]
        if not pair[0].decode("latin-1").startswith(_PROXY_HEADERS)
    ]
    return {**scope, "headers": headers}


def _guarded(send):
    """Removes permissions for other origins from an answer, and adds security headers."""

    async def send_guarded(message):
        if message["type"] == "http.response.start":
            kept = [
                pair
                for pair in message.get("headers", [])
                if not pair[0].lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": [*kept, *_SAFETY_HEADERS]}
        await send(message)

    return send_guarded


async def _answer(refusal, scope, send):
    # The page shows the sentence in answer to a call, the browser in answer to other requests.
    is_call = scope["path"] == CALL_PATH
    text = json.dumps({"error": refusal.sentence}) if is_call else f"{refusal.sentence}\n"
    kind = b"application/json" if is_call else b"text/plain; charset=utf-8"
    body = text.encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        *refusal.headers,
        *_SAFETY_HEADERS,
    ]
    await send({"type": "http.response.start", "status": refusal.status.value, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
