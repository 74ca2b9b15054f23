import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest

from keras_devae.data import FactorGrid, from_arrays
from keras_devae.errors import UsageError


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)


def test_keeps_uint8_without_a_copy(pixels):
    dataset = from_arrays(pixels)
    pixels[3] = 7
    np.testing.assert_array_equal(dataset.images([3, 5, 3, -1]), pixels[[3, 5, 3, -1]])
    assert len(dataset) == 12 and dataset.image_shape == (8, 8, 3)
    assert dataset.provenance == {"source": "arrays"}
    assert dataset.description == "arrays: arrays in memory, 12 images of 8x8x3 (without factors)"


def test_adds_the_channel_axis(pixels):
    assert from_arrays(pixels[..., 0]).images([0]).shape == (1, 8, 8, 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_quantises_floats_to_the_nearest_level(dtype):
    values = np.array([0, 1, 0.5, 1 / 255, 0.9 / 255, 0.4 / 255], dtype).reshape(6, 1, 1, 1)
    images = from_arrays(np.tile(values, (400, 1, 1, 1))).images(np.arange(2400))
    np.testing.assert_array_equal(images.reshape(400, 6)[399], [0, 255, 128, 1, 1, 0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((2, 4, 4), 3.5), "minimum 3.5 and maximum 3.5"),
        (np.linspace(-1, 1, 32).reshape(2, 4, 4), "minimum -1 and maximum 1"),
        (np.full((2, 4, 4), np.inf), "maximum inf"),
        (np.full((2, 4, 4), 300, np.int64), "int64 with minimum 300"),
        (np.ones((2, 4, 4), bool), "bool"),
        (np.zeros((4, 4), np.uint8), "shape"),
        (np.zeros((0, 4, 4), np.uint8), "shape"),
        (np.array([["a"]] * 2, dtype=object).reshape(2, 1, 1), "object"),
    ],
)
def test_refuses_other_images(images, message):
    with pytest.raises(UsageError, match=message):
        from_arrays(images)


def test_names_the_row_with_nan():
    images = np.zeros((3000, 2, 2), np.float32)
    images[1500, 1, 1] = np.nan
    with pytest.raises(UsageError, match="Image 1500 contains NaN"):
        from_arrays(images)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.eye(4, dtype=np.uint8)[np.newaxis], r"2 of the 256 grey levels: .* 0\.\.1 of 0"),
        (np.arange(32).reshape(2, 4, 4) % 5 / 255, r"5 of the 256 grey levels: .* 0\.\.4 of 0"),
        (np.arange(64, dtype=np.uint8).reshape(4, 4, 4) + 190, r"64 of .* 190\.\.253 of 0"),
        (np.zeros((2, 4, 4), np.uint8), "all equal, 2 times the same picture"),
        (np.tile(np.arange(16, dtype=np.uint8).reshape(4, 4) * 16, (3, 1, 1)), "all equal, 3"),
        (np.full((1, 4, 4, 3), (1, 2, 3), np.uint8), "one colour: every pixel is 1, 2, 3"),
        (np.stack([np.eye(4), np.full((4, 4), 255)], -1).astype(np.uint8)[None], "2 of the 256"),
    ],
)
def test_warns_of_images_that_are_almost_constant(images, words):
    with pytest.warns(UserWarning, match=f"images of this array.*{words}.*stretch them to 0..255"):
        from_arrays(images)


@pytest.mark.parametrize(
    "images",
    [
        np.arange(65, dtype=np.uint8)[:, None, None],
        np.eye(4, dtype=np.uint8)[:, :, None] * 255,
        np.concatenate([np.zeros((40, 256, 256), np.uint8), np.full((1, 256, 256), 99, np.uint8)]),
    ],
)
def test_leaves_images_that_fill_a_range_alone(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(from_arrays(images)) == len(images)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_refuses_channels_that_come_first(channels):
    images = np.random.default_rng(0).random((2, channels, 8, 9))
    with pytest.raises(UsageError, match=rf"Channels come last.*\({channels}, 8, 9\).*moveaxis"):
        from_arrays(images)
    assert from_arrays(np.moveaxis(images, 1, -1)).image_shape == (8, 9, channels)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 4), (3, 3, 3), (4, 64, 3), (3, 64, 5)])
def test_takes_small_and_narrow_images(shape):
    assert from_arrays(np.random.default_rng(0).random((9, *shape))).image_shape == shape


def test_recognises_a_complete_grid(pixels):
    factors = np.indices((3, 4)).reshape(2, -1).T
    dataset = from_arrays(pixels, factors, ["shape", "size"])
    assert dataset.grid == FactorGrid(("shape", "size"), (3, 4))
    np.testing.assert_array_equal(dataset.factors([-1, 0]), [[2, 3], [0, 0]])


