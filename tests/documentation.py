"""What the pages and docstrings of this project show, taken out of them word for word."""

import re
import shlex
from pathlib import Path

import click

from keras_devae.cli.main import cli

ROOT = Path(__file__).parents[1]
#: The pages that a user reads, but for the changelog, whose commands are of their day.
PAGES = [
    page.relative_to(ROOT).as_posix()
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "examples").rglob("*.md")),
    ]
]
#: Words that stand for what the user fills in.
BLANKS = {"...", "$model", "COMMAND"}


def fenced(page):
    """Returns the code blocks of a page: triples of a language, a title or `None`, and the code.

    A block with a title is a file, as in ```python title="my_networks.py".
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    pattern = r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```'
    return [(match[1], match[2], match[3]) for match in re.finditer(pattern, text, re.M | re.S)]


def blocks(page, language):
    """Returns the code blocks of a page in one language, in order, except for files."""
    return [code for kind, title, code in fenced(page) if kind == language and title is None]


def links(page):
    """Returns the targets of a page's links and pictures that lie in this project."""
    text = _prose(page)
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def headings(file):
    """Returns the anchors of a page's headings, as GitHub makes them."""
    lines = re.findall(r"^#+ (.*)$", _prose(file), re.M)
    return [re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines]


def _prose(page):
    """Returns the text of a page without its code blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def typed_commands(page):
    """Returns the `keras-devae` commands in the shell blocks of a page, as lists of words."""
    code = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    return _commands_in(code.split("\n"))


def quoted_commands(page):
    """Returns the `keras-devae` commands that stand between backquotes in the text of a page."""
    quoted = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _prose(page))]
    # `keras-devae study run | status` lists subcommands.
    return _commands_in(code for code in quoted if " | " not in code)


def _commands_in(lines):
    found = [
        shlex.split(part, comments=True)
        for line in lines
        for part in re.findall(r"(?:^|[ /])keras-devae( [^&;]*)", line)
    ]
    return [words for words in found if words and not BLANKS & set(words)]


def parsed(words):
    """Reads words as the command line does, without running what they ask for."""
    command, context = cli, None
    name = "keras-devae"
    while True:
        context = command.make_context(name, list(words), parent=context)
        if not isinstance(command, click.Group):
            return context
        words = [*context._protected_args, *context.args]
        name, command, words = command.resolve_command(context, words)
