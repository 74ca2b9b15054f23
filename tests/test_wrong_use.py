"""Whatever is asked wrongly is refused in a sentence: hundreds of random tries."""

import inspect
import random
from pathlib import Path

import click
import numpy as np
import pytest
from documentation import parsed
from PIL import Image
from wrong_use import WORDS, complaint, said_wrongly, wrong_values

import keras_devae as kd
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


#: Functions of these modules are called, with values for what they require by its name.
MODULES = (
    "callbacks",
    "data",
    "data.variants",
    "evaluation",
    "figures",
    "figures.of_models",
    "metrics",
)
#: What is called by others of the package only, or writes and removes data sets.
NOT_CALLED = {"Dataset", "Metric", "RenderedDataset", "Sampler", "prepare", "remove", "verify"}
NOT_CALLED |= {
    "FewSamplesWarning",
    "MetricWarning",
    "traversed",
    "varying_factors",
    "SelectedDataset",
    "TransformedDataset",
    "resolved_names",
}
SPECIAL = {
    "FactorGrid": {"names": ("a", "b"), "sizes": (2, 3)},
    "apply": {"specifications": ["subset:5"]},
    "background": {"folder": "."},
    "box_plots": {"values": {"title": {"group": [1.0, 2.0]}}},
    "check_names": {"names": ["mig"]},
    "colour": {},
    "contact_sheet": {"columns": 3},
    "correlated": {"pairs": [("factor_0", "factor_1", 0.2)]},
    "from_folder": {"path": "pictures"},
    "from_npy": {"path": "images.npy"},
    "from_npz": {"path": "images.npz"},
    "hidden": {"factors": ["factor_0"]},
    "information_curves": {"shares": {"a": [np.ones((2, 2))]}},
    "information_diffusion": {"information": np.ones((2, 3, 2))},
    "information_over_layers": {"information": np.ones((2, 3, 2))},
    "kl_per_latent": {"kl": np.ones((2, 3))},
    "mutual_information_matrix": {"codes": np.ones((9, 2), int), "factors": np.ones((9, 2), int)},
    "save_animation": {"path": "animation.gif"},
    "traversal": {"images": np.ones((3, 5, 16, 16, 1))},
    "udr": {"codes": [np.ones((9, 2))] * 2, "kl": [np.ones(2)] * 2},
}


@pytest.fixture(scope="module")
def right_values(workplace):
    """What the arguments of the package's functions are, by their names."""
    chosen = np.random.default_rng(0)
    images = np.load("images.npz")["images"]
    factors = chosen.integers(0, 3, (64, 2))
    np.save("images.npy", images)
    Path("pictures").mkdir()
    for number, image in enumerate(images[:3]):
        Image.fromarray(image[..., 0]).save(f"pictures/{number}.png")
    data = kd.data.from_arrays(images, factors)
    model = kd.DeVAE.for_images((16, 16, 1), latent_dim=3, network="mlp")
    codes = chosen.normal(size=(64, 3))
    return {
        "betas": [1.0, 2.0],
        "bins": 5,
        "codes": codes,
        "columns": 3,
        "combinations": [{"factor_0": 0}],
        "count": 5,
        "data": data,
        "dataset": data,
        "encode": model.encode,
        "entropies": np.ones(2),
        "factor_names": ["p", "q"],
        "factors": factors,
        "figure": kd.figures.kl_bars(np.ones(3)),
        "frames": np.zeros((3, 16, 16, 3), np.uint8),
        "groups": ["a", "b"],
        "has_factors": True,
        "history": {"step": [1, 2], "loss": [1.0, 2.0]},
        "image": images[0],
        "image_size": 32,
        "images": images / 255,
        "information": np.ones((3, 2)),
        "kl": np.ones(3),
        "latent_names": ["a", "b", "c"],
        "matrix": np.ones((3, 2)),
        "model": model,
        "name": "dsprites",
        "originals": images[:4],
        "path": "figure.png",
        "points": [1.0, None],
        "reconstructions": images / 255,
        "reconstructions_by_layer": images[None, :4],
        "sampler": codes,
        "settings": "fast",
        "shares": np.ones((2, 2)),
        "specifications": [],
        "steps": [1, 2],
        "text": "a note",
        "titles": ["layer 0"],
        "total_steps": 3,
        "values": np.arange(5),
        "x": [1.0, 2.0],
        "x_name": "x",
        "y": [1.0, 2.0],
        "y_name": "y",
        "z_log_var": np.zeros((64, 3)),
        "z_mean": codes,
    }


def public_functions():
    """Yields the name and the function for everything that these modules offer."""
    for module in MODULES:
        place = kd
        for part in module.split("."):
            place = getattr(place, part)
        for name in dir(place):
            function = getattr(place, name)
            own = getattr(function, "__module__", "").startswith(f"keras_devae.{module}")
            if callable(function) and own and name[0] != "_" and name not in NOT_CALLED:
                yield f"{module}.{name}", function


FUNCTIONS = dict(public_functions())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_python_refuses_in_a_sentence(name, right_values, monkeypatch):
    function, special = FUNCTIONS[name], SPECIAL.get(name.rpartition(".")[2], {})
    signature = inspect.signature(function)
    usual = {
        parameter.name: special.get(parameter.name, right_values.get(parameter.name))
        for parameter in signature.parameters.values()
        if parameter.default is parameter.empty and parameter.kind != parameter.VAR_KEYWORD
    }
    usual.pop("args", None)
    wrong = []
    for spoiled_one in signature.parameters:
        if spoiled_one in ("args", "kwargs", "model"):
            continue
        for value in random.Random(name + spoiled_one).sample(wrong_values(), 12):
            said = complaint(function, usual | {spoiled_one: value})
            if said:
                wrong.append(f"{spoiled_one}={value!r:.60}: {said}")
    assert not wrong, "\n".join(wrong)


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
