import numpy as np
import pytest
from PIL import Image

from keras_devae.errors import UsageError
from keras_devae.figures import learning_curves, save

HISTORY = {
    "step": [100, 200, 300],
    "loss": [9.0, 5.0, 4.0],
    "reconstruction_loss": [8.0, 3.0, 1.0],
    "kl_loss_layer_0": [1.0, 2.0, 3.0],
    "kl_loss_layer_1": [0.5, 1.0, 1.5],
    "val_loss": [9.5, 5.5, 4.5],
    "val_kl_loss_layer_1": [0.6, 1.1, 1.6],
}


def panels(figure):
    return {axes.get_title("left"): axes for axes in figure.axes}


def legend_texts(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_every_quantity_has_a_panel_with_its_numbers():
    drawn = panels(learning_curves(HISTORY))
    assert list(drawn) == ["loss", "reconstruction", "KL by layer"]
    for axes in drawn.values():
        assert axes.get_xlabel() == "step"
        for line in axes.lines:
            assert line.get_xdata().tolist() == HISTORY["step"]
    (line,) = drawn["reconstruction"].lines
    assert line.get_ydata().tolist() == HISTORY["reconstruction_loss"]
    assert drawn["reconstruction"].get_legend() is None


def test_layers_share_a_panel_in_different_colours():
    axes = panels(learning_curves(HISTORY))["KL by layer"]
    first, second, validation = axes.lines
    assert first.get_ydata().tolist() == HISTORY["kl_loss_layer_0"]
    assert second.get_ydata().tolist() == HISTORY["kl_loss_layer_1"]
    assert validation.get_ydata().tolist() == HISTORY["val_kl_loss_layer_1"]
    assert first.get_color() != second.get_color() == validation.get_color()
    assert (second.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert legend_texts(axes) == ["0", "1", "validation"]


def test_no_two_of_many_layers_look_alike():
    history = {f"{val}kl_loss_layer_{i}": [1.0, 2.0] for val in ("", "val_") for i in range(9)}
    (axes,) = learning_curves(history).axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == len(axes.lines) == 18


def test_validation_is_dashed_in_the_panel_of_its_quantity():
    axes = panels(learning_curves(HISTORY))["loss"]
    training, validation = axes.lines
    assert validation.get_ydata().tolist() == HISTORY["val_loss"]
    assert training.get_color() == validation.get_color()
    assert (training.get_linestyle(), validation.get_linestyle()) == ("-", "--")
    assert legend_texts(axes) == ["training", "validation"]


def test_total_and_layers_of_a_quantity_are_apart():
    drawn = panels(learning_curves({"kl_loss": [3.0], "kl_loss_layer_0": [1.0]}))
    assert list(drawn) == ["KL", "KL by layer"]
    assert [line.get_marker() for line in drawn["KL"].lines] == ["o"]


def test_a_quantity_and_the_loss_named_after_it_are_apart():
    history = {"capacity": [1.0, 2.0], "capacity_loss": [0.5, 0.2], "val_capacity_loss": [0.4, 0.3]}
    drawn = panels(learning_curves(history))
    assert list(drawn) == ["capacity", "capacity loss"]
    (line,) = drawn["capacity"].lines
    assert line.get_ydata().tolist() == [1, 2]
    assert len(drawn["capacity loss"].lines) == 2


def test_steps_are_counted_where_none_are_given():
    (axes,) = learning_curves({"loss": [3.0, 2.0, 1.0]}).axes
    assert axes.lines[0].get_xdata().tolist() == [1, 2, 3]
    (axes,) = learning_curves({"epoch": [5, 6], "loss": [3.0, 2.0]}).axes
    assert axes.get_xlabel() == "epoch" and axes.lines[0].get_xdata().tolist() == [5, 6]


def test_values_that_are_not_finite_leave_a_gap(tmp_path):
    figure = learning_curves({"loss": [3.0, np.inf, 1.0], "beta": [np.nan] * 3})
    values = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(values[1]) and values[[0, 2]].tolist() == [3.0, 1.0]
    assert save(figure, tmp_path / "curves.png").exists()


def test_legend_hides_no_curve():
    figure = learning_curves(HISTORY)
    figure.draw_without_rendering()
    for axes in figure.axes:
        if axes.get_legend() is not None:
            assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


def test_saved_picture_has_the_size_of_its_panels(tmp_path):
    with Image.open(save(learning_curves(HISTORY), tmp_path / "curves.png")) as picture:
        width, height = picture.size
        colors = {tuple(color) for color in np.asarray(picture.convert("RGB")).reshape(-1, 3)}
    # Three panels of 3 x 2 inches at 128 dots an inch, cut to what is drawn.
    assert 3 * 3 * 128 - 40 <= width <= 3 * 3 * 128 + 20
    assert 2 * 128 - 40 <= height <= 2 * 128 + 20
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colors


def test_unused_places_are_empty():
    history = {f"quantity_{name}": [1.0, 2.0] for name in "abcd"}
    assert len(learning_curves(history).axes) == 4


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "must hold a quantity besides the step"),
        ({"step": [1, 2]}, "must hold a quantity besides the step"),
        ({"step": [1, 2], "loss": [1.0]}, r"history\['loss'\].*2 values.*\(1,\)"),
        ({"loss": []}, r"history\['loss'\].*a value.*\(0,\)"),
        ({"loss": [[1.0, 2.0]]}, r"\(1, 2\)"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(history, message):
    with pytest.raises(UsageError, match=message):
        learning_curves(history)
