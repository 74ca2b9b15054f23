"""What starts before the backend: oneDNN where it is faster."""

import json
import os
import sys
import warnings

import pytest

from keras_devae.backend import starting
from keras_devae.backend.starting import ONEDNN, enable_onednn, warn_if_slow
from keras_devae.process.machine import instruction_sets


@pytest.fixture
def surroundings(monkeypatch):
    """A process without TensorFlow on a processor with AVX2, of whose settings none is made."""
    monkeypatch.delenv(ONEDNN, raising=False)
    monkeypatch.setattr(starting, "instruction_sets", lambda: ("AVX2",))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    return monkeypatch


def test_onednn_is_turned_on_where_the_processor_has_avx2(surroundings):
    enable_onednn()
    assert os.environ[ONEDNN] == "1"


def test_what_the_user_has_set_stays(surroundings):
    surroundings.setenv(ONEDNN, "0")
    enable_onednn()
    assert os.environ[ONEDNN] == "0"


@pytest.mark.parametrize(
    ("instruction_sets", "modules"), [((), {}), (("NEON",), {}), (("AVX2",), {"tensorflow": None})]
)
def test_onednn_is_left_alone(surroundings, instruction_sets, modules):
    surroundings.setattr(starting, "instruction_sets", lambda: instruction_sets)
    for name, module in modules.items():
        surroundings.setitem(sys.modules, name, module)
    enable_onednn()
    assert ONEDNN not in os.environ


def test_a_slow_tensorflow_is_warned_of(surroundings):
    with pytest.warns(UserWarning, match=f"{ONEDNN}=1") as caught:
        warn_if_slow(False)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("uses_onednn", "environment", "instruction_sets"),
    [
        (True, {}, ("AVX2",)),
        (None, {}, ("AVX2",)),
        (False, {ONEDNN: "0"}, ("AVX2",)),
        (False, {}, ()),
    ],
)
def test_nothing_is_said_of_what_is_fast_or_meant(
    surroundings, uses_onednn, environment, instruction_sets
):
    surroundings.setattr(starting, "instruction_sets", lambda: instruction_sets)
    for name, value in environment.items():
        surroundings.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_slow(uses_onednn)


def test_tensorflow_imported_first_without_onednn(fresh_python):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    if "AVX2" not in instruction_sets():
        pytest.skip("TensorFlow computes with oneDNN on processors with AVX2")
    code = f"""
import os, warnings
os.environ["{ONEDNN}"] = "0"
import tensorflow
del os.environ["{ONEDNN}"]
with warnings.catch_warnings(record=True) as caught:
    import keras_devae
print([str(warning.message) for warning in caught if "{ONEDNN}" in str(warning.message)])
print(keras_devae.backend.computes_with_onednn())
"""
    said, uses_onednn = fresh_python("-c", code, KERAS_BACKEND="tensorflow")[0].splitlines()
    assert said.count(f"{ONEDNN}=1") == 1 and uses_onednn == "False"


@pytest.mark.backends
def test_imported_by_itself_it_computes_with_onednn(fresh_python):
    code = """
import json, keras_devae, keras
print(json.dumps([keras.backend.backend(), keras_devae.backend.computes_with_onednn()]))
"""
    backend, uses_onednn = json.loads(fresh_python("-c", code)[0])
    if "AVX2" in instruction_sets():
        assert uses_onednn is {"tensorflow": True, "torch": True, "jax": None}[backend]


LOSSES = """
import keras_devae as kd, keras, numpy as np
model = kd.DeVAE.for_images((32, 32, 1), latent_dim=4, seed=0)
model.compile(keras.optimizers.Adam(1e-3))
rng = np.random.default_rng(0)
images = rng.integers(0, 2, (50, 16, 32, 32, 1), dtype=np.uint8) * np.uint8(255)
print([float(model.train_on_batch(batch)[0]) for batch in images])
"""


@pytest.mark.thorough
@pytest.mark.backends
def test_losses_are_the_same_without_these_settings(fresh_python):
    plain = {ONEDNN: "0", "GLIBC_TUNABLES": ""}
    one, other = (json.loads(fresh_python("-c", LOSSES, **given)[0]) for given in ({}, plain))
    assert len(one) == 50 and one == pytest.approx(other, rel=1e-4)
