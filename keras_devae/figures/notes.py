"""A sentence under a figure that goes wherever the figure goes."""

import textwrap

from matplotlib.figure import Figure

from keras_devae.figures.arguments import check_figure, check_text
from keras_devae.figures.canvas import FONT_SIZE

#: About how many inches a character of the note is wide.
_CHARACTER = 0.052


def note_below(figure: Figure, text: str) -> Figure:
    """Writes a note under all that a figure shows.

    Args:
        figure: The figure; it is changed.
        text: The note. It is broken into lines as wide as the figure.

    Returns:
        The figure.
    """
    check_text("text", text)
    check_figure(figure)
    # Until the panels are laid out, nothing says where they end.
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
