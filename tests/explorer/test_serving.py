import contextlib
import socket

import pytest

from keras_devae.errors import UsageError
from keras_devae.explorer.serving import PORTS, address_of, listen


def test_only_this_machine_is_listened_to_by_default():
    with listen() as listener:
        host, port = listener.getsockname()
        assert host == "127.0.0.1" and port in PORTS
        assert address_of(listener) == f"http://127.0.0.1:{port}"
        # The next one takes the next port.
        with listen() as another:
            assert another.getsockname()[1] > port


def test_a_chosen_port_is_the_one_or_an_error():
    with listen(port=0) as listener:
        port = listener.getsockname()[1]
        assert port not in PORTS
        with pytest.raises(UsageError, match=f"127.0.0.1, port {port}: Address already in use"):
            listen(port=port)


def test_every_address_is_listened_to_when_asked_for():
    with listen("0.0.0.0", 0) as listener:
        address = address_of(listener)
        assert address == f"http://127.0.0.1:{listener.getsockname()[1]}"
        socket.create_connection(("127.0.0.1", listener.getsockname()[1])).close()


def test_an_address_of_another_machine_is_refused():
    # Of the block that documents use; no machine has it.
    with pytest.raises(UsageError, match=r"Cannot listen on 192\.0\.2\.1"):
        listen("192.0.2.1")


def test_taken_ports_are_said(monkeypatch):
    with contextlib.ExitStack() as taken:
        listener = taken.enter_context(listen(port=0))
        monkeypatch.setattr("keras_devae.explorer.serving.PORTS", [listener.getsockname()[1]])
        with pytest.raises(UsageError, match="all taken"):
            listen()
