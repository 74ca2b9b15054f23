import os

import numpy as np
import pytest
from PIL import Image, ImageSequence

from keras_devae.errors import UsageError
from keras_devae.figures import contact_sheet, kl_bars, pixels_of, save_animation


def frames_of(count=4, size=(12, 20)):
    """Frames in a few greys, each with a white line at another place."""
    frames = np.full((count, *size, 3), 50, np.uint8)
    for number, frame in enumerate(frames):
        frame[:, 3 * number] = 255
    return frames


def read(path):
    with Image.open(path) as picture:
        infos = [dict(frame.info) for frame in ImageSequence.Iterator(picture)]
        pixels = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(picture)]
        return np.stack(pixels), infos, picture.info


def test_frames_come_back_in_order_with_their_time_and_without_end(tmp_path):
    path = save_animation(frames_of(), tmp_path / "new" / "moving.gif", seconds=0.25)
    pixels, infos, whole = read(path)
    np.testing.assert_array_equal(pixels, frames_of())
    assert [info["duration"] for info in infos] == [250] * 4
    assert whole["loop"] == 0
    assert os.listdir(path.parent) == ["moving.gif"]


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "moving.gif"
    path.write_text("old")

    def write_half(self, file, **options):
        file.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", write_half)
    with pytest.raises(OSError, match="No space left"):
        save_animation(frames_of(), path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["moving.gif"]


def test_pixels_are_those_of_the_figure_within_a_white_border():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    figure = contact_sheet(images, 2)
    drawn = pixels_of(figure)
    np.testing.assert_array_equal(drawn[6:-6, 6:-6], figure.axes[0].images[0].get_array())
    assert (drawn[:6] == 255).all() and (drawn[:, -6:] == 255).all()


def test_names_with_dollar_signs_are_drawn_as_they_are():
    """Matplotlib would read a formula into it, and fail."""
    drawn = pixels_of(kl_bars([1.0, 2.0], ["a_b $x_{$ c", "z1"]))
    assert drawn.min() < 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": frames_of()[0]}, r"\(12, 20, 3\), dtype uint8"),
        ({"frames": frames_of() / 255.0}, "dtype float64"),
        ({"frames": frames_of()[:0]}, r"\(0, 12"),
        ({"path": "moving.png"}, "must end in .gif"),
        ({"seconds": 0.01}, "`seconds`.*0.02"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(change, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        save_animation(**{"frames": frames_of(), "path": "moving.gif", **change})
    assert os.listdir() == []