def test_keeps_factors_that_are_no_grid(pixels):
    factors = np.random.default_rng(1).integers(-5, 5, (12, 2))
    dataset = from_arrays(pixels, factors.astype(np.float32))
    assert dataset.grid is None and dataset.factor_names == ("factor_0", "factor_1")
    assert dataset.factor_sizes == tuple(len(np.unique(column)) for column in factors.T)
    np.testing.assert_array_equal(dataset.factors([4, -2, 4]), factors[[4, -2, 4]])
    assert dataset.factors([0]).dtype == np.int64


@pytest.mark.parametrize(
    ("factors", "names", "message"),
    [
        (np.full((12, 2), np.nan), None, "finite numbers.*nan in row 0"),
        (np.zeros(12, int), None, "shape"),
        (np.zeros((11, 2), int), None, "shape"),
        (np.zeros((12, 2), "U1"), None, "no number in column"),
        (np.zeros((12, 2), int), ["a"], "distinct name"),
        (np.zeros((12, 2), int), ["a", "a"], "distinct name"),
        (None, ["a"], "without factors"),
    ],
)
def test_refuses_other_factors(pixels, factors, names, message):
    with pytest.raises(UsageError, match=message):
        from_arrays(pixels, factors, names)


def test_says_that_there_are_no_factors(pixels):
    dataset = from_arrays(pixels)
    assert dataset.factor_names is None and dataset.factor_sizes is None
    with pytest.raises(UsageError, match="has no factors"):
        dataset.factors([0])


@pytest.mark.parametrize("rows", [[12], [-13], [0.0], [True] * 12, 3])
def test_refuses_wrong_rows(pixels, rows):
    with pytest.raises(UsageError):
        from_arrays(pixels).images(rows)


def test_takes_no_rows(pixels):
    dataset = from_arrays(pixels, np.zeros((12, 2), int))
    assert dataset.images([]).shape == (0, 8, 8, 3) and dataset.factors([]).shape == (0, 2)


@pytest.mark.parametrize("rows", [slice(None, -1), [0, 1, 2, 3, 4, 5] * 2, slice(None, None, -1)])
def test_takes_incomplete_repeated_and_reordered_grids(pixels, rows):
    factors = np.indices((3, 4)).reshape(2, -1).T[rows]
    dataset = from_arrays(pixels[: len(factors)], factors, ["shape", "size"])
    assert dataset.grid is None
    assert dataset.factor_sizes == tuple(len(set(column)) for column in factors.T.tolist())
    np.testing.assert_array_equal(dataset.factors(np.arange(len(factors))), factors)


@pytest.mark.filterwarnings("ignore:Factor .* looks continuous")
def test_takes_more_combinations_than_can_be_counted():
    factors = np.tile(np.arange(20000)[:, None], (1, 6))
    with pytest.warns(UserWarning, match="continuous"):
        dataset = from_arrays(np.arange(20000).astype(np.uint8)[:, None, None], factors)
    assert dataset.grid is None and dataset.factor_sizes == (20,) * 6


def test_neither_copies_nor_converts_many_uint8_images():
    images = np.zeros((100_000, 16, 16, 1), np.uint8)
    images[-1] = 255
    tracemalloc.start()
    try:
        dataset = from_arrays(images)
        opening = tracemalloc.get_traced_memory()[1]
        batch = dataset.images(np.arange(64))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.shares_memory(dataset._images, images)
    assert batch.dtype == np.uint8 and not np.shares_memory(batch, images)
    assert opening < 200_000 and peak < 400_000


def test_converts_floats_in_slices():
    images = np.random.default_rng(0).random((400, 128, 128, 3))
    tracemalloc.start()
    try:
        dataset = from_arrays(images)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < images.size + 12 * 2**20  # The result, and a few slices of 4 MiB.
    np.testing.assert_array_equal(dataset.images([399])[0], np.rint(images[399] * 255))


def test_finds_one_bright_pixel_among_dark_ones():
    images = np.zeros((9000, 32, 32), np.uint8)
    images[0, 0, 0] = 1
    with pytest.warns(UserWarning, match="pixels lie in 0..1 of 0..255|all equal"):
        from_arrays(images)
    images[-1, -1, -1] = 200
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_arrays(images)


BATCHES_OF_A_LARGE_ARRAY = """
import sys
import numpy as np
from keras_devae.data import from_arrays

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (20_000, 64, 64, 3), dtype=np.uint8)
before = peak()
dataset = from_arrays(images, np.arange(20_000)[:, None] % 10)
for _ in range(50):
    rows = rng.integers(0, 20_000, 64)
    assert (dataset.images(rows)[7] == images[rows[7]]).all()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_batches_of_a_large_array_need_little_memory():
    command = [sys.executable, "-c", BATCHES_OF_A_LARGE_ARRAY]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(run.stdout) < 60


def test_refuses_what_is_no_array():
    for images, factors in (
        ([np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint8)], None),
        (np.zeros((2, 8, 8), np.uint8), [[1, 2], [3]]),
    ):
        with pytest.raises(UsageError, match="rows all of one shape"):
            from_arrays(images, factors)
