"""The package as a whole: what it registers, what it imports, what it documents."""

import ast
import pkgutil
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import keras_devae
from keras_devae import figures, metrics

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "keras_devae").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])
BACKENDS = {"tensorflow", "jax", "jaxlib", "torch"}

#: Part of the package -> how far up it stands. Modules import only from below or beside. The
#: longest name that fits a module counts.
LEVELS = {
    "errors": 0,
    "version": 0,
    "checks": 1,
    "files": 1,
    "process": 1,
    "backend": 2,
    "data": 3,
    "input": 3,
    "metrics": 3,
    "losses": 3,
    "schedules": 3,
    "layers": 3,
    "networks": 4,
    "figures": 4,
    "models": 5,
    "figures.of_models": 6,
    "evaluation": 6,
    "callbacks": 7,
    "explorer": 7,
    "export": 7,
    "runs": 8,
    "comparison": 9,
    "reports": 10,
    "studies": 11,
    "reproduction": 12,
    "cli": 13,
}


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("keras_devae", *parts) if parts[0] == "cli" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def imported(nodes):
    """The full names of the modules that some nodes import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name):
    """The part of the package that a module belongs to, None outside and for the package."""
    parts = name.split(".")
    if parts[0] != "keras_devae" or len(parts) == 1:
        return None
    longer = ".".join(parts[1:3])
    return longer if longer in LEVELS else parts[1]


def test_one_module_imports_each_backend():
    naming = {
        (module, root)
        for module, tree in TREES.items()
        for name in imported(ast.walk(tree))
        if (root := name.split(".")[0]) in BACKENDS
    }
    assert naming == {
        (f"keras_devae.backend.{name}", name) for name in ("tensorflow", "jax", "torch")
    }


def test_no_backend_is_imported_before_it_is_used():
    for name in ("tensorflow", "jax", "torch"):
        names = set(imported(TREES[f"keras_devae.backend.{name}"].body))
        assert not {name.split(".")[0] for name in names} & BACKENDS


def named_backends(node):
    """The names of backends that a comparison, or the case of a match, looks for."""
    parts = [node.pattern] if isinstance(node, ast.match_case) else [node.left, *node.comparators]
    values = (part for each in parts for part in ast.walk(each) if isinstance(part, ast.Constant))
    return [value.value for value in values if value.value in BACKENDS]


def test_only_the_backends_know_their_names():
    comparing = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.Compare, ast.match_case)) and named_backends(node)
    }
    assert {module for module in comparing if part(module) != "backend"} == set()
    assert named_backends(ast.parse("backend in ('jax', 'mine')").body[0].value) == ["jax"]


@pytest.mark.parametrize("name", ["data", "metrics"])
def test_data_and_metrics_do_without_keras(name):
    for module, tree in TREES.items():
        if part(module) == name:
            roots = {target.split(".")[0] for target in imported(ast.walk(tree))}
            assert "keras" not in roots, module


def test_imports_point_one_way():
    wrong = [
        (module, name)
        for module, tree in TREES.items()
        for name in imported(tree.body)
        if part(module) and part(name) and LEVELS[part(name)] > LEVELS[part(module)]
    ]
    assert wrong == []


def test_models_are_loaded_where_their_classes_are_registered():
    loading = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "load_model"
    }
    assert loading == {"keras_devae.models.saving"}


def undocumented(module, tree):
    """Yields the public modules, classes, functions and methods without a docstring."""
    if not ast.get_docstring(tree):
        yield module
    definitions = (ast.ClassDef, ast.FunctionDef)
    for node in tree.body:
        if isinstance(node, definitions) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield f"{module}.{node.name}"
            members = node.body if isinstance(node, ast.ClassDef) else []
            for member in members:
                if isinstance(member, definitions) and not member.name.startswith("_"):
                    is_setter = any(isinstance(d, ast.Attribute) for d in member.decorator_list)
                    if not ast.get_docstring(member) and not is_setter:
                        yield f"{module}.{node.name}.{member.name}"


def test_everything_public_is_documented():
    assert [name for module, tree in TREES.items() for name in undocumented(module, tree)] == []


def test_packages_of_the_distribution():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {module_name(path) for path in SOURCES if path.name == "__init__.py"}
    assert set(settings["packages"]) == found
    assert settings["package-dir"] == {"keras_devae.cli": "cli"}


def test_files_beside_the_code_are_distributed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    distributed = {
        file
        for package, patterns in settings["package-data"].items()
        for pattern in patterns
        for file in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    other = {
        file
        for file in (ROOT / "keras_devae").rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }
    assert other == distributed


def test_names_of_the_package():
    for name in keras_devae.__all__:
        assert getattr(keras_devae, name) is not None
    assert set(keras_devae.__all__) <= set(dir(keras_devae))
    with pytest.raises(AttributeError, match="no attribute 'BetterVAE'"):
        _ = keras_devae.BetterVAE


@pytest.mark.parametrize("package", [figures, metrics])
def test_names_that_are_imported_when_they_are_asked_for(package):
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert dir(package) == sorted(set(package.__all__)) == sorted(package.__all__)
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'better'"):
        _ = package.better
    # Whoever imports a module puts it under its name into the package, over anything else.
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package.__all__)


@pytest.mark.backends
def test_importing_it_registers_everything(fresh_python):
    code = """
import keras_devae, keras
names = ("VAE BetaVAE DeVAE DiTStack LayerDraw LayerEmbedding GaussianSampling "
         "BernoulliLikelihood GaussianLikelihood").split()
print(names == [keras.saving.get_registered_object(f"keras_devae>{n}").__name__ for n in names])
"""
    output, _ = fresh_python("-c", code)
    assert output == "True\n"


CONSOLE_SCRIPT = shutil.which("keras-devae", path=str(Path(sys.executable).parent))


@pytest.mark.parametrize(
    "command",
    [("-m", "keras_devae.cli"), (CONSOLE_SCRIPT,)],
    ids=["module", "console script"],
)
def test_help_imports_no_backend(command, fresh_python):
    if None in command:
        pytest.skip("the console script is not installed")
    output, errors = fresh_python("-X", "importtime", *command, "--help")
    assert "train" in output
    modules = {line.split("|")[-1].strip() for line in errors.splitlines()}
    assert "keras_devae.cli.main" in modules
    assert not {module.split(".")[0] for module in modules} & (BACKENDS | {"keras", "sklearn"})
