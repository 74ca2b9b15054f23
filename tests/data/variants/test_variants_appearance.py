import hashlib
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from keras_devae.data import from_arrays, load
from keras_devae.data.variants import background, colour, noise, subset
from keras_devae.errors import FailureError, UsageError

# What the first 20 images below looked like when this was written: a change of NumPy or of the
# code that changes a pixel changes the runs of everybody.
FROZEN = {
    "colour": "14e7dc09ee979233",
    "noise": "00bc5a4722274fa1",
    "background": "8cbabaf60baddcae",
}


def shapes_on_black(count, side=16):
    """Images with a white square in the middle, and a factor."""
    images = np.zeros((count, side, side), np.uint8)
    images[:, 5:11, 5:11] = 255
    factors = np.arange(count)[:, np.newaxis] % 100
    return from_arrays(images, factors, ["number"])


@pytest.fixture
def folder(tmp_path):
    """A picture whose red and green say where a pixel is."""
    path = tmp_path / "pictures"
    path.mkdir()
    rows, columns = np.indices((60, 90))
    pixels = np.stack([4 * rows, 2 * columns, np.full_like(rows, 100)], axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(path / "gradient.png")
    return path


def make(name, dataset, folder, seed=0):
    if name == "background":
        return background(dataset, folder, seed=seed)
    return {"colour": colour, "noise": noise}[name](dataset, seed=seed)


VARIANTS = ("colour", "noise", "background")


@pytest.fixture(params=VARIANTS)
def name(request):
    return request.param


def test_colours_are_uniform_and_black_stays_black():
    images = colour(shapes_on_black(4000)).images(np.arange(4000))
    inside = images[:, 5:11, 5:11].reshape(4000, 36, 3)
    colours = inside[:, 0]
    assert (inside == colours[:, np.newaxis]).all()
    images[:, 5:11, 5:11] = 0
    assert not images.any()
    assert colours.min() >= 127 and colours.max() == 255
    for channel in colours.T:
        # Whole levels are spread out again, which a continuous distribution needs.
        spread = channel + np.random.default_rng(0).uniform(-0.5, 0.5, 4000)
        assert stats.kstest(spread, stats.uniform(127.5, 127.5).cdf).pvalue > 0.01
    assert np.abs(np.corrcoef(colours.T) - np.eye(3)).max() < 0.06


def test_colours_scale_grey():
    grey = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    tinted = colour(from_arrays(np.repeat(grey, 50, axis=0))).images(np.arange(50)).astype(int)
    expected = tinted[:, -1:, -1:] * grey[..., np.newaxis] / 255
    # The white level is rounded itself, which adds half a level at most.
    assert np.abs(tinted - expected).max() <= 1


def test_noise_is_uniform_on_black_and_white_stays_white():
    images = noise(shapes_on_black(300)).images(np.arange(300))
    assert images.shape == (300, 16, 16, 3)
    assert (images[:, 5:11, 5:11] == 255).all()
    border = images[:, :5].reshape(-1, 3)
    for channel in border.T:
        assert stats.chisquare(np.bincount(channel, minlength=256)).pvalue > 0.01
    assert np.abs(np.corrcoef(border.T) - np.eye(3)).max() < 0.03
    neighbours = np.corrcoef(images[:, 0, 0].T, images[:, 0, 1].T)
    assert np.abs(neighbours[:3, 3:]).max() < 0.25
    pairs = np.corrcoef(images[:-1, :5].ravel(), images[1:, :5].ravel())
    assert abs(pairs[0, 1]) < 0.02


def test_noise_adds_to_grey_and_stops_at_white():
    grey = np.full((40, 16, 16), 100, np.uint8)
    images = noise(from_arrays(grey)).images(np.arange(40))
    alone = noise(from_arrays(np.zeros_like(grey))).images(np.arange(40))
    np.testing.assert_array_equal(images, np.minimum(alone.astype(int) + 100, 255))


@pytest.mark.parametrize("channels", [2, 3])
def test_noise_keeps_several_channels(channels):
    pixels = np.full((5, 7, 9, channels), 250, np.uint8)
    images = noise(from_arrays(pixels)).images([4, 0])
    assert images.shape == (2, 7, 9, channels) and images.min() >= 250 and images.max() == 255


def test_noise_on_noise_is_another():
    black = from_arrays(np.zeros((50, 16, 16), np.uint8))
    once = noise(black).images(np.arange(50)).astype(int)
    twice = noise(noise(black)).images(np.arange(50)).astype(int)
    # The sum of two uniforms stays below 1 in half of the cases.
    assert abs((twice < 255).mean() - 0.5) < 0.02
    assert (twice != np.minimum(2 * once, 255)).mean() > 0.4


def test_background_is_a_crop_with_a_tint_and_reversed_inside(folder):
    images = background(shapes_on_black(400), folder).images(np.arange(400)).astype(int)
    outside = np.ones((16, 16), bool)
    outside[5:11, 5:11] = False
    images[:, ~outside] = 255 - images[:, ~outside]
    # The gradient's steps, halved: what is left is one constant for each image and channel.
    images[..., 0] -= 2 * np.arange(16)[:, np.newaxis]
    images[..., 1] -= np.arange(16)
    constants = images[:, 0, 0]
    assert (images == constants[:, np.newaxis, np.newaxis]).all()
    # Blue is 100 everywhere in the picture, so that its tint can be read off.
    tints = 2 * constants[:, 2] - 100
    assert tints.min() >= -1 and tints.max() <= 256
    spread = tints + np.random.default_rng(0).uniform(-1, 1, 400)
    assert stats.kstest(spread, stats.uniform(0, 255).cdf).pvalue > 0.01


def test_background_crops_the_whole_picture_evenly(folder):
    # The corner pixel is (4 top + tint) / 2 and (2 left + tint) / 2: sums of two uniforms.
    images = background(shapes_on_black(3000), folder).images(np.arange(3000)).astype(int)
    for channel, step, last in ((0, 4, 60 - 16), (1, 2, 90 - 16)):
        corners = images[:, 0, 0, channel]
        rng = np.random.default_rng(1)
        starts = rng.integers(0, last + 1, 100_000)
        expected = (step * starts + rng.uniform(0, 255, 100_000)) / 2
        spread = corners + rng.uniform(-0.5, 0.5, 3000)
        assert stats.ks_2samp(spread, expected).pvalue > 0.01


def test_background_takes_every_picture_and_position_as_often(tmp_path):
    folder = tmp_path / "three"
    folder.mkdir()
    for number in range(3):
        pixels = np.zeros((17, 18, 3), np.uint8)
        pixels[0, :, 0] = pixels[:, 0, 1] = pixels[:, -1, 1] = 200
        pixels[10:12, :, 2] = 80 * number
        Image.fromarray(pixels).save(folder / f"{number}.png")
    Image.new("RGB", (3, 3)).save(folder / ".hidden.png")
    with pytest.warns(UserWarning, match="3 pictures are read .*: 1 hidden picture"):
        dataset = background(from_arrays(np.zeros((1800, 16, 16), np.uint8)), folder)
    images = dataset.images(np.arange(1800)).astype(int)
    top = (images[:, 0, 8, 0] == images[:, 1, 8, 0]).astype(int)
    left = (
        1 - (images[:, 8, 0, 1] > images[:, 8, 1, 1]) + (images[:, 8, 15, 1] > images[:, 8, 8, 1])
    )
    number = np.rint((images[:, 10, 8, 2] - images[:, 0, 8, 2]) / 40).astype(int)
    counts = np.bincount(6 * number + 3 * top + left)
    assert len(counts) == 18 and stats.chisquare(counts).pvalue > 0.01
    assert dataset.provenance["variants"][0]["pictures"] == ["0.png", "1.png", "2.png"]


def test_background_takes_the_exact_size_and_leaves_grey_outside(tmp_path):
    folder = tmp_path / "one"
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    Image.fromarray(picture).save(folder / "exact.png")
    images = np.full((30, 8, 10), 254, np.uint8)
    mixed = background(from_arrays(images), folder).images(np.arange(30)).astype(int)
    # Twice the mixture less the crop is the tint, constant but for the rounding.
    tints = 2 * mixed - picture
    assert (np.ptp(tints, axis=(1, 2)) <= 1).all()


def test_background_knows_its_pictures(folder):
    dataset = background(shapes_on_black(4), folder, seed=5)
    digest = hashlib.sha256((folder / "gradient.png").read_bytes()).hexdigest()
    assert dataset.provenance["variants"] == [
        {
            "name": "background",
            "folder": str(folder.resolve()),
            "pictures": ["gradient.png"],
            "sha256": digest,
            "seed": 5,
        }
    ]
    assert "background of 1 picture in" in dataset.description


def test_background_refuses_pictures(tmp_path, folder):
    dataset = shapes_on_black(4)
    with pytest.raises(UsageError, match="no folder"):
        background(dataset, tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="no pictures"):
        background(dataset, empty)
    Image.new("RGB", (90, 15)).save(folder / "low.png")
    with pytest.raises(UsageError, match=r"at least 16x16.*low\.png with 90x15"):
        background(dataset, folder)
    (folder / "low.png").write_bytes(b"no picture")
    with pytest.raises(FailureError, match=r"low\.png"):
        background(dataset, folder)


@pytest.mark.parametrize("name", ["colour", "background"])
def test_needs_one_channel(name, folder):
    rgb = from_arrays(np.zeros((3, 16, 16, 3), np.uint8))
    with pytest.raises(UsageError, match=f"'{name}' needs images with one channel"):
        make(name, rgb, folder)


@pytest.mark.parametrize("seed", [-1, 0.5, True, 2**64])
def test_refuses_seeds(name, folder, seed):
    with pytest.raises(UsageError, match="seed"):
        make(name, shapes_on_black(3), folder, seed)


def test_keeps_factors_and_grid(name, folder):
    dataset = load("dsprites", source="rendered", image_size=32)
    variant = make(name, dataset, folder)
    assert variant.grid == dataset.grid and len(variant) == len(dataset)
    assert variant.factor_sizes == dataset.factor_sizes and variant.name == "dsprites"
    assert variant.image_shape == (32, 32, 3)
    assert dataset.is_binary and not variant.is_binary
    np.testing.assert_array_equal(variant.factors([7, -1]), dataset.factors([7, -1]))
    assert variant.images([]).shape == (0, 32, 32, 3)
    entry = variant.provenance["variants"][0]
    assert entry["name"] == name and entry["seed"] == 0
    assert variant.provenance["source"] == "rendered" and "variants" not in dataset.provenance
    assert name in variant.description


def test_seeds_and_rows_differ(name, folder):
    dataset = shapes_on_black(20)
    first = make(name, dataset, folder, seed=1).images(np.arange(20))
    second = make(name, dataset, folder, seed=2).images(np.arange(20))
    assert (first != second).any(axis=(1, 2, 3)).all()
    assert len({image.tobytes() for image in first}) == 20


def test_same_pixels_in_any_order_and_from_any_thread(name, folder):
    variant = make(name, shapes_on_black(200), folder, seed=3)
    expected = np.concatenate([variant.images([row]) for row in range(200)])
    orders = [np.random.default_rng(seed).integers(-200, 200, 500) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for rows, images in zip(orders, pool.map(variant.images, orders), strict=True):
            np.testing.assert_array_equal(images, expected[rows])


def test_knows_no_factors_where_there_are_none(name, folder):
    variant = make(name, from_arrays(np.zeros((3, 16, 16), np.uint8)), folder)
    with pytest.raises(UsageError, match="has no factors"):
        variant.factors([0])


def frozen_digest(name, folder):
    images = make(name, shapes_on_black(20), folder, seed=7).images(np.arange(20))
    return hashlib.sha256(images.tobytes()).hexdigest()[:16]


def test_pixels_are_frozen(name, folder):
    assert frozen_digest(name, folder) == FROZEN[name]


ANOTHER_PROCESS = """
import hashlib, sys
import numpy as np
from keras_devae.data import from_arrays
from keras_devae.data.variants import noise

images = np.zeros((20, 16, 16), np.uint8)
images[:, 5:11, 5:11] = 255
dataset = noise(from_arrays(images), seed=7)
dataset.images([3, 3, 1])
print(hashlib.sha256(dataset.images(np.arange(20)).tobytes()).hexdigest()[:16])
"""


def test_same_pixels_in_another_process():
    command = [sys.executable, "-c", ANOTHER_PROCESS]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == FROZEN["noise"]


def test_chains(folder):
    dataset = subset(shapes_on_black(50), 10, seed=1)
    rows = dataset.factors(np.arange(10))[:, 0]
    variant = noise(background(dataset, folder))
    assert [entry["name"] for entry in variant.provenance["variants"]] == [
        "subset",
        "background",
        "noise",
    ]
    np.testing.assert_array_equal(variant.factors(np.arange(10))[:, 0], rows)
    assert (variant.images([2]) >= background(dataset, folder).images([2])).all()


def test_variants_can_be_sent_to_another_process(tmp_path):
    Image.new("RGB", (80, 80), (10, 200, 30)).save(tmp_path / "a.png")
    for variant in (
        *[make(shapes_on_black(9)) for make in (colour, noise)],
        background(shapes_on_black(9), tmp_path),
    ):
        sent = pickle.loads(pickle.dumps(variant))
        np.testing.assert_array_equal(sent.images([5, 7]), variant.images([5, 7]))
