"""A sentence under a figure."""

import numpy as np

from keras_devae import figures


def test_the_note_stands_below_everything_and_leaves_the_panels_where_they_are():
    figure = figures.learning_curves({"step": [1, 2], "loss": [3.0, 2.0], "kl_loss": [1.0, 1.0]})
    figure.draw_without_rendering()
    before = [axes.get_position().bounds for axes in figure.axes]
    lowest = figure.get_tightbbox().y0
    text = "Twenty thousand steps on small images, not the paper's setting. " * 3
    figures.note_below(figure, text)
    figure.draw_without_rendering()
    np.testing.assert_allclose([axes.get_position().bounds for axes in figure.axes], before)
    (note,) = (t for t in figure.texts if "Twenty" in t.get_text())
    box = note.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    assert box.y1 < lowest
    assert note.get_text().replace("\n", " ").strip() == text.strip()
    # Broken into lines that are no wider than the figure.
    assert box.width <= figure.get_size_inches()[0] + 0.2
