"""How texts are laid out on the terminal: its width, lists, facts, and the pages of help."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

#: A hyphen that ends no line: options and commands stay whole.
_HYPHEN = "\N{NON-BREAKING HYPHEN}"


class WholeWords(click.HelpFormatter):
    """Formats help without a break inside `keras-devae`, or an option."""

    def write(self, string: str) -> None:
        """Writes a text with ordinary hyphens."""
        super().write(string.replace(_HYPHEN, "-"))

    def write_text(self, text: str) -> None:
        """Writes a wrapped text."""
        super().write_text(text.replace("-", _HYPHEN))

    def write_dl(
        self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Writes a list of names and texts."""
        whole = [(name, text.replace("-", _HYPHEN)) for name, text in rows]
        super().write_dl(whole, col_max, col_spacing)


def screen_width() -> int:
    """Returns the columns of the terminal, or `COLUMNS`; 80 where there is neither."""
    return shutil.get_terminal_size((80, 24)).columns


def print_list(rows: Iterable[tuple[str, str]], indent: int = 0, column: int = 30) -> None:
    """Prints names with texts, which are wrapped, in two columns, the first up to `column` wide."""
    formatter = WholeWords(width=screen_width() - 1)
    formatter.current_indent = indent
    if rows := list(rows):
        formatter.write_dl(rows, column)
        click.echo(formatter.getvalue(), nl=False)


def print_text(text: str) -> None:
    """Prints a text wrapped to the width of the terminal, below an empty line."""
    formatter = WholeWords(width=screen_width() - 1)
    formatter.write_text(text)
    click.echo(f"\n{formatter.getvalue()}", nl=False)


def print_fact(name: str, value: Any, indent: int = 9) -> None:
    """Prints a name with what belongs to it, from column `indent` on.

    Where `COLUMNS` or a terminal has a width it is wrapped; elsewhere, and if it is a command, it
    stays a line.
    """
    line = f"{name:<{indent - 1}} {value}"
    if ("COLUMNS" in os.environ or sys.stdout.isatty()) and not str(value).startswith(
        "keras-devae"
    ):
        options = {"break_long_words": False, "break_on_hyphens": False}
        line = textwrap.fill(line, screen_width() - 1, subsequent_indent=" " * indent, **options)
    click.echo(line)
