"""What the package sets in its process: oneDNN, and an allocator that keeps its memory."""

import json
import os
import sys
import warnings

import pytest

from keras_devae.backend.choosing import chosen_backend
from keras_devae.process import startup
from keras_devae.process.startup import (
    MALLOC_SETTINGS,
    ONEDNN,
    allocator,
    prepare_process,
    warn_if_slow,
)

#: Makes a process of Python's take itself for the command line, which imports no Keras by itself.
AS_COMMAND = "import sys; sys.argv[0] = 'keras-devae'; "


@pytest.fixture
def surroundings(monkeypatch):
    """A process without TensorFlow on a processor with AVX2, of whose settings none is made."""
    monkeypatch.delenv(ONEDNN, raising=False)
    monkeypatch.setattr(startup, "instruction_sets", lambda: ("AVX2",))
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    return monkeypatch


def test_onednn_is_turned_on_where_the_processor_has_avx2(surroundings):
    prepare_process()
    assert os.environ[ONEDNN] == "1"


def test_what_the_user_has_set_stays(surroundings):
    surroundings.setenv(ONEDNN, "0")
    prepare_process()
    assert os.environ[ONEDNN] == "0"


@pytest.mark.parametrize(
    ("instruction_sets", "modules"), [((), {}), (("NEON",), {}), (("AVX2",), {"tensorflow": None})]
)
def test_onednn_is_left_alone(surroundings, instruction_sets, modules):
    surroundings.setattr(startup, "instruction_sets", lambda: instruction_sets)
    for name, module in modules.items():
        surroundings.setitem(sys.modules, name, module)
    prepare_process()
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
    surroundings.setattr(startup, "instruction_sets", lambda: instruction_sets)
    for name, value in environment.items():
        surroundings.setenv(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_slow(uses_onednn)


def test_tensorflow_imported_first_without_onednn(fresh_python):
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    if "AVX2" not in startup.instruction_sets():
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
    if "AVX2" in startup.instruction_sets():
        assert uses_onednn is {"tensorflow": True, "torch": True, "jax": None}[backend]


needs_glibc = pytest.mark.skipif(
    not allocator().startswith("glibc"), reason="other allocators are left alone"
)
#: Fills 64 MB again and again, and prints how many pages the kernel made for the last five.
FILLING = """
from keras_devae.process.machine import minor_page_faults
for number in range(7):
    if number == 2:
        before = minor_page_faults()
    b"x" * 64_000_000
print(minor_page_faults() - before)
"""


@needs_glibc
def test_memory_that_was_free_is_filled_without_the_kernel(fresh_python):
    assert int(fresh_python("-c", AS_COMMAND + FILLING)[0]) < 100


@needs_glibc
def test_an_allocator_set_by_the_user_stays(fresh_python):
    show = "from keras_devae.process.startup import allocator\nprint(allocator())"
    code = f"{AS_COMMAND}{FILLING}\n{show}"
    faults, words = fresh_python("-c", code, GLIBC_TUNABLES="")[0].splitlines()
    # 64 MB in pages of 4 KiB, five times.
    assert int(faults) > 50_000 and words == "glibc, set by the environment"


@needs_glibc
def test_the_environment_says_the_same_as_the_package(fresh_python):
    environment = {name: str(value) for name, (_, value) in MALLOC_SETTINGS.items()}
    assert int(fresh_python("-c", AS_COMMAND + FILLING, **environment)[0]) < 100


@pytest.mark.parametrize(
    ("preloaded", "words"),
    [
        ("/usr/lib/libjemalloc.so.2", "libjemalloc.so.2"),
        ("/usr/lib/libfoo.so:/opt/libtcmalloc_minimal.so.4", "libtcmalloc_minimal.so.4"),
        ("/usr/lib/libfoo.so", None),
    ],
)
def test_other_allocators_are_left_alone(monkeypatch, preloaded, words):
    monkeypatch.setenv("LD_PRELOAD", preloaded)
    monkeypatch.setattr(startup, "_has_glibc", lambda: False)
    assert allocator.__wrapped__() == (words or "the system's")


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


@pytest.mark.thorough
@pytest.mark.backends
@needs_glibc
@pytest.mark.skipif(chosen_backend() == "jax", reason="XLA plans its memory anew when disturbed")
def test_a_step_of_training_asks_for_no_memory(fresh_python):
    code = """
import keras_devae as kd, keras, numpy as np
from keras_devae.process.machine import minor_page_faults
model = kd.DeVAE.for_images((64, 64, 1), latent_dim=10, seed=0)
model.compile(keras.optimizers.Adam(1e-4))
images = np.zeros((256, 64, 64, 1), np.uint8)
for _ in range(6):
    model.train_on_batch(images)
before = minor_page_faults()
for _ in range(6):
    model.train_on_batch(images)
print((minor_page_faults() - before) / 6)
"""
    assert float(fresh_python("-c", code)[0]) < 100
