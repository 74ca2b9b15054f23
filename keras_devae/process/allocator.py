"""The memory allocator of this process, set so that the memory of a training step is kept.

That changes speed only.
"""

import contextlib
import ctypes
import functools
import os
import re
from pathlib import Path

#: Environment variable of a setting of glibc's allocator -> its number in malloc.h, and its value
#: here.
MALLOC_SETTINGS = {
    # No block is mapped by itself, to be unmapped as soon as it is free. The largest ones of a
    # step would be, and the kernel would have to clear every page of the next one.
    "MALLOC_MMAP_MAX_": (-4, 0),
    # As much as 2 GB, the most it takes, stay at hand at the end of the heap.
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    # The heap grows by 64 MiB at a time.
    "MALLOC_TOP_PAD_": (-2, 2**26),
    # One heap for all threads. glibc returns a thread's own heap to the kernel whenever it is
    # empty, whatever the other settings say, and XLA's threads empty theirs at every step.
    "MALLOC_ARENA_MAX": (-8, 1),
}
#: Beginnings of the environment variables by which users set glibc's allocator themselves.
_MALLOC_VARIABLES = ("MALLOC_", "GLIBC_TUNABLES")
_OTHER_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")


@functools.cache
def allocator() -> str:
    """Sets the memory allocator of this process, the first time, and says which one it has.

    Settings of the user in the environment stay as they are.

    Returns:
        A few words, such as `"glibc, memory kept"`.
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
    # The name is known to glibc only; Windows knows no such function.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    return False
