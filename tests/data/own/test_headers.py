import numpy as np
import pytest
from PIL import Image

from keras_devae.data import load, outline
from keras_devae.data.own.headers import Header, read_headers, summary_of


def save(folder, name, shape, **options):
    pixels = np.random.default_rng(len(name)).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(folder / name, **options)


@pytest.mark.parametrize(
    ("sizes", "size"),
    [
        ([(28, 28)] * 3, 28),
        ([(96, 96)] * 3, 96),
        ([(218, 178)] * 3, (218, 178)),
        ([(512, 16)], (512, 16)),
        ([(1024, 512)] * 2, (128, 64)),
        ([(513, 513)], 128),
        ([(8, 8)] * 2, 16),
        ([(8, 12)] * 2, (16, 24)),
        ([(2000, 20)], (512, 16)),
        ([(100, 100), (120, 120), (300, 200)], 64),
        ([(110, 100), (100, 100), (105, 95)], 64),
        ([(400, 200), (300, 150), (100, 50)], (64, 32)),
        ([(30, 30), (31, 30), (31, 30)], 30),
        ([], 64),
    ],
)
def test_sizes_are_proposed_from_the_pictures(sizes, size):
    headers = [Header(*each, "RGB") for each in sizes] + [Header(reason="damaged")]
    assert summary_of(headers).size == size
    assert summary_of(headers).form((20, 30)).size == (20, 30)


def test_headers_say_what_decoding_finds(tmp_path):
    save(tmp_path, "a.png", (20, 30))
    save(tmp_path, "bb.png", (20, 30, 3))
    save(tmp_path, "ccc.png", (20, 30, 4))
    turned = Image.Exif()
    turned[274] = 6
    save(tmp_path, "dddd.jpg", (20, 30, 3), exif=turned)
    save(tmp_path, "e.gif", (20, 30))
    Image.fromarray(np.full((20, 30), 300, np.uint16)).save(tmp_path / "f.png")
    Image.new("1", (30, 20)).save(tmp_path / "g.png")
    (tmp_path / "h.png").write_text("no picture")
    headers = read_headers(sorted(tmp_path.iterdir()))
    assert [(h.height, h.width) for h in headers[:7]] == [(20, 30)] * 3 + [(30, 20)] + [
        (20, 30)
    ] * 3
    assert [h.is_grey for h in headers[:7]] == [True, False, False, False, True, True, True]
    assert [h.may_be_transparent for h in headers[:4]] == [False, False, True, False]
    assert headers[7].reason is not None


@pytest.mark.parametrize(
    ("shape", "image_shape"),
    [
        ((28, 28), (28, 28, 1)),
        ((96, 96, 3), (96, 96, 3)),
        ((218, 178, 3), (218, 178, 3)),
        ((64, 64, 4), (64, 64, 3)),
        ((64, 64, 2), (64, 64, 1)),
    ],
)
def test_pictures_keep_their_size_and_channels(tmp_path, shape, image_shape):
    for name in ("a.png", "bb.png", "ccc.png"):
        save(tmp_path, name, shape)
    assert outline(f"folder:{tmp_path}").image_shape == image_shape
    dataset = load(f"folder:{tmp_path}")
    assert dataset.image_shape == image_shape and "kept at their size" in dataset.description
    if shape[2:] not in [(2,), (4,)]:
        stored = np.asarray(Image.open(tmp_path / "bb.png")).reshape(image_shape)
        np.testing.assert_array_equal(dataset.images([1])[0], stored)
    assert load(f"folder:{tmp_path}", channels=3).image_shape == (*image_shape[:2], 3)


def test_mixed_pictures_share_a_form(tmp_path):
    save(tmp_path, "a.png", (80, 40))
    save(tmp_path, "bb.png", (160, 81, 3))
    save(tmp_path, "ccc.png", (100, 50))
    dataset = load(f"folder:{tmp_path}")
    assert dataset.image_shape == (64, 32, 3) and "fitted to 64x32, colour" in dataset.description
