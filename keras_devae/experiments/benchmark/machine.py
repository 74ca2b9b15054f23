"""What a benchmark ran on."""

import os
import platform
from pathlib import Path

from keras_devae.backend_choice import BACKENDS, installed_backends
from keras_devae.machine import installed_versions, usable_cores
from keras_devae.version import __version__


def describe_machine():
    """Returns processor, cores, load, memory and versions as a dictionary that `json.dump` takes.

    The cores are those that this process may use. The load is the number of processes that have
    wanted to compute in the last minute.
    """
    packages = ("keras", "numpy", *(BACKENDS[name] for name in installed_backends()))
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "memory_megabytes": _megabytes("/proc/meminfo", "MemTotal"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {"keras_devae": __version__, **installed_versions(packages)},
    }


def peak_memory():
    """Returns the most memory that this process has held so far, in MB; `None` if not on Linux.

    `ru_maxrss` would begin with the peak of the process that started this one.
    """
    return _megabytes("/proc/self/status", "VmHWM")


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _megabytes(file, field):
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    sizes = [int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return round(sizes[0] * 1024 / 1e6) if sizes else None
