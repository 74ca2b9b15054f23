"""Figures without pyplot: no display, no global state, and exact pixels."""

from __future__ import annotations

import math
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_devae.checks import Array
from keras_devae.figures.arguments import check_figure, check_text

# A power of two: sizes in inches are then exact fractions, and no pixel is lost in rounding.
DPI = 128
FONT_SIZE = 8
TITLE_SIZE = 9
# Agg makes an image one pixel too wide where its box is a rounding error wider than whole pixels.
_SLACK = 1e-6
#: Approximate width of a character of a note, in inches.
_CHARACTER = 0.052


class InlineFigure(Figure):
    """A figure that notebooks show as `save` writes it, whether or not pyplot is imported."""

    def _repr_png_(self) -> bytes:
        # Imported late: `saving` imports this module.
        from keras_devae.figures.saving import save

        with tempfile.TemporaryDirectory() as folder:
            return save(self, Path(folder, "figure.png")).read_bytes()


def panel_grid(
    count: int, columns: int, inches: tuple[float, float], **options: Any
) -> tuple[Figure, list[Axes]]:
    """Makes a figure of panels, `inches` wide and high, that leaves room for all texts."""
    figure = InlineFigure(figsize=inches, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    rows = -(-count // columns)
    panels = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def set_title_and_ticks(axes: Axes, title: str, **options: Any) -> None:
    """Gives axes their title, with its options, and the look of all charts."""
    axes.set_title(title, fontsize=TITLE_SIZE, loc="left", **options)
    axes.tick_params(labelsize=FONT_SIZE - 1, length=2)
    axes.spines[["top", "right"]].set_visible(False)


def legend_beside(axes: Axes, gap: float = 0.0) -> None:
    """Writes the legend to the right of the axes; `gap` is a share of their width."""
    axes.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1 + gap, 1))


def draw_image(pixels: Array, title: str | None = None) -> tuple[Figure, Axes]:
    """Makes a figure of an image alone, uint8 `(height, width, 3)`, in units of its pixels."""
    figure = InlineFigure(dpi=DPI)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.tick_params(length=0, pad=4, labelsize=FONT_SIZE)
    axes.spines[:].set_visible(False)
    if title is not None:
        axes.set_title(check_text("title", title), fontsize=TITLE_SIZE, loc="left", pad=6)
    return figure, axes


def label_rows(axes: Axes, centers: Array, labels: Sequence[str]) -> None:
    """Writes a label to the left of each row."""
    axes.set_yticks(centers, labels=labels, linespacing=1.3)


def take_texts_literally(figure: Figure) -> None:
    """Keeps Matplotlib from reading formulas into texts: names may hold dollar signs."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)


def fit(figure: Figure) -> Figure:
    """Gives each pixel of a `draw_image` figure's image one pixel, and the texts room around it."""
    (axes,) = figure.axes
    take_texts_literally(figure)
    height, width = axes.images[0].get_size()
    figure.set_size_inches(width / DPI, height / DPI)
    box: Any = axes.get_tightbbox()
    left, bottom = math.ceil(max(0, -box.x0)), math.ceil(max(0, -box.y0))
    total_width = left + width + math.ceil(max(0, box.x1 - width))
    total_height = bottom + height + math.ceil(max(0, box.y1 - height))
    figure.set_size_inches(total_width / DPI, total_height / DPI)
    axes.set_position(
        (
            left / total_width,
            bottom / total_height,
            (width - _SLACK) / total_width,
            (height - _SLACK) / total_height,
        )
    )
    return figure


def note_below(figure: Figure, text: str) -> Figure:
    """Writes a note below everything that a figure shows.

    Args:
        figure: The figure, which is changed.
        text: The note, which is broken into lines as wide as the figure.

    Returns:
        The figure.

    Raises:
        UsageError: If `figure` is not a matplotlib figure, or `text` is not a text.
    """
    check_text("text", text)
    check_figure(figure)
    # Where the panels end is known only once they are laid out.
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    lines = textwrap.wrap(text, max(30, int((box.x1 - max(box.x0, 0)) / _CHARACTER)))
    figure.text(
        max(box.x0, 0) / width,
        (box.y0 - 0.08) / height,
        "\n".join(lines),
        fontsize=FONT_SIZE - 1,
        verticalalignment="top",
        color="#444444",
        parse_math=False,
    )
    # The panels stay where they are: a new layout would make room for the note.
    figure.set_layout_engine("none")
    return figure
