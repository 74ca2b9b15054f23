import numpy as np
import pytest
from drawn import tick_texts
from matplotlib.collections import QuadMesh

from keras_devae.errors import UsageError
from keras_devae.figures import information_map, information_over_layers

# Two layers, three latents, two factors with entropies of 2 and 4 nats.
INFORMATION = np.array(
    [[[2.0, 0.0], [0.5, 3.0], [0.0, 0.1]], [[1.0, 0.0], [0.4, 1.0], [0.0, 0.04]]]
)
ENTROPIES, FACTORS = [2.0, 4.0], ["shape", "scale"]
SHARES = INFORMATION / ENTROPIES


def maps(figure):
    """The panels with cells, without the scale."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def cells(axes):
    (mesh,) = [c for c in axes.collections if isinstance(c, QuadMesh)]
    return mesh


def test_cells_have_the_share_of_entropy_as_shade_and_number():
    (axes,) = maps(information_map(INFORMATION[0], ENTROPIES, FACTORS))
    np.testing.assert_allclose(cells(axes).get_array(), SHARES[0])
    numbers = {text.get_position(): text.get_text() for text in axes.texts}
    assert numbers[(0, 0)] == "1.00" and numbers[(1, 1)] == "0.75" and numbers[(0, 1)] == "0.25"
    # Three cells tell less than 0.05.
    assert len(numbers) == 3
    assert tick_texts(axes.xaxis) == FACTORS and tick_texts(axes.yaxis) == ["z0", "z1", "z2"]
    # The first latent is on top.
    assert axes.get_ylim() == (2.5, -0.5)


def test_numbers_can_be_read_on_their_shade():
    (axes,) = maps(information_map(INFORMATION[0], ENTROPIES, FACTORS))
    mesh = cells(axes)
    for text in axes.texts:
        column, row = text.get_position()
        shade = mesh.cmap(mesh.norm(SHARES[0][row, column]))[:3]
        luminance = np.dot(shade, (0.299, 0.587, 0.114))
        assert text.get_color() == ("white" if luminance < 0.5 else "black")


def test_numbers_leave_the_panels_where_they_are_and_stay_in_their_cells():
    few, many = (
        information_map(np.full((4, 3), share), np.ones(3), ["a", "b", "c"])
        for share in (0.01, 0.88)
    )
    for figure in (few, many):
        figure.draw_without_rendering()
    places = [maps(figure)[0].get_position().bounds for figure in (few, many)]
    np.testing.assert_array_equal(*places)
    (axes,) = maps(many)
    assert len(axes.texts) == 12 and not maps(few)[0].texts
    for text in axes.texts:
        column, row = text.get_position()
        corners = axes.transData.transform([(column - 0.5, row + 0.5), (column + 0.5, row - 0.5)])
        box = text.get_window_extent()
        assert (corners[0] <= box.min).all() and (box.max <= corners[1]).all()


def test_layers_have_panels_with_one_scale():
    figure = information_map(
        INFORMATION, ENTROPIES, FACTORS, ["z7 scale", "z1", "z4"], ["first", "last"], "A model"
    )
    first, last = maps(figure)
    for number, axes in enumerate((first, last)):
        np.testing.assert_allclose(cells(axes).get_array(), SHARES[number])
        assert cells(axes).get_clim() == (0, 1)
    assert [axes.get_title("left") for axes in (first, last)] == ["first", "last"]
    assert tick_texts(first.yaxis) == ["z7 scale", "z1", "z4"]
    assert tick_texts(last.yaxis) == [""] * 3
    assert figure.get_suptitle() == "A model"
    (scale,) = [axes for axes in figure.axes if axes not in (first, last)]
    assert scale.get_ylabel() == "share of entropy" and scale.get_ylim() == (0, 1)


def test_many_layers_stay_within_the_width_of_a_page():
    information = np.zeros((5, 4, 7))
    figure = information_map(information, np.ones(7), list("abcdefg"))
    assert len(maps(figure)) == 5
    assert figure.get_size_inches()[0] <= 7.4
    assert [axes.get_title("left") for axes in maps(figure)] == [f"layer {i}" for i in range(5)]


def test_lines_are_the_best_latent_of_each_factor_by_layer():
    (axes,) = information_over_layers(INFORMATION, ENTROPIES, FACTORS).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == FACTORS
    assert lines["shape"].get_ydata().tolist() == [1.0, 0.5]
    assert lines["scale"].get_ydata().tolist() == [0.75, 0.25]
    assert lines["shape"].get_color() != lines["scale"].get_color()
    assert lines["shape"].get_marker() != lines["scale"].get_marker()
    assert tick_texts(axes.xaxis) == ["0", "1"] and "best latent" in axes.get_ylabel()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == FACTORS


def test_a_single_layer_is_a_point_for_each_factor():
    (axes,) = information_over_layers(INFORMATION[:1], ENTROPIES, FACTORS, ["only"]).axes
    assert [line.get_marker() for line in axes.lines] == ["o", "s"]
    assert tick_texts(axes.xaxis) == ["only"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: information_map(INFORMATION[0, 0], ENTROPIES, FACTORS), r"shape \(2,\)"),
        (lambda: information_map(np.zeros((0, 2)), ENTROPIES, FACTORS), "not empty"),
        (lambda: information_map(INFORMATION, [1.0], FACTORS), "2 numbers above 0"),
        (lambda: information_map(INFORMATION, [1.0, 0.0], FACTORS), "leave out factors"),
        (lambda: information_map(INFORMATION, ENTROPIES, ["a"]), "`factor_names`"),
        (lambda: information_map(INFORMATION, ENTROPIES, FACTORS, ["a"]), "`latent_names`"),
        (
            lambda: information_map(INFORMATION, ENTROPIES, FACTORS, None, ["a"]),
            "`layer_names`.*each layer, 2",
        ),
        (lambda: information_over_layers(INFORMATION[0], ENTROPIES, FACTORS), r"\(3, 2\)"),
        (lambda: information_over_layers(INFORMATION, ENTROPIES, FACTORS, "abc"), "`layer_names`"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(draw, message):
    with pytest.raises(UsageError, match=message):
        draw()
