"""Information over training, method beside method."""

import numpy as np
import pytest

from keras_devae import figures
from keras_devae.errors import UsageError

STEPS = [100, 200, 300]


def test_each_factor_has_the_mean_and_the_range_of_each_method():
    # (seeds, steps, factors)
    first = np.array([[[0.0, 0.1], [0.5, 0.2], [0.4, 0.3]], [[0.2, 0.1], [0.7, 0.2], [0.8, 0.3]]])
    figure = figures.information_curves(
        STEPS, {"DynamicVAE": first, "DeVAE": [first[0] / 2]}, ["shape", "scale"]
    )
    shape, scale = figure.axes
    assert [axes.get_title(loc="left") for axes in (shape, scale)] == ["shape", "scale"]
    lines = {line.get_label(): line for line in shape.lines}
    np.testing.assert_allclose(lines["DynamicVAE"].get_ydata(), [0.1, 0.6, 0.6])
    np.testing.assert_allclose(lines["DeVAE"].get_ydata(), [0, 0.25, 0.2])
    band = shape.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((0.0, 0.8))
    assert lines["DynamicVAE"].get_linestyle() != lines["DeVAE"].get_linestyle()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="3 steps"):
        figures.information_curves(STEPS, {"DeVAE": [np.zeros((2, 1))]}, ["shape"])
    with pytest.raises(UsageError, match="factor"):
        figures.information_curves(STEPS, {"DeVAE": [np.zeros((3, 1))]}, ["shape", "scale"])
