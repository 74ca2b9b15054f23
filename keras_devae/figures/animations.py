"""Pictures that move."""

import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from keras_devae import checks
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_figure
from keras_devae.figures.canvas import take_texts_literally
from keras_devae.files import replacing
from keras_devae.metrics.arrays import numeric_array

BORDER = 6
#: Browsers slow down what is meant to be faster.
SHORTEST = 0.02
#: 16 bits of hundredths.
LONGEST = 655.0


def pixels_of(figure: Figure) -> np.ndarray:
    """Draws a figure into memory.

    Args:
        figure: The figure.

    Returns:
        Uint8 array `(height, width, 3)`, with a white border.
    """
    take_texts_literally(check_figure(figure))
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    border = (BORDER, BORDER)
    return np.pad(drawn, (border, border, (0, 0)), constant_values=255)


def save_animation(frames: np.ndarray, path: str | os.PathLike, seconds: float = 0.1) -> Path:
    """Writes frames as an animated GIF that repeats for ever, whole or not at all.

    Args:
        frames: Uint8 array `(t, height, width, 3)`.
        path: The file, with the suffix `.gif`. Missing folders are made.
        seconds: How long each frame is shown, at least 0.02; default 0.1. GIF counts hundredths.

    Returns:
        The path.

    Raises:
        UsageError: If the frames are no such array, the file has another suffix, or the time is
            shorter.
    """
    frames = numeric_array(frames, "frames", "a uint8 array", axes=None)
    path = checks.usable_path("The file of an animation", path)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise UsageError(
            "`frames` must be a uint8 array (frames, height, width, 3). Received: shape "
            f"{frames.shape}, dtype {frames.dtype}."
        )
    if path.suffix.lower() != ".gif":
        raise UsageError(f"An animation's file must end in .gif. Received: {str(path)!r}.")
    if checks.finite_at_least("seconds", seconds, SHORTEST) > LONGEST:
        raise UsageError(
            f"`seconds` must be at most {LONGEST:g}, which a GIF can hold. Received: "
            f"{checks.shown(seconds)}."
        )
    first, *others = (Image.fromarray(frame) for frame in frames)
    with replacing(path) as partial:
        first.save(
            partial,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=round(100 * seconds) * 10,
            loop=0,
        )
    return path
