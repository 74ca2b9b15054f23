"""The allocator of this process keeps its memory."""

import pytest

from keras_devae.backend import chosen_backend
from keras_devae.process import allocator as allocators
from keras_devae.process.allocator import MALLOC_SETTINGS, allocator

needs_glibc = pytest.mark.skipif(
    not allocator().startswith("glibc"), reason="other allocators are left alone"
)
PACKAGE = "import keras_devae\n"
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
    assert int(fresh_python("-c", PACKAGE + FILLING)[0]) < 100


@needs_glibc
def test_an_allocator_set_by_the_user_stays(fresh_python):
    show = "from keras_devae.process.allocator import allocator\nprint(allocator())"
    code = f"{PACKAGE}{FILLING}\n{show}"
    faults, words = fresh_python("-c", code, GLIBC_TUNABLES="")[0].splitlines()
    # 64 MB in pages of 4 KiB, five times.
    assert int(faults) > 50_000 and words == "glibc, set by the environment"


@needs_glibc
def test_the_environment_says_the_same_as_the_package(fresh_python):
    environment = {name: str(value) for name, (_, value) in MALLOC_SETTINGS.items()}
    assert int(fresh_python("-c", PACKAGE + FILLING, **environment)[0]) < 100


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
    monkeypatch.setattr(allocators, "_has_glibc", lambda: False)
    assert allocator.__wrapped__() == (words or "the system's")


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
