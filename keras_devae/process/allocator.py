"""Makes this process's memory allocator keep the memory of a training step, for speed."""

import contextlib
import ctypes
import functools
import os
import re
from pathlib import Path

#: Environment variable of a setting of glibc's allocator -> its number in malloc.h and the value
#: set here.
MALLOC_SETTINGS = {
    # No block gets a mapping of its own, which ends when the block is freed. The largest blocks of
    # a step would get one, and the kernel would have to clear every page of the next mapping.
    "MALLOC_MMAP_MAX_": (-4, 0),
    # Up to 2 GB, the largest value, stay at the end of the heap.
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    # The heap grows by 64 MiB at a time.
    "MALLOC_TOP_PAD_": (-2, 2**26),
    # One heap for all threads. glibc returns a thread's own heap to the kernel whenever it is
    # empty, whatever the other settings say, and XLA's threads empty theirs at every step.
    "MALLOC_ARENA_MAX": (-8, 1),
}
#: Prefixes of the environment variables with which users set glibc's allocator themselves.
_MALLOC_VARIABLES = ("MALLOC_", "GLIBC_TUNABLES")
_OTHER_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")


@functools.cache
def allocator() -> str:
    """Configures the memory allocator on the first call; returns its name and state in a few words.

    Settings that the user made in the environment are kept.
    """
    for preloaded in re.split("[: ]", os.environ.get("LD_PRELOAD", "")):
        if any(name in preloaded for name in _OTHER_ALLOCATORS):
            return Path(preloaded).name
    if not _has_glibc():
        return "the system's"
    if any(name.startswith(_MALLOC_VARIABLES) for name in os.environ):
        return "glibc, set by the environment"
    mallopt = ctypes.CDLL(None).mallopt
    done = [mallopt(number, value) for number, value in MALLOC_SETTINGS.values()]
    return "glibc, memory kept" if all(done) else "glibc"


def _has_glibc() -> bool:
    # Only glibc knows this name, and Windows has no such function.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    return False
