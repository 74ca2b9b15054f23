"""Ways to damage the folder of a run: pairs of a name and a function of the folder's path.

They are made from kinds: what may stand in a file's place, what a JSON file may hold, what one of
its values may be, what a table, an archive and a name may look like.
"""

import json
import os
import shutil
import zipfile

import numpy as np

#: Contents of a JSON file.
TEXTS = {
    "empty": b"",
    "zeros": bytes(200),
    "not UTF-8": b'{"settings": "\xff"}',
    "null": b"null",
    "a list": b"[]",
    "a number": b"5",
    "NaN": b"NaN",
    "an empty table": b"{}",
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "300 levels": b'{"a":' * 300 + b"1" + b"}" * 300,
    "a number of 5,000 digits": b"9" * 5000,
}
#: What may stand in the place of a value.
VALUES = {
    "null": None,
    "a text": "x",
    "a number": -1,
    "a list": [1],
    "a table": {"x": 1},
    "true": True,
    "nan": float("nan"),
    "huge": 10**400,
    "a long text": "x" * 100_000,
}
#: What a table may hold.
TABLES = {
    "empty": "",
    "without steps": "a,b\n1,2\n",
    "with words": "step,loss\n3,abc\n",
    "cut": "step,loss\n3,",
    "with a long row": "step,loss\n3,1,2,3\n",
    "with the step nan": "step,loss\nnan,1\n",
    "with the step inf": "step,loss\ninf,1\n",
    "with half a step": "step,loss\n3.5,1\n",
    "backwards": "step,loss\n6,1\n3,1\n",
    "with a column twice": "step,step\n3,6\n",
    "of zeros": "\0" * 100,
}
FILES = ("config.json", "history.csv", "metrics.json", "model.keras", "report.html")
FOLDERS = ("checkpoints", "figures", "codes", "tracking")
CHECKPOINT = "checkpoints/step-00000009.keras"
NAMES = (
    "step-00000009 (1).keras",
    "step-.keras",
    "step-abc.keras",
    "step--0000009.keras",
    "step-9.keras",
    "step-9999999999999999999999.keras",
    "step-00000009.sync-conflict.keras",
)


def _clear(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _fill(path):
    path.mkdir()
    (path / "mine.txt").write_text("mine")


#: What may stand in the place of a file or a folder.
_OTHERS = {
    "a folder": _fill,
    "a pipe": os.mkfifo,
    "a loop": lambda path: path.symlink_to(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nowhere": lambda path: path.symlink_to("/nowhere/at/all"),
    "nothing": lambda path: None,
    "a few bytes": lambda path: path.write_bytes(b"x"),
}


def _places():
    for name in (*FILES, *FOLDERS, CHECKPOINT, "tracking/kl.csv", "tracking/information.npz"):
        for what, put in _OTHERS.items():

            def damage(run, name=name, put=put):
                _clear(run / name)
                put(run / name)

            yield f"{what} in the place of {name}", damage


def _texts():
    for name in ("config.json", "metrics.json"):
        for what, content in TEXTS.items():
            yield f"{name} holds {what}", _writing(name, content)
    for name in ("history.csv", "tracking/kl.csv"):
        for what, text in TABLES.items():
            yield f"{name} is {what}", _writing(name, text.encode())


def _writing(name, content):
    return lambda run: (run / name).write_bytes(content)


def _paths_of(value, at=()):
    """Yields the ways to all values in a JSON file, of a list to its first alone."""
    if at:
        yield at
    inner = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        inner = dict(enumerate(value[:1]))
    for name, part in inner.items():
        yield from _paths_of(part, (*at, name))


def _values(whole):
    for name in ("config.json", "metrics.json"):
        content = json.loads((whole / name).read_text())
        content.pop("details", None)
        for at in _paths_of(content):
            for what, value in VALUES.items():
                yield f"{'.'.join(map(str, at))} of {name} is {what}", _changing(name, at, value)


def _changing(name, at, value):
    def damage(run):
        content = json.loads((run / name).read_text())
        inner = content
        for step in at[:-1]:
            inner = inner[step]
        inner[at[-1]] = value
        (run / name).write_text(json.dumps(content))

    return damage


def _unfinish(run):
    for name in ("model.keras", "metrics.json", "checkpoints/step-00000012.keras"):
        (run / name).unlink()


def _names():
    for name in NAMES:
        yield (
            f"a copy called {name}",
            lambda run, name=name: shutil.copy(run / CHECKPOINT, run / "checkpoints" / name),
        )

        def rename(run, name=name):
            _unfinish(run)
            (run / CHECKPOINT).rename(run / "checkpoints" / name)

        yield f"only a checkpoint called {name}", rename
    yield (
        "a step after the last",
        lambda run: shutil.copy(run / CHECKPOINT, run / "checkpoints" / "step-99999999.keras"),
    )


def _parts(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _with_parts(change):
    def damage(file):
        parts = _parts(file)
        change(parts)
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)

    return damage


def _describing(**changes):
    def change(parts):
        described = {**json.loads(parts["config.json"]), **changes}
        parts["config.json"] = json.dumps(described).encode()

    return _with_parts(change)


def _configured(**changes):
    def change(parts):
        described = json.loads(parts["config.json"])
        described["config"].update(changes)
        parts["config.json"] = json.dumps(described).encode()

    return _with_parts(change)


def _flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


#: Ways to damage the archive of a model.
_MODELS = {
    "flipped": _flip,
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-1000]),
    "empty": _with_parts(dict.clear),
    "without weights": _with_parts(lambda parts: parts.pop("model.weights.h5")),
    "with weights of noise": _with_parts(
        lambda parts: parts.update({"model.weights.h5": b"x" * 999})
    ),
    "with a list": _with_parts(lambda parts: parts.update({"config.json": b"[]"})),
    "300 levels deep": _with_parts(
        lambda parts: parts.update({"config.json": TEXTS["300 levels"]})
    ),
    "of an unknown class": _describing(class_name="Nothing", registered_name=None),
    "of another class": _describing(
        module="keras", class_name="Sequential", config={"layers": []}, registered_name=None
    ),
    "of a number": _describing(config=5),
    "compiled with a number": _describing(compile_config=5),
    "not compiled": _describing(compile_config=None),
    "without an encoder": _configured(encoder=None),
    "with a list for a decoder": _configured(decoder=[]),
}


def _models():
    for what, change in _MODELS.items():
        yield f"a model {what}", lambda run, change=change: change(run / "model.keras")

        def damage(run, change=change):
            _unfinish(run)
            change(run / CHECKPOINT)

        yield f"a checkpoint {what}", damage


def _arrays():
    name = "tracking/information.npz"
    for array in ("steps", "information", "entropies", "factor_names"):
        for what, value in {
            "a number": np.array(3.0),
            "Python objects": np.array([None, {}], object),
            "words": np.array(["x", "y"]),
            "empty": np.zeros(0),
        }.items():

            def damage(run, array=array, value=value):
                with np.load(run / name) as stored:
                    arrays = dict(stored)
                np.savez(run / name, **{**arrays, array: value})

            yield f"{array} of {name} is {what}", damage


def all_damages(whole):
    """Returns all damages by name.

    Args:
        whole: The path of an undamaged run with checkpoints of the steps 9 and 12 that tracked
            `kl` and `information`.
    """
    kinds = (_places(), _texts(), _values(whole), _names(), _models(), _arrays())
    return {name: damage for kind in kinds for name, damage in kind}
