import itertools

import numpy as np
import pytest
from drawn import tick_texts

from keras_devae.errors import UsageError
from keras_devae.figures import kl_bars
from keras_devae.figures.divergence_bars import PALE


def heights(container):
    return [bar.get_height() for bar in container]


def centers(container):
    return [bar.get_x() + bar.get_width() / 2 for bar in container]


def test_a_bar_for_each_latent():
    (axes,) = kl_bars([2.5, 0.25]).axes
    (bars,) = axes.containers
    assert heights(bars) == [2.5, 0.25] and np.allclose(centers(bars), [0, 1])
    assert tick_texts(axes.xaxis) == ["z0", "z1"] and axes.get_ylabel() == "nats"
    assert axes.get_legend() is None and not axes.lines


def test_layers_stand_side_by_side_in_their_colours():
    figure = kl_bars(
        [[3.0, 2.0, 1.0], [0.3, 0.2, 0.1]],
        ["z4 scale", "z0", "z1"],
        active=[[True, True, False], [True, False, False]],
        title="A model",
    )
    (axes,) = figure.axes
    first, second = axes.containers
    assert heights(first) == [3.0, 2.0, 1.0] and heights(second) == [0.3, 0.2, 0.1]
    for place, (left, right) in enumerate(zip(first, second, strict=True)):
        assert left.get_x() + left.get_width() == pytest.approx(right.get_x())
        assert right.get_x() == pytest.approx(place)
    assert first[0].get_facecolor() != second[0].get_facecolor()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["layer 0", "layer 1"]
    assert tick_texts(axes.xaxis) == ["z4 scale", "z0", "z1"]
    assert [bar.get_alpha() for bar in first] == [None, None, PALE]
    assert [bar.get_alpha() for bar in second] == [None, PALE, PALE]
    assert axes.get_xlabel() == "pale: not active"
    assert axes.get_title("left") == "A model"


def test_no_two_of_many_layers_look_alike():
    (axes,) = kl_bars(np.ones((9, 2))).axes
    looks = {(bars[0].get_facecolor(), bars[0].get_hatch()) for bars in axes.containers}
    assert len(looks) == 9
    # A hatch of the bar's own colour would not be seen.
    assert all(b[0].get_edgecolor() != b[0].get_facecolor() for b in axes.containers)


def test_the_legend_covers_no_bar():
    figure = kl_bars(np.ones((9, 10)))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    assert not any(legend.overlaps(bar.get_window_extent()) for bar in axes.patches)


def test_names_do_not_run_into_each_other():
    names = [f"z{d} orientation" for d in range(24)]
    figure = kl_bars(np.ones((3, 24)), names)
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
    assert all(left.x1 <= right.x0 for left, right in itertools.pairwise(boxes))
    assert figure.get_size_inches()[0] <= 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "finite numbers"),
        (([1.0, np.nan],), "finite numbers"),
        ((np.zeros((1, 2, 3)),), r"\(1, 2, 3\)"),
        (([1.0], ["a", "b"]), "`latent_names`.*each latent dimension, 1"),
        (([[1.0], [2.0]], None, ["a"]), "`layer_names`.*each layer, 2"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(arguments, message):
    with pytest.raises(UsageError, match=message):
        kl_bars(*arguments)


def test_a_long_title_leaves_room_for_the_bars():
    figure = kl_bars([1.0, 0.2], title=f"DeVAE on npz:/{'folder/' * 20}images.npz: KL divergence")
    figure.draw_without_rendering()  # A layout without room is a warning, and that an error.
    (axes,) = figure.axes
    assert axes.get_window_extent().height > 80
