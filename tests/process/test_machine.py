"""What a process may use, and what is installed."""

import os
import platform

import numpy as np
import pytest

from keras_devae.process import machine
from keras_devae.process.machine import installed_version, installed_versions


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux binds processes to cores")
def test_only_cores_of_this_process_count(fresh_python):
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}]); "
    code += "from keras_devae.process.machine import usable_cores; print(usable_cores())"
    assert fresh_python("-c", code)[0] == "1\n"


def test_what_is_not_installed_has_no_version():
    assert installed_version("numpy") == np.__version__
    assert installed_version("no-such-thing") is None
    assert installed_versions(["numpy", "no-such-thing"]) == {"numpy": np.__version__}


#: Of /proc/cpuinfo on an x86 and on an ARM machine, shortened.
X86 = {
    "model name": "AMD EPYC",
    "cpu family": "25",
    "model": "17",
    "flags": "fpu avx2 avx512f avx512_bf16 fma",
}
ARM = {"BogoMIPS": "50.00", "Features": "fp asimd sve bf16"}


@pytest.fixture
def processor(monkeypatch):
    """Puts the facts of a processor in the place of this machine's."""

    def put(facts):
        monkeypatch.setattr(machine, "_processor_facts", lambda: facts)
        machine.instruction_sets.cache_clear()

    yield put
    machine.instruction_sets.cache_clear()


@pytest.mark.parametrize(
    ("facts", "sets", "bfloat16"),
    [
        (X86, ("AVX2", "AVX512", "AVX512_BF16"), True),
        ({**X86, "flags": "avx2 avx512f"}, ("AVX2", "AVX512"), False),
        ({**X86, "flags": "avx2 avx512f amx_bf16"}, ("AVX2", "AVX512", "AMX_BF16"), True),
        (ARM, ("NEON", "SVE", "BF16"), False),
        ({}, (), False),
    ],
)
def test_instruction_sets(processor, facts, sets, bfloat16, monkeypatch):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    processor(facts)
    assert machine.instruction_sets() == sets
    assert machine.computes_bfloat16() is bfloat16


@pytest.mark.parametrize(
    ("limit", "bfloat16"),
    [("avx2", False), ("AVX512_CORE_VNNI", False), ("AVX512_CORE_BF16", True)],
)
def test_what_onednn_may_use_counts(processor, limit, bfloat16, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    processor(X86)
    assert machine.onednn_limit() == limit.upper()
    assert machine.computes_bfloat16() is bfloat16


@pytest.mark.parametrize("everything", ["", "all", "DEFAULT"])
def test_onednn_may_use_everything(processor, everything, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", everything)
    processor(X86)
    assert machine.onednn_limit() is None and machine.computes_bfloat16()


def test_processors_of_one_name_are_told_apart(processor):
    processor(X86)
    assert machine.processor_name() == "AMD EPYC (family 25, model 17)"
    processor({})
    assert machine.processor_name() == (platform.processor() or platform.machine())


@pytest.mark.skipif(not os.path.exists("/proc/cpuinfo"), reason="Linux says it there")
def test_this_processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        text = file.read()
    assert ("AVX2" in machine.instruction_sets()) == (" avx2 " in text)
    assert machine.processor_name().split(" (family")[0] in text or "model name" not in text
