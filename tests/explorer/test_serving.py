import contextlib
import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from keras_devae.errors import UsageError
from keras_devae.explorer.serving import (
    PORTS,
    address_of,
    announcement,
    choose_credentials,
    listen,
    private_folder,
)


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


@pytest.mark.parametrize("host", ["", "  ", None, 7, "a\x00b", "a" * 300, "no such host"])
def test_what_is_no_address_is_refused(host):
    """Nothing at all would be every address of this machine."""
    with pytest.raises(UsageError) as refused:
        listen(host, 0)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 250


@pytest.mark.parametrize("port", [-1, 65536, "7860", 1.5, 10**30])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(UsageError, match="whole number from 0 to 65535"):
        listen(port=port)


def test_a_password_is_made_where_others_reach_the_page():
    with listen("0.0.0.0", 0) as listener:
        passwords = {choose_credentials(listener) for _ in range(3)}
        assert len(passwords) == 3
        for credentials in passwords:
            assert credentials[0] == "explore" and len(credentials[1]) >= 16
            assert credentials[1] in "".join(announcement(listener, credentials, chosen=False))
        assert choose_credentials(listener, ("ann", "secret")) == ("ann", "secret")
        assert "secret" not in "".join(announcement(listener, ("ann", "secret"), chosen=True))
        assert choose_credentials(listener, False) is None
        said = "\n".join(announcement(listener, None, chosen=True))
        assert "WARNING: no password." in said and "not encrypted" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "::1"])
def test_no_password_is_asked_for_where_only_this_machine_reaches_the_page(host):
    try:
        listener = listen(host, 0)
    except UsageError:
        pytest.skip(f"There is no {host} here.")
    with listener:
        assert choose_credentials(listener) is None
        assert len(announcement(listener, None, chosen=False)) == 1
        assert choose_credentials(listener, ["ann", "secret"]) == ("ann", "secret")


@pytest.mark.parametrize(
    "auth", ["ann:secret", ("ann", ""), ("", "secret"), ("a:b", "secret"), ("ann",), True, 5, ()]
)
def test_wrong_credentials_are_refused_and_not_repeated(auth):
    with listen(port=0) as listener, pytest.raises(UsageError, match="`auth` must be") as refused:
        choose_credentials(listener, auth)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("before", [None, "/somewhere/else"])
def test_the_private_folder_is_for_its_owner_and_goes_away(monkeypatch, tmp_path, before):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    if before is not None:
        monkeypatch.setenv("GRADIO_TEMP_DIR", before)
    with pytest.raises(KeyboardInterrupt), private_folder() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == folder
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        Path(folder, "left").touch()
        raise KeyboardInterrupt
    assert os.environ.get("GRADIO_TEMP_DIR") == before and not list(tmp_path.iterdir())
