"""The part of the machine that this process may use, and the installed distributions.

Every process imports this module, so slow imports are inside its functions.
"""

import functools
import os
from collections.abc import Iterable
from pathlib import Path

#: Flag in `/proc/cpuinfo` -> name of an instruction set that decides the speed of networks.
_INSTRUCTION_SETS = {
    "avx2": "AVX2",
    "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "amx_bf16": "AMX_BF16",
    "asimd": "NEON",
    "sve": "SVE",
    "bf16": "BF16",
}
#: Values of `ONEDNN_MAX_CPU_ISA` that keep oneDNN from using bfloat16 on x86 processors.
_WITHOUT_BFLOAT16 = (
    *("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"),
)


def usable_cores() -> int:
    """Returns the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """Returns the processor's name, on Linux with its family and model.

    Different processors in clouds have the same name; these numbers distinguish them.
    """
    facts = _processor_facts()
    import platform

    name = facts.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in facts and "model" in facts:
        return f"{name} (family {facts['cpu family']}, model {facts['model']})"
    return name


@functools.cache
def instruction_sets() -> tuple[str, ...]:
    """Returns the processor's instruction sets that decide the speed of networks, if on Linux."""
    facts = _processor_facts()
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return tuple(name for flag, name in _INSTRUCTION_SETS.items() if flag in flags)


def onednn_limit() -> str | None:
    """Returns the instruction set that `ONEDNN_MAX_CPU_ISA` limits oneDNN to, or `None`."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return None if limit in ("", "DEFAULT", "ALL") else limit


def computes_bfloat16() -> bool:
    """Tells whether oneDNN computes bfloat16 with the processor's AVX512_BF16 or AMX_BF16."""
    has_it = {"AVX512_BF16", "AMX_BF16"} & set(instruction_sets())
    return bool(has_it) and onednn_limit() not in _WITHOUT_BFLOAT16


@functools.cache
def _processor_facts() -> dict[str, str]:
    """Returns the entries of `/proc/cpuinfo` for the first processor; none on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {name.strip(): fact.strip() for name, _, fact in (line.partition(":") for line in lines)}


def total_memory() -> int | None:
    """Returns the machine's memory in MB; `None` if not on Linux."""
    return _megabytes("/proc/meminfo", "MemTotal")


def available_memory() -> int | None:
    """Returns how many MB can still be used without swapping; `None` if not on Linux."""
    return _megabytes("/proc/meminfo", "MemAvailable")


def peak_memory() -> int | None:
    """Returns this process's peak memory use so far, in MB; `None` if not on Linux.

    `ru_maxrss` would start from the peak of the process that started this one.
    """
    return _megabytes("/proc/self/status", "VmHWM")


def _megabytes(file: str, field: str) -> int | None:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return round(sizes[0] * 1024 / 1e6) if sizes else None


def minor_page_faults() -> int | None:
    """Returns the number of minor page faults of this process so far; `None` on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def installed_version(name: str) -> str | None:
    """Returns the version of an installed distribution, e.g. `"scikit-learn"`, or `None`."""
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Returns the versions of those distributions that are installed, by name."""
    return {name: version for name in names if (version := installed_version(name))}
