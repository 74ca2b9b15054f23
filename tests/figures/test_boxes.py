import numpy as np
import pytest
from drawn import tick_texts

from keras_devae.errors import UsageError
from keras_devae.figures import box_plots

VALUES = {
    "MIG": {"devae": [0.1, 0.2, 0.3, 0.4, 0.9], "beta_vae": [0.5]},
    "DCI": {"beta_vae": [0.2, 0.4], "devae": [0.7, 0.8, 0.6]},
}


def medians(axes, direction):
    """The middles of the boxes, from lines that have one value across their box."""
    found = []
    for line in axes.lines:
        across = getattr(line, f"get_{direction}data")()
        if line.get_linewidth() == 2.0:
            found.append(float(across[0]))
    return found


def points(axes):
    return [np.asarray(collection.get_offsets()) for collection in axes.collections]


def test_all_numbers_are_drawn_over_their_box():
    first, second = box_plots(VALUES).axes
    assert [axes.get_title("left") for axes in (first, second)] == ["MIG", "DCI"]
    # Groups keep the order of the first panel: devae at 0, beta_vae at 1.
    assert medians(first, "y") == [0.3, 0.5] and medians(second, "y") == [0.7, pytest.approx(0.3)]
    for axes, panel in zip((first, second), VALUES.values(), strict=True):
        assert tick_texts(axes.xaxis) == ["devae", "beta_vae"]
        for place, (name, drawn) in enumerate(
            zip(("devae", "beta_vae"), points(axes), strict=True)
        ):
            assert drawn[:, 1].tolist() == panel[name]
            assert np.abs(drawn[:, 0] - place).max() < 0.2
            assert len(set(drawn[:, 0])) == len(panel[name])


def test_quartiles_and_whiskers_are_those_of_tukey():
    (axes,) = box_plots({"MIG": {"devae": VALUES["MIG"]["devae"]}}).axes
    (box,) = axes.patches
    corners = box.get_path().vertices[:, 1]
    assert (corners.min(), corners.max()) == pytest.approx((0.2, 0.4))
    # 0.9 is further than 1.5 times 0.2 above the box: the whisker ends at 0.4.
    assert max(line.get_ydata().max() for line in axes.lines) == pytest.approx(0.4)
    assert points(axes)[0][:, 1].max() == 0.9


def test_a_group_has_one_colour_in_all_panels():
    colors = [[patch.get_edgecolor() for patch in axes.patches] for axes in box_plots(VALUES).axes]
    assert colors[0] == colors[1] and len(set(colors[0])) == 2


def test_a_group_without_numbers_leaves_its_place_empty():
    first, second = box_plots({"a": {"x": [1.0], "y": [2.0]}, "b": {"y": [3.0], "x": []}}).axes
    assert len(first.patches) == 2 and len(second.patches) == 1
    assert points(second)[0].tolist() == [[1.0, 3.0]]
    assert second.patches[0].get_edgecolor() == first.patches[1].get_edgecolor()
    assert first.get_xlim() == second.get_xlim()


@pytest.mark.parametrize("horizontal", [False, True])
def test_references_stand_at_their_groups(horizontal):
    figure = box_plots(VALUES, horizontal, references={"DCI": {"beta_vae": 0.9}})
    first, second = (points(axes) for axes in figure.axes)
    assert len(first) == 2
    place = [0.9, 1.0] if horizontal else [1.0, 0.9]
    assert second[-1].tolist() == [place]


def test_boxes_that_lie_have_the_first_group_on_top():
    (axes, _) = box_plots(VALUES, horizontal=True).axes
    assert medians(axes, "x") == [0.3, 0.5]
    assert tick_texts(axes.yaxis) == ["devae", "beta_vae"]
    low, high = axes.get_ylim()
    assert low > high
    assert points(axes)[0][:, 0].tolist() == VALUES["MIG"]["devae"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "must hold a panel with a group"),
        ({"a": {"x": []}}, "must hold a panel with a group"),
        ({"a": {"x": [1.0, np.nan]}}, r"values\['a'\]\['x'\].*nan"),
        ({"a": {"x": [[1.0]]}}, "sequence of finite numbers"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(values, message):
    with pytest.raises(UsageError, match=message):
        box_plots(values)
