"""Every page of help: it fits a terminal, says what each option is, and reads as English."""

import re

import click
import pytest
from running import one_line, run

from keras_devae.cli.main import COMMANDS, cli

#: Turns of phrase that stood here, and do not belong in a text for users.
FOREIGN = (
    *(
        "mend",
        "tells of",
        "goes on",
        "one's own",
        "could not be had",
        "with commas",
        "whole folder",
    ),
    *("in place of", "such as do", "Pull of", "kin", "anew"),
)


def commands():
    """The words of every command, and the command."""
    root = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(root, name)
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, part), each) for part, each in command.commands.items())
    yield ("presets", "create"), __import__("keras_devae.cli.presets").cli.presets.create


ALL = dict(commands())


@pytest.mark.parametrize("words", [(), *ALL], ids=" ".join)
def test_help_fits_a_terminal_and_reads_as_english(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(*words, "--help") == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    # No line ends within the name of the command, or within an option.
    assert "keras-\n" not in text and not re.search(r"--[a-z]+-\n", text)
    for phrase in FOREIGN:
        assert not re.search(rf"\b{phrase}\b", one_line(text)), phrase


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_says_what_it_is(words):
    for parameter in ALL[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help and parameter.help[0].isalnum(), parameter.name
            sentence = parameter.help.partition("  [")[0]
            assert len(sentence.split()) > 1 and sentence[-1] in ".]", parameter.name


def test_options_of_models_have_their_defaults(capsys):
    assert run("train", "--help") == 0
    text = one_line(capsys.readouterr().out)
    assert "factor_vae: Widths of the hidden layers of the discriminator. [default: 1000," in text
    assert "ada_gvae: Weight of the KL divergence [1]; beta_tc_vae: Weight of the total" in text
