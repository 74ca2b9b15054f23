"""Pages of the command line, written by the same code of click that prints the help."""

import functools
import html
import re

import click

from keras_devae.cli.main import cli

FOLDER = "commands"
PROGRAM = "keras-devae"


class MarkdownFormatter(click.HelpFormatter):
    """Writes Markdown where click's own formatter writes columns of text."""

    def __init__(self, words):
        # So wide that no sentence is cut short.
        super().__init__(width=10_000)
        self._words = words

    def write_usage(self, prog, args="", prefix=None):
        """Writes how the command is called."""
        self.write(f"```text\n{prog} {args}\n```\n\n")

    def write_heading(self, heading):
        """Writes the title of a section."""
        self.write(f"{'#' * (level(self._words) + 1)} {heading} {{ #{self._anchor(heading)} }}\n\n")

    def write_text(self, text):
        """Writes paragraphs; lines behind a backspace stay as they are."""
        for paragraph in re.split(r"\n\s*\n", text):
            if paragraph.lstrip(" ").startswith("\b"):
                lines = paragraph.replace("\b", "").strip("\n")
                self.write(f"```text\n{lines}\n```\n\n")
            else:
                self.write(f"{escaped(' '.join(paragraph.split()))}\n\n")

    def write_dl(self, rows, col_max=30, col_spacing=2):
        """Writes a table of options or commands."""
        what = "option" if rows[0][0].startswith("-") else "command"
        self.write(f"| {what} | what it does |\n| --- | --- |\n")
        for name, text in rows:
            cell = self._option(name) if what == "option" else self._command(name)
            self.write(f"| {cell} | {escaped(text)} |\n")
        self.write("\n")

    def _option(self, name):
        first = re.search(r"--[\w-]+|-\w", name)[0]
        place = anchor(self._words[1:]) + first
        return f'<a id="{place}"></a><code>{_literal(html.escape(name))}</code>'

    def _command(self, name):
        link = f"{name}.md" if len(self._words) == 1 else f"#{anchor([*self._words, name])}"
        return f"[`{name}`]({link})"

    def _anchor(self, name):
        return anchor([*self._words[1:], name])


def level(words):
    """Returns the level of the title of a command: 1 on the page of its own."""
    return max(1, len(words) - 1)


def anchor(words):
    """Returns the anchor of a command, a section or an option."""
    return re.sub(r"\W+", "-", " ".join(words)).strip("-").lower()


def _literal(text):
    """Returns text without characters that Markdown would read, by their numbers."""
    return re.sub(r"[|*_\[\]<>]", lambda match: f"&#{ord(match[0])};", text)


def escaped(text):
    """Returns a help text as Markdown: options become code, everything else stays as it is."""
    parts = re.split(r"(`[^`]*`|(?<![\w-])--?[a-z][\w-]*)", text)
    code = [f"`{part.strip('`')}`".replace("|", "\\|") for part in parts[1::2]]
    plain = [_literal(part) for part in parts[::2]]
    return "".join(a + b for a, b in zip(plain, [*code, ""], strict=True))


@functools.cache
def _contexts():
    """Returns the context of every command by its words, groups before their commands."""
    found = {}

    def visit(command, words, parent):
        context = click.Context(command, info_name=words[-1], parent=parent)
        found[tuple(words)] = context
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                visit(command.get_command(context, name), [*words, name], context)

    visit(cli, [PROGRAM], None)
    return found


def _section(words, context):
    formatter = MarkdownFormatter(words)
    context.command.format_help(context, formatter)
    title = f"{'#' * level(words)} {' '.join(words)} {{ #{anchor(words)} }}"
    return f"{title}\n\n{formatter.getvalue()}"


def pages():
    """Returns the text of each page by its place in the site: one for each command."""
    texts = {f"{FOLDER}/index.md": _section((PROGRAM,), _contexts()[PROGRAM,])}
    for words, context in _contexts().items():
        if len(words) > 1:
            uri = f"{FOLDER}/{words[1]}.md"
            texts[uri] = texts.get(uri, "") + _section(words, context)
    return texts


def navigation():
    """Returns the pages in the order of the help."""
    return list(pages())


def anchor_of(text):
    """Returns the anchor of the command that a text begins with, if any."""
    words = text.split()
    known = [words[:n] for n in range(len(words), 1, -1) if tuple(words[:n]) in _contexts()]
    return anchor(known[0]) if known else None
