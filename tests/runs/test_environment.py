"""What a run says of the machine that it computes on."""

import json

import pytest

from keras_devae.backend import compute_threads
from keras_devae.process.allocator import allocator
from keras_devae.process.machine import instruction_sets, processor_name
from keras_devae.runs.environment import (
    computing_text,
    describe_computing,
    describe_environment,
    describe_machine,
    onednn_text,
)

ABACUS = {
    "processor": "Abacus 2000",
    "instruction_sets": ["BEADS", "RODS"],
    "onednn": True,
    "onednn_limit": None,
    "threads": 2,
    "allocator": "a box",
    "accelerator": None,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Abacus 2000 with BEADS, RODS; 2 threads; oneDNN on; allocator: a box"),
        (
            {"instruction_sets": [], "threads": 1, "onednn": False},
            "Abacus 2000; 1 thread; oneDNN off; allocator: a box",
        ),
        ({"onednn": None}, "Abacus 2000 with BEADS, RODS; 2 threads; allocator: a box"),
        ({"accelerator": "Calculator"}, "Calculator"),
    ],
)
def test_in_words(changes, expected):
    assert computing_text({**ABACUS, **changes}) == expected


def test_records_of_older_versions_say_nothing():
    assert computing_text({"backend": "jax", "device": "cpu"}) == ""


@pytest.mark.parametrize(
    ("onednn", "limit", "expected"),
    [
        (True, None, "on"),
        (True, "AVX2", "on up to AVX2"),
        (False, "AVX2", "off"),
        (None, None, None),
    ],
)
def test_onednn_in_words(onednn, limit, expected):
    assert onednn_text({"onednn": onednn, "onednn_limit": limit}) == expected


@pytest.mark.backends
def test_this_process():
    computing = describe_computing()
    assert computing["processor"] == processor_name() and computing["allocator"] == allocator()
    assert computing["instruction_sets"] == list(instruction_sets())
    assert computing["threads"] == compute_threads() >= 1
    assert describe_environment().items() >= computing.items()
    assert {*json.loads(json.dumps(describe_machine()))} >= {"processor", "load", "allocator"}


@pytest.mark.backends
def test_threads_that_the_backend_was_given(fresh_python):
    code = "import keras_devae.backend; print(keras_devae.backend.compute_threads())"
    one = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC"), "1")
    assert fresh_python("-c", code, **one)[0] == "1\n"
