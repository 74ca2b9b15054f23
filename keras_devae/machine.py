"""What this process may use of the machine, and what is installed; it imports nothing heavy."""

import importlib.metadata
import os


def usable_cores() -> int:
    """Returns the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
