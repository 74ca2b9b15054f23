import os

import numpy as np
import pytest
from drawn import tick_texts
from PIL import Image

from keras_devae.errors import UsageError
from keras_devae.figures import contact_sheet, reconstructions, save, traversal
from keras_devae.figures.mosaics import to_rgb

GAP = 3


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, size=shape, dtype=np.uint8)


def drawn(figure):
    (axes,) = figure.axes
    (image,) = axes.images
    assert image.get_interpolation() == "nearest"
    return np.asarray(image.get_array())


def cell(figure, row, column, size, factor, row_gap=GAP):
    """The pixels drawn for one image, brought back to their original number."""
    top, left = row * (size * factor + row_gap), column * (size * factor + GAP)
    enlarged = drawn(figure)[top : top + size * factor, left : left + size * factor]
    original = enlarged[::factor, ::factor]
    assert np.array_equal(enlarged, np.kron(original, np.ones((factor, factor, 1), np.uint8)))
    return original


def decode(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def contains(picture, pixels):
    """Whether `pixels` is, exactly, a part of `picture`."""
    height, width = pixels.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(picture[..., 0], (1, width))[:, :, 0]
    starts = np.argwhere(np.all(windows == pixels[0, :, 0], axis=-1))
    return any(
        np.array_equal(picture[top : top + height, left : left + width], pixels)
        for top, left in starts
    )


def test_traversal_puts_every_image_in_its_place():
    images = noise(2, 3, 16, 16, 3)
    figure = traversal(images, [-2, 0, 2])
    assert drawn(figure).shape == (2 * 112 + GAP, 3 * 112 + 2 * GAP, 3)
    for row in range(2):
        for column in range(3):
            assert np.array_equal(cell(figure, row, column, 16, 7), images[row, column])
    assert np.all(drawn(figure)[112 : 112 + GAP] == 255)


def test_traversal_writes_values_row_labels_and_title():
    images = noise(2, 5, 16, 16, 1)
    labels = ["z3  KL 2.41", "z0  KL 0.02"]
    figure = traversal(images, np.linspace(-3, 3, 5), labels, title="layer 0, $5 off")
    (axes,) = figure.axes
    assert tick_texts(axes.xaxis) == ["-3", "-1.5", "0", "1.5", "3"]
    assert tick_texts(axes.yaxis) == labels
    assert axes.get_title("left") == "layer 0, $5 off"
    # The labels stand at the middle of the images they belong to.
    assert axes.get_xticks().tolist() == [55.5 + 115 * step for step in range(5)]
    assert axes.get_yticks().tolist() == [55.5, 170.5]


def test_values_are_written_without_rounding_noise():
    figure = traversal(noise(1, 3, 8, 8, 1), [-0.1 - 1e-17, -4.44e-16, 0.30000000000000004])
    assert tick_texts(figure.axes[0].xaxis) == ["-0.1", "0", "0.3"]
    figure = traversal(noise(1, 2, 8, 8, 1), [-1e-5, 0.0])
    assert tick_texts(figure.axes[0].xaxis) == ["-1e-05", "0"]


def test_grey_is_drawn_as_three_equal_channels_and_floats_as_bytes():
    grey = noise(1, 2, 16, 16, 1)
    for images in (grey, grey / 255.0, (grey / 255).astype(np.float32)):
        figure = traversal(images, [0, 1])
        assert np.array_equal(cell(figure, 0, 1, 16, 7), grey[0, 1].repeat(3, axis=-1))


def test_floats_that_stray_are_clipped():
    images = np.array([-0.2, 1.3]).reshape(1, 2, 1, 1, 1)
    figure = traversal(images, [0, 1])
    assert cell(figure, 0, 0, 1, 112).tolist() == [[[0, 0, 0]]]
    assert cell(figure, 0, 1, 1, 112).tolist() == [[[255, 255, 255]]]


def test_many_columns_get_smaller_images():
    images = noise(1, 40, 32, 32, 1)
    assert drawn(traversal(images, np.arange(40))).shape[1] == 40 * 32 + 39 * GAP


def test_reconstructions_put_the_originals_first():
    originals, layers = noise(4, 16, 16, 3), noise(2, 4, 16, 16, 3, seed=1)
    figure = reconstructions(originals, layers / 255.0, ["layer 0\n21.3 nats", "layer 1\n40 nats"])
    for column in range(4):
        assert np.array_equal(cell(figure, 0, column, 16, 7), originals[column])
        for layer in range(2):
            assert np.array_equal(cell(figure, layer + 1, column, 16, 7), layers[layer, column])
    assert tick_texts(figure.axes[0].yaxis) == [
        "original",
        "layer 0\n21.3 nats",
        "layer 1\n40 nats",
    ]
    assert drawn(figure).shape[0] == 3 * 112 + 2 * GAP


def test_contact_sheet_fills_rows_and_leaves_the_rest_white():
    images = noise(5, 8, 8, 3)
    figure = contact_sheet(images, 3)
    for index in range(5):
        assert np.array_equal(cell(figure, index // 3, index % 3, 8, 14), images[index])
    assert np.all(cell(figure, 1, 2, 8, 14) == 255)


def test_contact_sheet_labels_stand_under_their_images():
    images = noise(4, 16, 16, 1)
    figure = contact_sheet(images, 2, labels=["a", "b", "c", "d"], row_labels=["real", "rendered"])
    (axes,) = figure.axes
    assert tick_texts(axes.yaxis) == ["real", "rendered"]
    texts = {text.get_text(): text for text in axes.texts}
    assert list(texts) == ["a", "b", "c", "d"]
    assert texts["d"].xy == (55.5 + 115, 2 * 112 + 22 - 0.5)
    assert np.array_equal(cell(figure, 1, 1, 16, 7, row_gap=22), images[3].repeat(3, axis=-1))
    # Between a row's lower edge and the next row's upper one.
    box = texts["a"].get_window_extent()
    upper, lower = (axes.transData.transform((0, y))[1] for y in (111.5, 133.5))
    assert lower <= box.y0 < box.y1 <= upper


@pytest.mark.parametrize(
    "figure",
    [
        traversal(noise(3, 11, 64, 64, 1), np.linspace(-2, 2, 11), ["z3  KL 2.41", "b", "c"], "t"),
        traversal(noise(1, 2, 28, 28, 3), [0, 1]),
        reconstructions(noise(7, 32, 32, 3), noise(1, 7, 32, 32, 3), ["layer 0"]),
        contact_sheet(noise(5, 17, 13, 3), 3, row_labels=["long label", "b"]),
    ],
    ids=["labels", "bare", "reconstructions", "contact_sheet"],
)
def test_saved_picture_has_exactly_the_pixels_and_little_around(figure, tmp_path):
    path = save(figure, tmp_path / "figure.png")
    picture, pixels = decode(path), drawn(figure)
    assert contains(picture, pixels)
    height, width = pixels.shape[:2]
    assert height + 12 <= picture.shape[0] <= height + 12 + 60
    assert width + 12 <= picture.shape[1] <= width + 12 + 120
    assert np.all(picture[[0, -1]] == 255) and np.all(picture[:, [0, -1]] == 255)


def test_a_title_stands_above_the_images_and_leaves_their_pixels(tmp_path):
    figures = [contact_sheet(noise(4, 16, 16, 1), 2, title=title) for title in (None, "$5 left")]
    assert figures[1].axes[0].get_title("left") == "$5 left"
    bare, titled = (decode(save(f, tmp_path / f"{i}.png")) for i, f in enumerate(figures))
    assert contains(titled, drawn(figures[1]))
    assert bare.shape[0] + 8 <= titled.shape[0] <= bare.shape[0] + 40


def test_labels_of_images_leave_the_saved_pixels(tmp_path):
    figure = contact_sheet(noise(5, 17, 13, 3), 3, labels=list("abcde"), row_labels=["a", "b"])
    picture, pixels = decode(save(figure, tmp_path / "sheet.png")), drawn(figure)
    height = 17 * 7
    assert contains(picture, pixels[:height]) and contains(picture, pixels[height + 22 :])
    assert not contains(picture, pixels[: height + 22])  # the letters


def test_size_of_a_saved_picture_without_labels(tmp_path):
    picture = decode(save(contact_sheet(noise(4, 16, 16, 1), 2), tmp_path / "sheet.png"))
    assert picture.shape == (2 * 112 + GAP + 12, 2 * 112 + GAP + 12, 3)


def test_labels_are_inside_the_figure():
    figure = traversal(noise(2, 3, 16, 16, 1), [0, 1, 2], ["a very long label of a row", "b"], "t")
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01 and box.y0 >= -0.01
    assert box.x1 <= width + 0.01 and box.y1 <= height + 0.01


def test_save_leaves_one_file_and_replaces_it(tmp_path):
    path = tmp_path / "new" / "figure.png"
    path.parent.mkdir()
    path.write_text("old")
    assert save(contact_sheet(noise(1, 8, 8, 1), 1), path) == path
    assert os.listdir(path.parent) == ["figure.png"]
    assert decode(path).shape == (124, 124, 3)
    first = path.read_bytes()
    save(contact_sheet(noise(1, 8, 8, 1), 1), str(path))
    assert path.read_bytes() == first


def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "figure.png"
    path.write_text("old")
    figure = contact_sheet(noise(1, 8, 8, 1), 1)

    def write_half(file, **keywords):
        file.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(figure, "savefig", write_half)
    with pytest.raises(OSError, match="No space left"):
        save(figure, path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["figure.png"]


def test_suffix_chooses_the_format(tmp_path):
    figure = contact_sheet(noise(1, 8, 8, 1), 1)
    assert save(figure, tmp_path / "missing" / "a.pdf").read_bytes().startswith(b"%PDF")
    for name in ("figure", "figure.bmpp"):
        with pytest.raises(UsageError, match=rf"suffix.*{name}'; use \.png"):
            save(figure, tmp_path / name)


IMAGES = noise(2, 3, 8, 8, 1)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (traversal, (IMAGES, [0, 1]), r"Received: \(2, 3, 8, 8, 3\) and \(2,\)"),
        (traversal, (IMAGES[0], [0, 1, 2]), "rows, steps"),
        (traversal, (IMAGES, [0, 1, 2], ["a"]), "`row_labels` must have.*each row, 2.*Received: 1"),
        (traversal, (IMAGES.astype(int), [0, 1, 2]), "uint8, or floats.*int64"),
        (traversal, (IMAGES * np.nan, [0, 1, 2]), "Received: NaN"),
        (reconstructions, (IMAGES[0], IMAGES[:, :2], ["a", "b"]), r"\(layers, n, height"),
        (
            reconstructions,
            (IMAGES[0], IMAGES, ["a"]),
            "`titles` must have one entry for each layer",
        ),
        (contact_sheet, (IMAGES[0], 0), "`columns`.*at least 1.*0"),
        (contact_sheet, (IMAGES, 2), "height, width, channels"),
        (contact_sheet, (IMAGES[0], 2, ["a"]), "`labels` must have one entry for each image, 3"),
        (contact_sheet, (IMAGES[0], 2, None, ["a"]), "`row_labels`.*each row, 2"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(function, arguments, message):
    with pytest.raises(UsageError, match=message):
        function(*arguments)


@pytest.mark.parametrize("channels", [2, 4, 5, 6, 10])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_other_channels_are_grey_panels_side_by_side(channels, dtype):
    images = noise(2, 3, 6, 4, channels)
    given = images if dtype == np.uint8 else (images / 255).astype(dtype)
    drawn = to_rgb(given)
    columns = channels if channels <= 5 else {6: 3, 10: 4}[channels]
    rows = -(-channels // columns)
    assert drawn.shape == (2, 3, rows * 7 - 1, columns * 5 - 1, 3)
    # What is taken off panel by panel leaves the grey between them.
    rest = drawn.copy()
    for channel in range(channels):
        top, left = 7 * (channel // columns), 5 * (channel % columns)
        panel = drawn[..., top : top + 6, left : left + 4, :]
        np.testing.assert_array_equal(panel, images[..., [channel] * 3])
        rest[..., top : top + 6, left : left + 4, :] = 160
    assert (rest == 160).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 31])
@pytest.mark.parametrize(
    "draw",
    [
        lambda images: traversal(images, [0, 1, 2], ["a", "b"], "title"),
        lambda images: reconstructions(images[0], images, ["layer 0", "layer 1"]),
        lambda images: contact_sheet(images[0], 2, ["a", "b", "c"]),
    ],
    ids=["traversal", "reconstructions", "contact_sheet"],
)
def test_images_of_any_channels_are_drawn_in_their_places(draw, channels, tmp_path):
    images = noise(2, 3, 8, 8, channels)
    figure = draw(images)
    pixels = drawn(figure)
    one = to_rgb(images)[0, 1]
    factor = max(1, round(112 / max(one.shape[:2])))
    enlarged = one.repeat(factor, 0).repeat(factor, 1)
    assert contains(pixels, enlarged)
    assert contains(decode(save(figure, tmp_path / "figure.png")), pixels[: len(enlarged)])


@pytest.mark.parametrize("shape", [(8, 8), (0, 8, 8, 3), (2, 8, 8, 0)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(UsageError, match=r"channels as the last axis.*Received: shape"):
        to_rgb(np.zeros(shape, np.uint8))
