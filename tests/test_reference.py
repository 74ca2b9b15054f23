"""What the reference is made of: the docstrings of all public names, and the models' pages."""

import ast
import importlib
import inspect
import re
import runpy
import textwrap

import pytest
from documentation import ROOT

from keras_devae import checks
from keras_devae.models.catalogue import MODEL_CATALOGUE

#: The same functions that the pages of the reference are made with.
NAMES = runpy.run_path(str(ROOT / "examples" / "site" / "names.py"))
#: Full name -> the public class or function.
PUBLIC = {
    f"{module}.{name}": getattr(importlib.import_module(module), name)
    for module in NAMES["public_modules"]()
    for name in NAMES["names_of"](module)
}
#: Functions that raise a `UsageError` for a value that is not as they say.
CHECKS = {
    name
    for name, function in inspect.getmembers(checks, inspect.isfunction)
    if "raise " in inspect.getsource(function)
}


def public(kind):
    """Returns the public names of a kind, each once, under its shortest name."""
    found = {}
    for name, value in sorted(PUBLIC.items(), key=lambda item: len(item[0])):
        if kind(value):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


FUNCTIONS = public(inspect.isfunction)


def docstrings(function):
    """Returns the docstring of a function, and those of functions that it refers to."""
    text = inspect.getdoc(function) or ""
    texts = [text]
    for name in re.findall(r"are as\s+for `(\w+)`", text):
        # Under this name, whoever reads it finds the other function on the same page.
        package = inspect.getmodule(function).__name__.rpartition(".")[0]
        others = [other for key, other in FUNCTIONS.items() if key.endswith(f".{name}")]
        near = [other for other in others if other.__module__.startswith(package)]
        texts += docstrings((near or others)[0])
    return texts


def section(texts, *titles):
    """Returns the text of a section of the first docstrings that has it; empty if none has."""
    for text in texts:
        for title in titles:
            found = re.search(rf"^{title}:\n((?: .*\n?|\n)+)", text, re.M)
            if found:
                return found[1]
    return ""


def undocumented(function):
    """Returns the parameters that no section and no sentence of the docstrings explains."""
    texts = docstrings(function)
    listed = "".join(section([text], "Args", "Attributes") for text in texts)
    return [
        name
        for name in inspect.signature(function).parameters
        if not re.search(rf"^ +\*{{0,2}}{name}\b.*?:", listed, re.M) and f"`{name}`" not in texts[0]
    ]


def is_beside(helper, function):
    """Tells whether an object is a function of the same module as another one."""
    return inspect.isfunction(helper) and helper.__module__ == function.__module__


def errors_of(function, seen=()):
    """Returns the errors that a function raises itself, or by a check or a helper beside it."""
    helpers = vars(inspect.getmodule(function))
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    errors = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            called = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
            errors.add("UsageError" if called == "unknown_name" else called)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            name, helper = called.rpartition(".")[2], helpers.get(called)
            is_shared = called.startswith("checks.") or getattr(checks, name, None) is helper
            if name.startswith("check_") or (is_shared and name in CHECKS):
                errors.add("UsageError")
            elif is_beside(helper, function) and helper not in (function, *seen):
                errors |= errors_of(helper, (*seen, function))
    return errors & {"UsageError", "FailureError"}


def test_every_public_class_has_an_example():
    classes = public(inspect.isclass)
    assert len(classes) > 90
    assert [name for name, each in classes.items() if ">>> " not in (each.__doc__ or "")] == []


def test_every_public_function_documents_its_arguments():
    lacking = {name: undocumented(function) for name, function in FUNCTIONS.items()}
    assert len(lacking) > 150
    assert {name: parameters for name, parameters in lacking.items() if parameters} == {}


def test_every_public_function_documents_its_result():
    lacking = [
        name
        for name, function in FUNCTIONS.items()
        if str(inspect.signature(function).return_annotation) not in ("None", "<class 'NoneType'>")
        and not section(docstrings(function), "Returns", "Yields")
        and not re.match(r"(Returns|Yields|Tells) ", inspect.getdoc(function))
    ]
    assert lacking == []


def test_every_public_function_documents_the_errors_that_it_raises():
    lacking = {
        name: missing
        for name, function in FUNCTIONS.items()
        if (
            missing := {
                error
                for error in errors_of(function)
                if error not in section(docstrings(function), "Raises")
                and f"`{error}`" not in inspect.getdoc(function)
            }
        )
    }
    assert lacking == {}


def test_sections_of_docstrings_begin_on_lines_of_their_own():
    texts = {name: inspect.getdoc(each) or "" for name, each in PUBLIC.items() if callable(each)}
    title = re.compile(r"\S +(Args|Attributes|Returns|Yields|Raises|Example):$", re.M)
    assert [name for name, text in texts.items() if title.search(text)] == []


def has_shapes(function):
    """Tells whether the docstring of a function says what shape an array has."""
    text = " ".join(" ".join(docstrings(function)).split())
    return re.search(r"`\(([^`]*,[^`]*)?\)`|scalar|of any shape|same shape", text) is not None


def test_every_public_function_of_arrays_says_their_shapes():
    lacking = [
        name
        for name, function in FUNCTIONS.items()
        if re.search(r"\b(Array|Tensor|ndarray)\b", str(inspect.signature(function)))
        and not has_shapes(function)
    ]
    assert lacking == []


def test_what_lacks_is_seen():
    def lacking(given: int, other: int) -> int:
        """Adds a number to `other`."""
        checks.at_least("given", given, 1)
        return given + other

    assert undocumented(lacking) == ["given"]
    assert errors_of(lacking) == {"UsageError"}
    assert section(docstrings(lacking), "Returns") == "" and not has_shapes(lacking)


@pytest.mark.parametrize("name", MODEL_CATALOGUE)
def test_every_model_says_when_to_use_it_and_names_its_papers(name):
    declared = MODEL_CATALOGUE[name]
    assert declared.use.endswith(".") and len(declared.use) < 250
    for paper in declared.paper.split("; "):
        assert re.match(r"[A-Z]\w+( and [A-Z]\w+| et al\.)? (19|20)\d\d, \w.{10,}", paper)
