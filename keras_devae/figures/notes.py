"""A sentence under a figure that goes wherever the figure goes."""

import textwrap

from matplotlib.figure import Figure

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
    # Until the panels are laid out, nothing says where they end.
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    box = figure.get_tightbbox()
    lines = textwrap.wrap(text, max(30, int((box.x1 - max(box.x0, 0)) / _CHARACTER)))
    note = figure.text(
        max(box.x0, 0) / width,
        (box.y0 - 0.08) / height,
        "\n".join(lines),
        fontsize=FONT_SIZE - 1,
        verticalalignment="top",
        color="#444444",
        parse_math=False,
    )
    # It lies outside, where the layout of the panels should not make room for it.
    note.set_in_layout(True)
    if figure.get_layout_engine() is not None:
        figure.set_layout_engine("none")
    return figure
