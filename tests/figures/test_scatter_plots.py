import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.figures import factor_scatter, score_scatter

FACTORS = np.array([[0, 2], [0, 1], [1, 2], [1, 0]])
CODES = np.array([[-1.0, 5.0], [-2.0, 6.0], [3.0, 7.0], [4.0, 8.0]])


def points(collection):
    return np.asarray(collection.get_offsets()).tolist()


def test_each_pair_has_a_panel_with_its_points_and_means():
    figure = factor_scatter(CODES, FACTORS, ["z3", "z0"], ["shape", "scale"])
    first, second = figure.axes
    assert [axes.get_title("left") for axes in figure.axes] == ["shape: z3", "scale: z0"]
    assert (first.get_xlabel(), first.get_ylabel()) == ("shape", "z3")
    assert points(first.collections[0]) == [[0, -1], [0, -2], [1, 3], [1, 4]]
    assert points(second.collections[0]) == [[2, 5], [1, 6], [2, 7], [0, 8]]
    (line,) = first.lines
    assert line.get_xdata().tolist() == [0, 1] and list(line.get_ydata()) == [-1.5, 3.5]
    (line,) = second.lines
    assert line.get_xdata().tolist() == [0, 1, 2] and list(line.get_ydata()) == [8, 6, 6]


def test_runs_of_a_group_have_one_colour_and_one_shape():
    figure = score_scatter(
        [20.0, 30.0, 21.0], [0.3, 0.1, 0.4], ["devae", "beta_vae", "devae"], "error", "MIG"
    )
    (axes,) = figure.axes
    devae, beta_vae = axes.collections
    assert points(devae) == [[20.0, 0.3], [21.0, 0.4]] and points(beta_vae) == [[30.0, 0.1]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["devae", "beta_vae"]
    assert devae.get_facecolor().tolist() != beta_vae.get_facecolor().tolist()
    shapes = [c.get_paths()[0].vertices.tolist() for c in (devae, beta_vae)]
    assert shapes[0] != shapes[1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("error", "MIG")


def test_many_groups_are_all_told_apart():
    count = 20
    (axes,) = score_scatter(
        range(count), range(count), [f"group {i}" for i in range(count)], "x", "y"
    ).axes
    looks = {
        (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes()) for c in axes.collections
    }
    assert len(looks) == count


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: factor_scatter(CODES, FACTORS[:, :1], ["a", "b"], ["a"]), r"\(4, 2\) and \(4, 1"),
        (lambda: factor_scatter(CODES[:0], FACTORS[:0], "ab", "ab"), "not empty"),
        (lambda: factor_scatter(CODES, FACTORS, ["a"], ["a", "b"]), "`latent_names`.*each pair"),
        (lambda: score_scatter([1.0], [1.0, 2.0], ["a"], "x", "y"), "one length"),
        (lambda: score_scatter([], [], [], "x", "y"), "at least 1"),
        (lambda: score_scatter([1.0], [np.nan], ["a"], "x", "y"), "NaN"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(draw, message):
    with pytest.raises(UsageError, match=message):
        draw()


def test_factors_are_drawn_in_their_own_terms():
    rng = np.random.default_rng(0)
    colours, angles, sizes = rng.integers(0, 3, 500), rng.uniform(0, 360, 500), np.arange(500) % 3
    factors = np.stack([colours, angles, sizes], axis=1)
    nominal, continuous, ordered = factor_scatter(
        np.stack([colours, np.sin(np.radians(angles)), sizes], axis=1),
        factors,
        ["z0", "z1", "z2"],
        ["colour", "angle", "size"],
        {"colour": ("blue", "green", "red"), "size": ("0.5", "1", "4"), "angle": ("[0, 360]",)},
        {"colour"},
        {"angle"},
    ).axes
    (means,) = nominal.lines
    assert means.get_linestyle() == "None" and ordered.lines[0].get_linestyle() == "-"
    assert [label.get_text() for label in nominal.get_xticklabels()] == ["blue", "green", "red"]
    assert [label.get_text() for label in ordered.get_xticklabels()] == ["0.5", "1", "4"]
    np.testing.assert_array_equal(means.get_xdata(), [0, 1, 2])
    x, y = continuous.lines[0].get_data()
    assert len(x) == 20 and not continuous.get_xticklabels()[0].get_text().startswith("[")
    np.testing.assert_allclose(y, np.sin(np.radians(x)), atol=0.03)
    np.testing.assert_array_equal(continuous.collections[0].get_offsets()[:, 0], angles)
