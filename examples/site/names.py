"""The public names of the package, found without importing Keras."""

import ast
import functools
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import keras_devae

ROOT = "keras_devae"


@functools.cache
def _source(module):
    """Returns the syntax tree of a module, or `None` if there is no such module."""
    found = importlib.util.find_spec(module)
    return found and ast.parse(Path(found.origin).read_text(encoding="utf-8"))


def public_modules():
    """Returns the full names of the modules that users import from, in alphabetical order.

    These are the modules that `keras_devae` names, and the packages in them that list their names.
    """
    named = [name for each in dir(keras_devae) if _source(name := f"{ROOT}.{each}")]
    inner = [
        package.name
        for name in named
        for package in pkgutil.iter_modules(_folder(name), f"{name}.")
        if package.ispkg and _listed(package.name) is not None
    ]
    return sorted(named + inner)


def _folder(module):
    return importlib.util.find_spec(module).submodule_search_locations or []


def _listed(module):
    """Returns the value of `__all__` as it is written, or `None` if there is none."""
    for node in _source(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return node.value
    return None


def _spelled_out(module):
    """Returns the names that a module lists one by one, or `None` if it puts its list together."""
    try:
        return ast.literal_eval(_listed(module))
    except ValueError:
        return None


def names_of(module):
    """Returns the public names of a module: those it lists, or those it defines."""
    if _listed(module) is None:
        # A package without a list has nothing but modules, which are its own affair.
        nodes = [] if _folder(module) else _source(module).body
        found = [node.name for node in nodes if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
        return [name for name in found if not name.startswith("_")]
    # A list that is put together is of names that are imported on first use.
    names = _spelled_out(module) or importlib.import_module(module).__all__
    modules = {inner.name for inner in pkgutil.iter_modules(_folder(module))}
    return sorted(set(names) - modules)


def definition_of(module, name):
    """Returns the full name of what a package imports on first use; otherwise `None`."""
    if _listed(module) is None or _spelled_out(module) is not None:
        return None
    package = importlib.import_module(module)
    scores = {each: f"scores.{each}" for each in getattr(package, "NAMES", ())}
    place = {**scores, **package._MODULES}.get(name)
    return place and f"{module}.{place}.{name}"


def purpose_of(module):
    """Returns the first sentence of the docstring of a module."""
    return ast.get_docstring(_source(module)).split("\n\n")[0].replace("\n", " ")


def short(name):
    """Returns a full name as users type it: `kd.` for the package."""
    return name.replace(ROOT, "kd", 1)
