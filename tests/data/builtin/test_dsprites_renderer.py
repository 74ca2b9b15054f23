import numpy as np
import pytest
from image_speed import reaches

from keras_devae.data import RenderedDataset
from keras_devae.data.builtin.dsprites import DSpritesRenderer
from keras_devae.errors import UsageError

GRID = DSpritesRenderer.grid


@pytest.fixture(scope="module")
def dataset():
    return RenderedDataset(DSpritesRenderer())


def test_draws_the_published_frames(reference):
    published, factors = reference("gif_320.npz")
    drawn = DSpritesRenderer().render(factors)[..., 0] == 255
    published = published == 1
    overlap = (drawn & published).sum((1, 2)) / (drawn | published).sum((1, 2))
    assert overlap.mean() >= 0.999 and overlap.min() >= 0.99
    squares = factors[:, 0] == 0
    np.testing.assert_array_equal(drawn[squares], published[squares])


def test_has_the_statistics_of_the_whole_set(dataset):
    rows = np.random.default_rng(0).integers(0, len(dataset), 20_000)
    pixels = dataset.images(rows) // 255
    # Mean and mean deviation of all 737,280 published images; the sample's own error is 0.0001.
    assert pixels.mean() == pytest.approx(0.0424944, abs=5e-4)
    assert pixels.std((1, 2, 3)).mean() == pytest.approx(0.1951665, abs=1.5e-3)


def test_layout(dataset):
    assert len(dataset) == 737_280 and dataset.image_shape == (64, 64, 1)
    assert dataset.factor_names == ("shape", "scale", "orientation", "position_x", "position_y")
    assert dataset.factor_sizes == (3, 6, 40, 32, 32)
    images = dataset.images([0, -1, 0])
    assert images.dtype == np.uint8 and set(np.unique(images)) == {0, 255}
    np.testing.assert_array_equal(images[0], images[2])
    assert dataset.images([]).shape == (0, 64, 64, 1)


def test_first_and_last_orientation_are_the_same_picture():
    rng = np.random.default_rng(2)
    factors = rng.integers(0, GRID.sizes, (500, 5))
    first, last = factors.copy(), factors
    first[:, 2], last[:, 2] = 0, 39
    renderer = DSpritesRenderer()
    np.testing.assert_array_equal(renderer.render(first), renderer.render(last))


@pytest.mark.parametrize(("scale", "side"), list(enumerate((10, 12, 14, 16, 18, 20))))
def test_upright_square_has_the_published_side(scale, side):
    # In the corner the centre is a whole number of pixels, 16, on both axes.
    image = DSpritesRenderer().render(np.array([[0, scale, 0, 0, 0]]))[0, ..., 0]
    expected = np.zeros((64, 64), np.uint8)
    expected[16 - side // 2 : 16 + side // 2, 16 - side // 2 : 16 + side // 2] = 255
    np.testing.assert_array_equal(image, expected)


def test_positions_run_right_and_down():
    renderer = DSpritesRenderer()
    rows, columns = np.nonzero(renderer.render(np.array([[1, 5, 0, 31, 0]]))[0, ..., 0])
    assert columns.mean() + 0.5 == pytest.approx(48, abs=0.1)
    assert rows.mean() + 0.5 == pytest.approx(16, abs=0.1)


def test_orientation_turns_counter_clockwise():
    # An ellipse a little past the horizontal rises to the right: rows fall as columns grow.
    rows, columns = np.nonzero(DSpritesRenderer().render(np.array([[1, 5, 3, 0, 0]]))[0, ..., 0])
    assert np.corrcoef(rows, columns)[0, 1] < -0.3


@pytest.mark.parametrize("size", [32, 128])
def test_other_sizes_sample_the_same_outlines(size):
    factors = np.random.default_rng(3).integers(0, GRID.sizes, (300, 5))
    drawn = DSpritesRenderer(size).render(factors)
    assert drawn.shape == (300, size, size, 1)
    # White covers the same share of the picture, and its centre is at the same place.
    original = DSpritesRenderer().render(factors)
    assert (drawn == 255).mean() == pytest.approx((original == 255).mean(), rel=0.01)
    for axis in (1, 2):
        for image, same in zip(drawn[:20], original[:20], strict=True):
            here, there = np.nonzero(image)[axis - 1], np.nonzero(same)[axis - 1]
            assert (here + 0.5).mean() / size == pytest.approx((there + 0.5).mean() / 64, abs=0.01)


def test_smaller_size_follows_the_pixel_centre_rule():
    # The square of side 20 centred on 16 ends half way between pixel centres at both sizes.
    image = DSpritesRenderer(32).render(np.array([[0, 5, 0, 0, 0]]))[0, ..., 0]
    expected = np.zeros((32, 32), np.uint8)
    expected[3:13, 3:13] = 255
    np.testing.assert_array_equal(image, expected)


def test_refuses_other_sizes():
    with pytest.raises(UsageError, match="32, 64, 128"):
        DSpritesRenderer(48)


@pytest.mark.slow
def test_draws_100_000_images_a_second(dataset):
    assert reaches(dataset, 100_000)
