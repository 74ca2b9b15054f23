"""What this process may use of the machine, and what is installed; it imports nothing heavy."""

import functools
import importlib.metadata
import os
import platform
from pathlib import Path

#: Flag of a processor in `/proc/cpuinfo` -> name of the instruction set, of those that decide how
#: fast the networks are computed.
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
#: The most that `ONEDNN_MAX_CPU_ISA` may leave oneDNN of an x86 processor without bfloat16.
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

    Clouds give different processors one name; the numbers tell them apart.
    """
    facts = _processor_facts()
    name = facts.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in facts and "model" in facts:
        return f"{name} (family {facts['cpu family']}, model {facts['model']})"
    return name


@functools.cache
def instruction_sets() -> tuple[str, ...]:
    """Returns the instruction sets of the processor that decide how fast networks are.

    Returns:
        Names such as `"AVX2"` and `"AVX512_BF16"`; none where the system is not Linux.
    """
    facts = _processor_facts()
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    return tuple(name for flag, name in _INSTRUCTION_SETS.items() if flag in flags)


def onednn_limit() -> str | None:
    """Returns the most of the processor that oneDNN may use, by `ONEDNN_MAX_CPU_ISA`; or `None`."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper()
    return None if limit in ("", "DEFAULT", "ALL") else limit


def computes_bfloat16() -> bool:
    """Tells whether oneDNN computes bfloat16 by instructions of the processor: AVX512_BF16, AMX."""
    has_it = {"AVX512_BF16", "AMX_BF16"} & set(instruction_sets())
    return bool(has_it) and onednn_limit() not in _WITHOUT_BFLOAT16


@functools.cache
def _processor_facts():
    """Returns what `/proc/cpuinfo` says of the first processor, by name; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {name.strip(): fact.strip() for name, _, fact in (line.partition(":") for line in lines)}


def total_memory() -> int | None:
    """Returns the machine's memory in MB; `None` if not on Linux."""
    return _megabytes("/proc/meminfo", "MemTotal")


def available_memory() -> int | None:
    """Returns how many MB could still be used without swapping; `None` if not on Linux."""
    return _megabytes("/proc/meminfo", "MemAvailable")


def peak_memory() -> int | None:
    """Returns the most memory that this process has held so far, in MB; `None` if not on Linux.

    `ru_maxrss` would begin with the peak of the process that started this one.
    """
    return _megabytes("/proc/self/status", "VmHWM")


def _megabytes(file, field):
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return round(sizes[0] * 1024 / 1e6) if sizes else None


def minor_page_faults() -> int | None:
    """Returns how often this process has had a page of memory made for it, `None` on Windows."""
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def installed_version(name: str) -> str | None:
    """Returns the version of an installed distribution, or `None`.

    Args:
        name: Name of the distribution, e.g. `"scikit-learn"`.
    """
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def installed_versions(names) -> dict[str, str]:
    """Returns the versions of those distributions that are installed, by name.

    Args:
        names: Names of distributions.
    """
    return {name: version for name in names if (version := installed_version(name))}
