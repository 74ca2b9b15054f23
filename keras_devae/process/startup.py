"""What this package sets in its process before Keras's backend is imported, so that it is fast.

Both settings change speed only: losses differ by rounding, as from one processor to another.
"""

import contextlib
import ctypes
import functools
import os
import re
import sys
import warnings
from pathlib import Path

from keras_devae.process.machine import instruction_sets

#: The variable by which TensorFlow is told whether to compute with oneDNN.
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"

#: Environment variable of a setting of glibc's allocator -> its number in malloc.h, and its value
#: here.
MALLOC_SETTINGS = {
    # No block is mapped by itself, to be unmapped as soon as it is free. A step's largest ones
    # would be, and the kernel would have to clear every page of the next one.
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


def prepare_process():
    """Turns TensorFlow's oneDNN on where it is faster, and has glibc keep the memory of a step.

    Done once, when the package is imported; what the user has set in the environment stays.
    TensorFlow leaves oneDNN off on processors with AVX2 that lack newer instructions, and runs the
    networks there at less than half their speed. Where it is imported already, it is too late:
    `warn_if_slow` says so once Keras is there.
    """
    if "AVX2" in instruction_sets() and "tensorflow" not in sys.modules:
        os.environ.setdefault(ONEDNN, "1")
    allocator()


@functools.cache
def allocator():
    """Sets the memory allocator of this process, the first time, and says which one it has.

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


def _has_glibc():
    # The name is known to glibc only; Windows knows no such function.
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    return False


def warn_if_slow(uses_onednn):
    """Warns where TensorFlow was imported too early to be told to compute with oneDNN.

    Args:
        uses_onednn: Whether it computes with oneDNN; `None` where that is not known.
    """
    if uses_onednn is False and ONEDNN not in os.environ and "AVX2" in instruction_sets():
        warnings.warn(
            "TensorFlow was imported before keras_devae and computes without oneDNN, at less than "
            "half its speed on this processor. Import keras_devae first, or set "
            f"{ONEDNN}=1 in the environment.",
            # The line that imports this package.
            stacklevel=3,
        )
