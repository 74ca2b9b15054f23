"""Tables on the terminal: texts of users are printed as they are, and whole."""

import pytest

from keras_devae.cli.tables import print_score_columns, print_table

#: What Rich takes for a style that ends, a style, and a picture.
TEXT = "[/a] [batch, 64] :cat:"


def test_a_factor_may_have_any_name(capsys):
    details = [{"mig": {"per_factor": {TEXT: 0.5}}}]
    print_score_columns([TEXT], [{"layer": 0, "mig.score": 0.25}], details)
    printed = capsys.readouterr().out
    assert printed.count(TEXT) == 2 and "0.500" in printed


@pytest.mark.parametrize(("right", "offset"), [((), 0), (["number"], len("number") - 1)])
def test_columns_stand_where_they_should(capsys, right, offset):
    print_table(["what", "number"], [["seven", "7"]], right=right)
    _, heading, _, row, *_ = capsys.readouterr().out.splitlines()
    assert row.index("7") == heading.index("number") + offset
    assert row.index("seven") == heading.index("what")


def test_numbers_that_do_not_fit_are_listed_row_by_row(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "45")
    titles, row = ["group", "mig", "kl\n(nats)"], ["beta_vae beta=4", "0.123 ± 0.456", "12.3"]
    print_table(titles, [row], right=titles[1:])
    assert "0.123 ± 0.456" in capsys.readouterr().out.splitlines()[4]
    monkeypatch.setenv("COLUMNS", "30")
    print_table(titles, [row], right=titles[1:])
    assert capsys.readouterr().out.splitlines() == [
        *("", "group: beta_vae beta=4", "  mig        0.123 ± 0.456", "  kl (nats)  12.3"),
    ]


def test_nothing_is_cut_off(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    print_table(["name", "what"], [["x" * 50, "word " * 20]])
    printed = capsys.readouterr().out
    assert printed.count("x") == 50 and printed.count("word") == 20
    assert max(map(len, printed.splitlines())) <= 40
