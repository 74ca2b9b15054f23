import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.figures import front_curves

WEAK, STRONG = np.array([[10.0, 0.2], [12.0, 0.4]]), np.array([[30.0, 0.5]])


def test_runs_are_points_and_means_are_joined():
    panels = {"MIG": {"a": {"1": WEAK, "2": STRONG}, "b": {"1": STRONG}}}
    (axes,) = front_curves(panels, "error", ringed="1").axes
    line, other = axes.lines
    assert line.get_xydata() == pytest.approx(np.array([[11.0, 0.3], [30.0, 0.5]]))
    assert other.get_xydata() == pytest.approx(STRONG)
    weak, strong, ring, *_ = (np.asarray(part.get_offsets()) for part in axes.collections)
    assert weak == pytest.approx(WEAK) and strong == pytest.approx(STRONG)
    assert ring == pytest.approx(np.array([[11.0, 0.3]]))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_title("left")) == ("log", "error", "MIG")


def test_axis_is_not_logarithmic_where_it_cannot_be():
    below = WEAK - [11, 0]
    (axes,) = front_curves({"MIG": {"a": {"1": below}}}, "error").axes
    assert axes.get_xscale() == "linear"


def test_groups_look_alike_in_all_panels_and_each_row_has_a_legend():
    groups = {"a": {"1": WEAK}, "b": {"1": STRONG}}
    panels = {"one": groups, "two": groups, "three": {"b": groups["b"]}}
    one, two, three = front_curves(panels, "error").axes
    assert one.get_legend() is None and two.get_legend() and three.get_legend()
    looks = {
        (axes.lines[-1].get_color(), axes.lines[-1].get_marker()) for axes in (one, two, three)
    }
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "Received: none"),
        ({"MIG": {"a": {}}}, "Received: none"),
        ({"MIG": {"a": {"1": [1.0, 2.0]}}}, r"\(runs, 2\)"),
        ({"MIG": {"a": {"1": [[np.nan, 2.0]]}}}, "finite"),
        ({"MIG": {"a": {"1": np.zeros((0, 2))}}}, r"\(runs, 2\)"),
        ({"MIG": [1]}, "dictionary"),
    ],
)
def test_wrong_panels_are_refused(panels, message):
    with pytest.raises(UsageError, match=message):
        front_curves(panels, "error")
