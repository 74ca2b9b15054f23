"""Checks the range of grey levels that images fill, whatever their source."""

import warnings

import numpy as np

from keras_devae.checks import Array

#: If the darkest and brightest pixel are closer than this, three quarters of the range is unused:
#: 12 bits read as 16 fill 16 levels, 14 bits fill 64.
NARROW = 64

# Bytes checked at a time, so that no check makes a second copy of a large array.
_BYTES_AT_ONCE = 2**22
# Bytes compared at a time; a comparison makes one truth value for each.
_BYTES_COMPARED = 2**16
# Number of slices checked of images in a file, which is not read as a whole.
_SLICES_OF_A_FILE = 8


def row_slices(images: Array, all_rows: bool = True) -> list[slice]:
    """Splits the rows of images (at least one) into small slices: all, or a few of a large file."""
    rows = max(1, _BYTES_AT_ONCE // max(1, images[0].nbytes))
    slices = [slice(start, start + rows) for start in range(0, len(images), rows)]
    return slices if all_rows else slices[:: -(-len(slices) // _SLICES_OF_A_FILE)]


def range_problem(images: Array, all_rows: bool = True) -> str | None:
    """Returns the end of the sentence "The images ..." if their grey levels are odd, else `None`.

    They are odd if all images are equal, or if in no channel `NARROW` levels lie between the
    darkest and the brightest pixel.
    """
    slices = row_slices(images, all_rows)
    differ = len(images) == 1
    lowest = np.full(images.shape[-1], 255, np.uint8)
    highest = np.zeros(images.shape[-1], np.uint8)
    is_wide = False
    for rows in slices:
        part = images[rows]
        differ = differ or _any_differs(part, images[0])
        if not is_wide:
            # By channel: an opaque alpha channel, always 255, would hide the range of the others.
            lowest = np.minimum(lowest, part.min(axis=(0, 1, 2)))
            highest = np.maximum(highest, part.max(axis=(0, 1, 2)))
            is_wide = int((highest - lowest).max()) >= NARROW
        # Most sets pass on their first rows; only flat ones are read further.
        if differ and is_wide:
            return None
    if not differ:
        seem = "are" if all_rows else "seem to be"
        return f"{seem} all equal, {len(images):,} times the same picture"
    return _narrowness(lowest, highest)


def warn_of_range(
    images: Array, name: str, hint: str = "", all_rows: bool = True, stacklevel: int = 3
) -> None:
    """Warns of images that `range_problem` finds odd; `hint` replaces the advice on what to do."""
    warn_of_problem(range_problem(images, all_rows), name, hint, stacklevel + 1)


def warn_of_problem(problem: str | None, name: str, hint: str = "", stacklevel: int = 3) -> None:
    """Warns of what `range_problem` found, if it found anything; see `warn_of_range`."""
    if problem is not None:
        advice = hint or (
            "check how they were read, and stretch them to 0..255 first if they hold classes, "
            "zeros and ones, or fewer bits: `images * (255 // images.max())`"
        )
        warnings.warn(
            f"The images of {name} {problem}; {advice}.", UserWarning, stacklevel=stacklevel
        )


def _any_differs(images: Array, first: Array) -> bool:
    rows = max(1, _BYTES_COMPARED // max(1, first.nbytes))
    slices = (images[start : start + rows] for start in range(0, len(images), rows))
    return any(bool((part != first).any()) for part in slices)


def _narrowness(lowest: Array, highest: Array) -> str:
    spread = int((highest - lowest).max())
    if spread == 0:
        values = ", ".join(map(str, lowest.tolist()))
        return f"are of one colour: every pixel is {values}"
    return (
        f"fill {spread + 1} of the 256 grey levels: their pixels lie in "
        f"{int(lowest.min())}..{int(highest.max())} of 0..255, so that they are almost constant"
    )
