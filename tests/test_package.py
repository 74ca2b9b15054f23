"""The package as a whole: what it registers, what it imports, what it documents."""

import ast
import graphlib
import pkgutil
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import keras_devae
from keras_devae import backend, figures, metrics

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "keras_devae").rglob("*.py"), *(ROOT / "cli").rglob("*.py")])
BACKENDS = {"tensorflow", "jax", "jaxlib", "torch"}

#: Part of the package -> how far up it stands. A module imports from its own part and from parts
#: below. The longest name that fits a module counts; parts of one room share the whole number.
LEVELS = {
    "errors": 0,
    "version": 0,
    "checks": 1,
    "process": 2,
    "files": 3,
    "backend": 4,
    "input": 5,
    "layers": 5,
    "losses": 5,
    "metrics": 5,
    "metrics.estimators": 5.1,
    "metrics.keras": 5.3,
    "metrics.scores": 5.2,
    "schedules": 5,
    "data": 6,
    "data.own": 6.1,
    "data.builtin": 6.2,
    "data.variants": 6.2,
    "data.store": 6.3,
    "data.folders": 6.4,
    "figures": 6,
    "networks": 6,
    "presets": 6,
    "models": 7,
    "evaluation": 8,
    "figures.of_models": 9,
    "callbacks": 10,
    "explorer": 10,
    "export": 10,
    "runs": 11,
    "runs.config": 11.1,
    "runs.benchmark": 11.2,
    "suggestions": 11.9,
    "comparison": 12,
    "reports": 13,
    "studies": 14,
    "studies.engines": 14.1,
    "reproduction": 15,
    "cli": 16,
}
#: Imports within functions that point upwards: a model exports itself, a finished run reports.
UPWARD = {("keras_devae.models.inference", "export"), ("keras_devae.runs.run", "reports")}
#: Special methods whose signatures callers see.
SPECIAL = ("__init__", "__call__")
#: Lines of a file, and of the body of a function without its docstring.
MOST_LINES, MOST_BODY_LINES = 350, 45


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


def run_nodes(tree):
    """All nodes of a module except under `if TYPE_CHECKING`, which never run."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from run_nodes(node)


def part(name):
    """The part of the package that a module belongs to, None outside and for the package."""
    parts = name.split(".")
    if parts[0] != "keras_devae" or len(parts) == 1:
        return None
    longer = ".".join(parts[1:3])
    return longer if longer in LEVELS else parts[1]


def points_up(importer, target):
    """Tells whether a part may not import another one."""
    above, below = LEVELS[importer], LEVELS[target]
    same_room = importer.split(".")[0] == target.split(".")[0] and int(above) == int(below)
    beside = same_room and (int(above) in (above, below))
    return importer != target and not beside and below >= above


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
    wrong = {
        (module, name)
        for module, tree in TREES.items()
        for name in imported(run_nodes(tree))
        if part(module) and part(name) and points_up(part(module), part(name))
    }
    assert {(module, part(name)) for module, name in wrong} == UPWARD, wrong


def test_upward_imports_are_seen():
    assert points_up("data", "models") and points_up("layers", "losses")
    assert points_up("figures", "figures.of_models") and points_up("data.own", "data.store")
    assert not points_up("models", "layers") and not points_up("data", "data.store")
    assert not points_up("figures.of_models", "figures")


def test_no_circles():
    """No module needs, to be imported, one that needs it."""
    needs = {
        module: {target for name in imported(tree.body) if (target := module_of(name))}
        for module, tree in TREES.items()
    }
    order = list(graphlib.TopologicalSorter(needs).static_order())
    assert set(order) == set(TREES)


def module_of(name):
    """The module of the package that an import of a full name needs, if any."""
    while name not in TREES and "." in name:
        name = name.rpartition(".")[0]
    return name if name in TREES else None


def test_models_are_loaded_where_their_classes_are_registered():
    loading = {
        module
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "load_model"
    }
    assert loading == {"keras_devae.models.saving"}


def public_definitions(module, tree):
    """Yields the full names and nodes of a module's public classes, functions and methods."""
    if any(part.startswith("_") for part in module.split(".")):
        return
    definitions = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in tree.body:
        if isinstance(node, definitions) and not node.name.startswith("_"):
            yield f"{module}.{node.name}", node
            members = node.body if isinstance(node, ast.ClassDef) else []
            for member in (each for each in members if isinstance(each, definitions)):
                if member.name in SPECIAL or not member.name.startswith("_"):
                    yield f"{module}.{node.name}.{member.name}", member


def test_everything_public_is_documented():
    modules = [module for module, tree in TREES.items() if not ast.get_docstring(tree)]
    definitions = [
        name
        for module, tree in TREES.items()
        for name, node in public_definitions(module, tree)
        if not ast.get_docstring(node) and node.name not in SPECIAL and not is_setter(node)
    ]
    assert modules + definitions == []


def is_setter(node):
    """Tells whether a method sets a property, whose getter is documented."""
    return any(isinstance(each, ast.Attribute) for each in node.decorator_list)


def lacks_types(node):
    """Tells whether a parameter or the return of a function has no annotation."""
    given = node.args
    parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    named = [parameter for parameter in parameters if parameter is not None]
    if named and named[0].arg in ("self", "cls"):
        named = named[1:]
    has_result = node.returns is not None or node.name == "__init__"
    return not has_result or any(parameter.annotation is None for parameter in named)


def test_everything_public_is_annotated():
    lacking = [
        name
        for module, tree in TREES.items()
        for name, node in public_definitions(module, tree)
        if not isinstance(node, ast.ClassDef) and lacks_types(node)
    ]
    assert lacking == []


def body_lines(node):
    """The lines of a function's body, from its first statement after the docstring."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_files_and_functions_stay_short():
    files = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    functions = {
        f"{module}.{node.name}": lines
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (lines := body_lines(node)) > MOST_BODY_LINES
    }
    assert (files, functions) == ({}, {})


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


@pytest.mark.parametrize("package", [backend, figures, metrics])
def test_names_that_are_imported_when_they_are_asked_for(package):
    for name in package.__all__:
        assert getattr(package, name) is not None
    assert sorted(set(package.__all__)) == sorted(package.__all__)
    assert set(package.__all__) <= set(dir(package))
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


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_nothing_else_lies_at_the_top():
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=ROOT, check=True, capture_output=True
    )
    assert {name for name in listed.stdout.decode().split() if name[0] != "."} == {
        *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md"),
        *("cli", "examples", "keras_devae", "pyproject.toml", "tests"),
    }
