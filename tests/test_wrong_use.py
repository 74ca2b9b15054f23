"""Whatever is asked wrongly is refused in a sentence: hundreds of random tries."""

import random
from pathlib import Path

import click
import numpy as np
import pytest
from documentation import parsed
from wrong_use import WORDS, said_wrongly

from keras_devae.cli import main

pytestmark = [pytest.mark.thorough, pytest.mark.filterwarnings("ignore")]

STUDY = """
name = "tiny"
[settings]
dataset = "npz:images.npz"
network = "mlp"
steps = 2
evaluation_images = 32
[sweep.product]
seed = [0, 1]
"""
#: Commands that work in the workplace below. What they write goes to names that may be taken.
COMMANDS = [
    "train --dataset npz:images.npz --network mlp --steps 2 --batch-size 8 --evaluation-images 32 "
    "--run again --overwrite",
    "train --resume runs/tiny --steps 2",
    "evaluate runs/tiny --metrics mig --images 32",
    "evaluate --codes codes.npz --metrics mig",
    "plot traversal runs/tiny --out traversal.png",
    "plot kl runs/tiny",
    "report runs/tiny",
    "export runs/tiny encoder",
    "compare runs/tiny runs/other",
    "runs list",
    "doctor runs/tiny",
    "doctor runs/tiny --repair",
    "study run tiny.toml",
    "study status tiny.toml",
    "study table tiny.toml --output table.csv",
    "data list",
    "data info dsprites",
    "data prepare dsprites --from images.npz",
    "data verify dsprites",
    "models devae",
    "metrics",
    "presets --model devae --dataset dsprites",
    "reproduce list",
    "bench --dataset npz:images.npz --network mlp --batch-sizes 8 --seconds 0.1 --rounds 1",
    "annealing-test --dataset npz:images.npz --network mlp --steps 2 --readings 2 --overwrite",
]
#: Large numbers of these are work that the user asked for.
LONG = {"--steps", "--repeats", "--keep", "--workers"}


def spoiled(words, choose):
    """Returns the words of a command, one of them, or the value of one option, made wrong."""
    words, word = list(words), choose.choice(WORDS)
    context = parsed(words)
    options = [
        parameter
        for parameter in context.command.params
        if isinstance(parameter, click.Option) and not parameter.is_flag and parameter.opts[0]
    ]
    kind = choose.choice(("option", "option", "option", "argument", "missing", "unknown"))
    if kind == "option" and options:
        name = choose.choice(options).opts[-1]
        if name in LONG and word.isdigit():
            word = "-1"
        return [*words, name, word]
    if kind == "missing" and len(words) > 1:
        del words[choose.randrange(1, len(words))]
    elif kind == "unknown":
        words.insert(choose.randrange(1, len(words) + 1), "--" + word)
    else:
        words[choose.randrange(1, len(words)) if len(words) > 1 else 0] = word
    return words


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workplace")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KERAS_DEVAE_DATA", str(folder / "data"))
        chosen = np.random.default_rng(0)
        images = chosen.integers(0, 256, (64, 16, 16, 1), np.uint8)
        np.savez("images.npz", images=images, factors=chosen.integers(0, 3, (64, 2)))
        np.savez(
            "codes.npz", codes=chosen.normal(size=(64, 3)), factors=chosen.integers(0, 3, (64, 2))
        )
        Path("tiny.toml").write_text(STUDY, "utf-8")
        for run in ("tiny", "other"):
            with pytest.raises(SystemExit) as ending:
                main([*COMMANDS[0].replace("again", run).split()])
            assert ending.value.code == 0
        yield folder


@pytest.mark.parametrize("seed", range(20))
def test_the_command_line_refuses_in_a_sentence(seed, workplace, capsys):
    choose = random.Random(seed)
    wrong = []
    for _ in range(10):
        words = spoiled(choose.choice(COMMANDS).split(), choose)
        said = said_wrongly(main, words, capsys)
        if said:
            wrong.append(f"{words}: {said}")
    assert not wrong, "\n".join(wrong)
