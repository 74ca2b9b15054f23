"""What the commands share: texts of users are printed as they are."""

import pytest

from keras_devae.cli.options import progress_bars, status_line

#: What Rich takes for a style that ends, a style, and a picture.
TEXT = "[/a] [batch, 64] :cat:"


@pytest.mark.parametrize("in_terminal", [False, True])
def test_what_is_being_done_may_have_any_name(capsys, monkeypatch, in_terminal):
    monkeypatch.setenv("FORCE_COLOR" if in_terminal else "NO_COLOR", "1")
    with status_line() as status:
        status(TEXT)
    with progress_bars() as update:
        update(1, 2, TEXT)
    printed = capsys.readouterr().err
    assert "[/a]" in printed if in_terminal else printed.count(TEXT) == 2
