import numpy as np
import pytest
from PIL import Image

from keras_devae.data import from_npy, from_npz, load, outline
from keras_devae.data.image_sizes import checked_size, pixels_text, size_text
from keras_devae.errors import UsageError
from keras_devae.runs.config.run_config import RunConfig


@pytest.mark.parametrize(
    ("given", "size"),
    [
        (64, 64),
        ("64", 64),
        ("64x64", 64),
        ([64, 64], 64),
        ("218x178", (218, 178)),
        (" 218 X 178 ", (218, 178)),
        ((218, 178), (218, 178)),
        (np.int64(32), 32),
    ],
)
def test_sizes_have_one_form(given, size):
    checked = checked_size(given)
    assert checked == size and type(checked) is type(size)
    assert RunConfig(image_size=given).data.image_size == size
    assert checked_size(size_text(checked)) == checked_size(pixels_text(checked)) == size


@pytest.mark.parametrize(
    "given", [0, -1, 1.5, True, "x", "64x", "0x8", "8x8x3", (8,), (8, 8, 8), [8.0, 8], "", 2**15]
)
def test_anything_else_is_refused(given):
    for use in (checked_size, lambda size: RunConfig(image_size=size)):
        with pytest.raises(UsageError, match=r"`image_size` must be .* Received: "):
            use(given)


def test_configurations_keep_numbers_and_lists():
    assert RunConfig(image_size="64x64").to_dict()["image_size"] == 64
    nested = RunConfig(image_size="48x80").to_nested()
    assert list(nested["data"]["image_size"]) == [48, 80]
    nested["data"]["image_size"] = [48, 80]
    assert RunConfig.from_nested(nested) == RunConfig(image_size=(48, 80))


def test_drawn_images_are_square():
    with pytest.raises(UsageError, match="Received: image_size=48x80"):
        load("dsprites", image_size="48x80", source="rendered")
    with pytest.raises(UsageError, match="Received: image_size=48x80"):
        outline("cars3d", image_size="48x80", source="official")


def test_pictures_are_cropped_in_the_middle_to_the_shape(tmp_path):
    pixels = np.zeros((12, 40, 3), np.uint8)
    pixels[:, 10:30] = (200, 100, 50)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(pixels[:, ::-1] // 2).save(tmp_path / "b.png")
    dataset = load(f"folder:{tmp_path}", image_size="6x10")
    assert dataset.image_shape == (6, 10, 3) and dataset.provenance["image_size"] == (6, 10)
    assert (abs(dataset.images([0])[0, :, 2:-2].astype(int) - (200, 100, 50)) <= 1).all()
    assert outline(f"folder:{tmp_path}", image_size=(6, 10)).image_shape == (6, 10, 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_arrays_are_fitted_only_when_asked(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 24, channels), np.uint8)
    images[:, :, 7:17] = np.arange(channels, dtype=np.uint8) * 40
    np.savez(tmp_path / "x.npz", images=images)
    np.save(tmp_path / "x.npy", images)
    for kind, read in (("npz", from_npz), ("npy", from_npy)):
        path = tmp_path / f"x.{kind}"
        np.testing.assert_array_equal(read(path).images([0, 1, 2]), images)
        fitted = read(path, image_size=4)
        assert fitted.image_shape == (4, 4, channels)
        assert (fitted.images([2])[0, :, 2] == np.arange(channels) * 40).all()
        assert outline(f"{kind}:{path}", image_size=4).image_shape == fitted.image_shape
