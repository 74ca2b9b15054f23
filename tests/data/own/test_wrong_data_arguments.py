"""Wrong arguments of every public function of the data package end in one sentence of its own."""

import inspect

import numpy as np
import pytest
from PIL import Image

from keras_devae import data
from keras_devae.errors import FailureError, UsageError

WRONG = [None, "a", b"a", 5, 0, -1, 2.5, True, float("nan"), {}, {"a": 1}, [], [5], ["a"], object()]
WRONG += [np.zeros(3), 10**30, "\0", ("a", "b"), {5}]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """What takes "a" for a folder makes it here."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    pictures = folder / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 8, 8), dtype=np.uint8)
    for number, image in enumerate(images):
        Image.fromarray(image).save(pictures / f"{number}.png")
    np.savez(folder / "x.npz", images=images)
    np.save(folder / "x.npy", images)
    np.save(folder / "factors.npy", np.arange(6)[:, None])
    return folder


def calls(files):
    """Every public function, with arguments that are right."""
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    factors = np.indices((2, 3)).reshape(2, -1).T
    dataset = data.from_arrays(images, factors, ["shape", "size"])
    variants = data.variants
    factors_file = files / "factors.npy"
    own = {"image_size": 8, "factors_file": factors_file, "bins": {"factor_0": 2}}
    named = {**own, "factors": ["factor_0"], "variants": ["noise"]}
    official = {"name": "cars3d", "data_dir": files / "none"}
    return {
        "from_arrays": (
            data.from_arrays,
            {"images": images, "factors": factors, "factor_names": ["a", "b"], "bins": {"a": 2}},
        ),
        "from_folder": (
            data.from_folder,
            {"path": files / "pictures", **own, "skip_damaged": False, "progress": None},
        ),
        "from_npz": (data.from_npz, {"path": files / "x.npz", **own}),
        "binned": (data.binned, {"values": np.arange(5.0), "count": 3}),
        "from_npy": (data.from_npy, {"path": files / "x.npy", **own}),
        "has_factors": (
            data.has_factors,
            {"name": f"npz:{files / 'x.npz'}", "factors_file": factors_file},
        ),
        "info": (data.info, official),
        "load": (
            data.load,
            {"name": f"npy:{files / 'x.npy'}", "source": "auto", "path": None, **named},
        ),
        "load drawn": (
            data.load,
            {
                "name": "dsprites",
                "source": "rendered",
                "image_size": 32,
                "drop_duplicate_orientation": True,
                "factors": ["shape"],
            },
        ),
        "outline": (data.outline, {"name": f"npy:{files / 'x.npy'}", **named}),
        "prepare": (
            data.prepare,
            {**official, "from_file": files / "x.npz", "image_size": 64, "url": None},
        ),
        "verify": (data.verify, official),
        "remove": (data.remove, official),
        "FactorGrid": (data.FactorGrid, {"names": ("a", "b"), "sizes": (2, 3)}),
        "grid factors": (dataset.grid.factors, {"indices": [0, 1]}),
        "grid indices": (dataset.grid.indices, {"factors": [[0, 1]]}),
        "images": (dataset.images, {"indices": [0]}),
        "factors": (dataset.factors, {"indices": [0]}),
        "batches": (
            dataset.batches,
            {
                "batch_size": 2,
                "steps": 1,
                "seed": 0,
                "start_step": 0,
                "shuffle": True,
                "resident": False,
            },
        ),
        "apply": (variants.apply, {"dataset": dataset, "specifications": ["noise"]}),
        "check": (variants.check, {"specifications": ["noise"]}),
        "canonical": (variants.canonical, {"specifications": ["noise"]}),
        "colour": (variants.colour, {"dataset": dataset, "seed": 0}),
        "noise": (variants.noise, {"dataset": dataset, "seed": 0}),
        "background": (
            variants.background,
            {"dataset": dataset, "folder": files / "pictures", "seed": 0},
        ),
        "subset": (variants.subset, {"dataset": dataset, "count": 3, "seed": 0}),
        "correlated": (
            variants.correlated,
            {"dataset": dataset, "pairs": [("shape", "size", 0.5)], "seed": 0, "length": 4},
        ),
        "held_out": (
            variants.held_out,
            {"dataset": dataset, "combinations": [{"shape": 1}], "complement": False},
        ),
        "hidden": (variants.hidden, {"dataset": dataset, "factors": ["size"]}),
        "select_factors": (variants.select_factors, {"dataset": dataset, "factors": ["size"]}),
    }


NAMES = [
    *("from_arrays", "from_folder", "from_npz", "from_npy", "has_factors", "info", "load"),
    *("load drawn", "outline", "prepare", "verify", "remove", "FactorGrid", "grid factors"),
    *("grid indices", "images", "factors", "batches", "apply", "check", "canonical", "colour"),
    *(
        "binned",
        "noise",
        "background",
        "subset",
        "correlated",
        "held_out",
        "hidden",
        "select_factors",
    ),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_wrong_arguments_end_in_a_sentence(files, name, monkeypatch):
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(files / "none"))
    monkeypatch.setenv("KERAS_DEVAE_CARS3D_URL", "http://127.0.0.1:9/nothing")
    function, right = calls(files)[name]
    foreign = []
    for argument in inspect.signature(function).parameters:
        for wrong in WRONG if argument in right else ():
            try:
                function(**{**right, argument: wrong})
            except (UsageError, FailureError) as error:
                if not str(error).endswith("."):
                    foreign.append(f"{argument}={wrong!r}: no sentence: {error}")
            except Exception as error:
                foreign.append(f"{argument}={wrong!r}: {type(error).__name__}: {error}")
    assert not foreign, "\n".join(foreign)


def test_every_public_function_is_tried(files):
    tried = {function.__name__ for function, _ in calls(files).values()}
    public = {
        name
        for module in (data, data.variants)
        for name in module.__all__
        if inspect.isfunction(getattr(module, name))
    }
    assert public - tried == {"names"} and set(calls(files)) == set(NAMES)


@pytest.mark.parametrize(
    ("argument", "wrong", "words"),
    [
        ("batch_size", 0, "`batch_size` must be a whole number of at least 1. Received: 0"),
        ("batch_size", 8.5, "`batch_size` must be a whole number .* 8.5"),
        ("batch_size", True, "`batch_size` must be a whole number .* True"),
        ("seed", -1, "`seed` must be a whole number of at least 0. Received: -1"),
        ("steps", "3", "`steps` must be a whole number of at least 1. Received: 3"),
        ("shuffle", "no", "`shuffle` must be true or false. Received: 'no'"),
        ("workers", -2, "`workers` must be a whole number of at least 0"),
        ("unknown", 1, "Unknown option of batches 'unknown'"),
    ],
)
def test_batches_name_what_is_wrong(argument, wrong, words):
    dataset = data.load("dsprites", source="rendered", image_size=32)
    with pytest.raises(UsageError, match=words):
        dataset.batches(**{argument: wrong})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"factor_names": 5}, "`factor_names` must be a list of texts. Received: 5"),
        ({"factor_names": "ab"}, "`factor_names` must be a list of texts. Received: 'ab'"),
        ({"factors": {"a": 1}}, "Factors must"),
        ({"images": None}, "Images must be an array"),
        ({"images": "x.npz"}, "Images must be an array"),
        ({"images": {"image": 1}}, r"Images must be an array.*dictionary.*\['image'\]"),
    ],
)
def test_arrays_name_what_is_wrong(arguments, words):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    right = {"images": images, "factors": np.arange(12).reshape(6, 2)}
    with pytest.raises(UsageError, match=words):
        data.from_arrays(**{**right, **arguments})
