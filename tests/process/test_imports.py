"""Importing this package imports no Keras; once Keras is there, models are registered."""

import warnings

import pytest

import keras_devae
from keras_devae.process.imports import CallOnceImported

REGISTERED = """
import keras
print(keras.saving.get_registered_object("keras_devae>DeVAE") is not None)
"""


def test_importing_the_package_imports_no_keras(fresh_python):
    code = """
import sys, keras_devae, keras_devae.data, keras_devae.metrics, keras_devae.runs
print({"keras", "tensorflow", "jax", "torch"} & set(sys.modules))
"""
    assert fresh_python("-c", code)[0] == "set()\n"


@pytest.mark.backends
@pytest.mark.parametrize(
    "first",
    [
        "import keras_devae, keras",
        "import keras, keras_devae",
        "import keras_devae; from keras.saving import load_model",
        # A module of the package is the first to import Keras.
        "from keras_devae.layers import DiTStack",
        "from keras_devae.losses import likelihoods",
        "import keras_devae.models.devae",
        "import keras_devae as kd; kd.BetaVAE",
        "from keras_devae import backend; backend.start_backend()",
    ],
)
def test_models_are_registered_once_keras_is_there(first, fresh_python):
    assert fresh_python("-c", first + REGISTERED)[0] == "True\n"


def test_models_are_registered_once_tensorflow_brings_keras(fresh_python):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    for first in ("import keras_devae, tensorflow", "import tensorflow, keras_devae"):
        assert fresh_python("-c", first + REGISTERED, KERAS_BACKEND="tensorflow")[0] == "True\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose module `inner` imports `library`, and whose `outer` imports `inner`."""
    folder = tmp_path / "some_package"
    folder.mkdir()
    (tmp_path / "some_library.py").write_text("")
    (folder / "__init__.py").write_text("")
    (folder / "inner.py").write_text("import some_library\nhalf = False")
    (folder / "outer.py").write_text("import some_package.inner\nhalf = False")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def test_a_function_is_called_once_and_when_nothing_is_half_done(package, fresh_python):
    code = f"""
import sys
sys.path.insert(0, {str(package.parent)!r})
import some_package
from keras_devae.process.imports import CallOnceImported
def function():
    from some_package import inner, outer
    print(inner.half, outer.half)
watch = CallOnceImported("some_library", "some_package", function)
import some_package.outer
print(watch in sys.meta_path)
import some_library
"""
    assert fresh_python("-c", code)[0] == "False False\nFalse\n"


def test_other_modules_are_left_to_other_finders():
    watch = CallOnceImported("some_library", "some_package", pytest.fail)
    import sys

    sys.meta_path.remove(watch)
    assert watch.find_spec("json", None) is None
    assert watch.find_spec("some_library", None) is None


FORMER = [
    ("distribution", "backend.replicas", "data_parallel"),
    ("encoding", "evaluation.encoding", "Encoding"),
    ("experiments", "runs", "RunConfig"),
    ("latents", "evaluation.latents", "measure_latents"),
    ("pictures", "figures.of_models", "traversal_figure"),
    ("pipeline", "input.batches", "Batches"),
]


@pytest.mark.parametrize(("former", "present", "name"), FORMER)
def test_former_names_of_modules(former, present, name):
    words = rf"keras_devae\.{former} is now keras_devae\.{present}"
    expected = {}
    exec(f"from keras_devae.{present} import {name}", expected)
    with pytest.warns(DeprecationWarning, match=words) as caught:
        module = getattr(keras_devae, former)
    assert getattr(module, name) is expected[name]
    assert caught[0].filename == __file__
    for statement in (
        f"from keras_devae.{former} import {name}",
        f"import keras_devae.{former} as module; {name} = module.{name}",
        f"import keras_devae; import keras_devae.{former}; {name} = keras_devae.{former}.{name}",
    ):
        found = {}
        with pytest.warns(DeprecationWarning, match=words) as caught:
            exec(compile(statement, __file__, "exec"), found)
        assert found[name] is expected[name]
        assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(
    ("former", "name"),
    [
        ("experiments.studies", "Study"),
        ("experiments.report", "write_report"),
    ],
)
def test_former_names_of_modules_in_modules(former, name):
    with pytest.warns(DeprecationWarning, match=rf"keras_devae\.{former} is now"):
        exec(f"from keras_devae.{former} import {name}", {})


def test_what_was_never_there_is_not_there():
    from keras_devae import runs

    with pytest.raises(ImportError, match="better"):
        exec("from keras_devae.experiments import better", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        import sys

        module = sys.modules["keras_devae.experiments"]
        assert not hasattr(module, "__file__") and not hasattr(module, "_private")
    assert runs.RunConfig is not None
