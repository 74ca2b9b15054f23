"""What is distributed: the package with TensorFlow, and the same package without."""

import os
import runpy
import sys
import tomllib
import types
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from keras_devae import checks
from keras_devae.errors import UsageError
from keras_devae.version import __version__

ROOT = Path(__file__).parent.parent
WITHOUT = ROOT / "examples" / "without_tensorflow"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture
def built(monkeypatch):
    """What the setup.py without TensorFlow hands to setuptools."""
    given = {}
    monkeypatch.setitem(sys.modules, "setuptools", types.SimpleNamespace(setup=given.update))
    runpy.run_path(str(WITHOUT / "setup.py"))
    return given


def test_all_but_tensorflow_is_required(built):
    without = {each for each in PROJECT["dependencies"] if each not in built["install_requires"]}
    assert [each.partition(">")[0] for each in without] == ["tensorflow"]
    assert set(built["install_requires"]) < set(PROJECT["dependencies"])
    assert built["extras_require"] == PROJECT["optional-dependencies"]
    assert built["name"] == "keras-devae-core" and built["version"] == __version__
    assert built["entry_points"]["console_scripts"] == ["keras-devae = keras_devae.cli:main"]


def test_both_hold_the_same_modules(built):
    folders = {name: (WITHOUT / folder).resolve() for name, folder in built["package_dir"].items()}
    assert folders == {"keras_devae": ROOT / "keras_devae", "keras_devae.cli": ROOT / "cli"}
    assert not any(map(os.path.isabs, built["package_dir"].values()))
    assert (WITHOUT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_what_is_missing_is_named_by_the_distribution_that_is_installed(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"pip install 'keras-devae\[mine\]'"):
        checks.require_extra("This", "no_such_module", "mine")
    (tmp_path / "keras_devae_core-9.dist-info").mkdir()
    (tmp_path / "keras_devae_core-9.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: keras-devae-core\nVersion: 9\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"pip install 'keras-devae-core\[mine\]'"):
        checks.require_extra("This", "no_such_module", "mine")


def test_the_version_is_cited():
    assert YAML().load((ROOT / "CITATION.cff").read_text())["version"] == __version__


def test_every_extra_that_a_page_names_exists():
    pages = [ROOT / "README.md", *(ROOT / "examples").rglob("*.md")]
    named = {
        extra
        for page in pages
        for part in page.read_text(encoding="utf-8").split("pip install")[1:]
        for extra in _extras(part.splitlines()[0])
    }
    assert {"jax", "onnx"} <= named <= set(PROJECT["optional-dependencies"])


def _extras(command):
    """The extras of this package that the rest of a command names."""
    words = command.replace("'", " ").replace("`", " ").replace('"', " ").split()
    own = [word for word in words if word.startswith((".", "keras-devae", "./examples"))]
    found = [word.partition("[")[2].rstrip("].,;)") for word in own if "[" in word]
    return [extra for group in found for extra in group.split(",")]
