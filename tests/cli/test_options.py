"""What the commands share: texts of users are printed as they are."""

import pytest

from keras_devae.cli.options import print_table, progress_bars, status_line

#: What Rich takes for a style that ends, a style, and a picture.
TEXT = "[/a] [batch, 64] :cat:"


def test_a_factor_may_have_any_name(capsys):
    details = [{"mig": {"per_factor": {TEXT: 0.5}}}]
    print_table([TEXT], [{"layer": 0, "mig.score": 0.25}], details)
    printed = capsys.readouterr().out
    assert printed.count(TEXT) == 2 and "0.500" in printed


@pytest.mark.parametrize("in_terminal", [False, True])
def test_what_is_being_done_may_have_any_name(capsys, monkeypatch, in_terminal):
    monkeypatch.setenv("FORCE_COLOR" if in_terminal else "NO_COLOR", "1")
    with status_line() as status:
        status(TEXT)
    with progress_bars() as update:
        update(1, 2, TEXT)
    printed = capsys.readouterr().err
    assert "[/a]" in printed if in_terminal else printed.count(TEXT) == 2
