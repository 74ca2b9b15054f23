"""Figures without pyplot: no display, no global state, and exact pixels."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_devae.figures.arguments import check_text

# A power of two: sizes in inches are then exact fractions, and no pixel is lost in rounding.
DPI = 128
FONT_SIZE = 8
TITLE_SIZE = 9
# Agg makes an image one pixel too wide where its box is a rounding error wider than whole pixels.
SLACK = 1e-6


def new_figure() -> Figure:
    """Makes an empty figure that draws to memory."""
    figure = Figure(dpi=DPI)
    FigureCanvasAgg(figure)
    return figure


def draw_image(pixels: np.ndarray, title: str | None = None) -> tuple[Figure, Axes]:
    """Makes a figure of an image alone, without frame or ticks.

    Args:
        pixels: Uint8 array `(height, width, 3)`.
        title: Text above it.

    Returns:
        The figure and its axes, whose units are the image's pixels.
    """
    figure = new_figure()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, pad=4, labelsize=FONT_SIZE)
    axes.spines[:].set_visible(False)
    if check_text("title", title, optional=True) is not None:
        axes.set_title(title, fontsize=TITLE_SIZE, loc="left", pad=6)
    return figure, axes


def legend_beside(axes: Axes, gap: float = 0.0) -> None:
    """Writes the legend to the right of the axes, where it covers nothing.

    Args:
        axes: The axes.
        gap: Space between, as a share of the width of the axes; default none.
    """
    axes.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1 + gap, 1))


def label_rows(axes: Axes, centers: np.ndarray, labels: list[str]) -> None:
    """Writes a label to the left of each row."""
    axes.set_yticks(centers, labels=labels, linespacing=1.3)


def take_texts_literally(figure: Figure) -> None:
    """Keeps Matplotlib from reading formulas into texts: names may hold dollar signs."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)


def fit(figure: Figure) -> None:
    """Gives the figure's image one figure pixel for each of its own, and its texts the room around.

    Args:
        figure: A figure made by `draw_image`, with all its texts.
    """
    (axes,) = figure.axes
    take_texts_literally(figure)
    height, width = axes.images[0].get_size()
    figure.set_size_inches(width / DPI, height / DPI)
    box = axes.get_tightbbox()
    left, bottom = math.ceil(max(0, -box.x0)), math.ceil(max(0, -box.y0))
    total_width = left + width + math.ceil(max(0, box.x1 - width))
    total_height = bottom + height + math.ceil(max(0, box.y1 - height))
    figure.set_size_inches(total_width / DPI, total_height / DPI)
    axes.set_position(
        (
            left / total_width,
            bottom / total_height,
            (width - SLACK) / total_width,
            (height - SLACK) / total_height,
        )
    )
