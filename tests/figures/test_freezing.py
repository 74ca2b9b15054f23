import numpy as np
import pytest
from drawn import tick_texts

from keras_devae.errors import UsageError
from keras_devae.figures import freezing_curves

BETAS = [100, 10, 1]
SHARES = np.array([[0, 0], [0.4, 0], [0.8, 0.05]])


def test_a_line_for_each_factor_over_falling_pressures():
    (axes,) = freezing_curves(BETAS, SHARES, ["scale", "shape"], [31.6, None], [1, 9]).axes
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_array_equal(lines["scale"].get_ydata(), SHARES[:, 0])
    np.testing.assert_array_equal(lines["shape"].get_xdata(), BETAS)
    left, right = axes.get_xlim()
    assert left > 100 and right < 1 and axes.get_xscale() == "log"
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    # Half way on the logarithmic axis the line is half way up.
    assert [mark.get_ydata()[0] for mark in marks] == [pytest.approx(0.2, abs=1e-3)]
    assert {text.get_text() for text in axes.texts} == {"1", "9"}


def test_pressures_within_a_decade_have_numbers_on_their_axis():
    figure = freezing_curves([90, 40, 12], SHARES, ["scale", "shape"], [None, None])
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert {"20", "50"} <= set(tick_texts(axes.xaxis))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], SHARES, ["a", "b"], [None] * 2), "`betas` must be"),
        ((BETAS, SHARES, ["a", "b", "c"], [None] * 2), "`factor_names`"),
        ((BETAS, SHARES, ["a", "b"], [None]), "`points`"),
        (([], np.zeros((0, 2)), ["a", "b"], [None] * 2), "`shares`"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        freezing_curves(*arguments)
