"""What is derived from the declaration of a model: its class, and what its documentation says."""

import inspect
import re

import keras
import pytest

import keras_devae as kd
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE

KEYWORDS = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def public(function):
    """Name -> default of the arguments of a method of Keras's, without private ones."""
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind not in KEYWORDS and not p.name.startswith("_")]
    return [(parameter.name, parameter.default) for parameter in named]


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_methods_of_keras_keep_their_signatures(method):
    for model_class in MODELS.values():
        ours = getattr(model_class, method)
        assert public(ours) == public(getattr(keras.Model, method))
        kinds = {parameter.kind for parameter in inspect.signature(ours).parameters.values()}
        assert not kinds & set(KEYWORDS)


@pytest.mark.parametrize("name", MODEL_CATALOGUE)
def test_classes_are_found_by_their_declarations(name):
    declaration = MODEL_CATALOGUE[name]
    model_class = getattr(kd, declaration.class_name)
    assert model_class is MODELS[name] and model_class.declaration is declaration
    assert model_class.__module__ == f"keras_devae.models.{name}"
    registered = keras.saving.get_registered_object(f"keras_devae>{declaration.class_name}")
    assert registered is model_class


def spelled(default):
    """How a docstring may give a default."""
    if default is None:
        return ["`None` (default)"]
    if isinstance(default, bool):
        return [f"default {str(default).lower()}"]
    if isinstance(default, str):
        return [f'`"{default}"` (default']
    if isinstance(default, tuple):
        if isinstance(default[0], str):
            return [f"default `({', '.join(f'{chr(34)}{value}{chr(34)}' for value in default)})`"]
        alike = f"`({default[0]:g},) * {len(default)}`"
        return [
            f"default `({', '.join(f'{value:g}' for value in default)})`",
            f"default `({default[0]:g},)`",
            f"default {alike}",
        ]
    return [f"default {default:,}", f"default {default:g}"]


@pytest.mark.parametrize("name", MODEL_CATALOGUE)
def test_docstrings_give_the_declared_defaults(name):
    text = inspect.getdoc(MODELS[name])
    if "\nArgs:" not in text:
        # Ablations and baselines refer to the class that they derive from.
        text = inspect.getdoc(MODELS[name].__mro__[1])
    for option, default in MODEL_CATALOGUE[name].defaults.items():
        entry = re.search(rf"^    {option}: .*?(?=^    \S|^\S|\Z)", text, re.M | re.S)
        said = " ".join(entry[0].split())
        assert any(re.search(re.escape(way) + r"(?![\d,]\d)", said) for way in spelled(default)), (
            said
        )
