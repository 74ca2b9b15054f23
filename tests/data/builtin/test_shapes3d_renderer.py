import threading
import time

import numpy as np
import pytest
from image_speed import reaches

from keras_devae.data import RenderedDataset
from keras_devae.data.builtin.shapes3d import SHAPES3D, Shapes3DRenderer, saturated_colours
from keras_devae.data.builtin.shapes3d_scene import lanczos_blocks, lanczos_matrix, shrink
from keras_devae.errors import UsageError

GRID = Shapes3DRenderer.grid


@pytest.fixture(scope="module")
def dataset():
    return RenderedDataset(Shapes3DRenderer())


def peak_signal_to_noise(drawn, published):
    error = (drawn.astype(np.float64) - published) ** 2
    return 10 * np.log10(255**2 / error.mean((1, 2, 3)))


def test_draws_the_published_frames(reference):
    published, factors = reference("notebook_50.npz")
    quality = peak_signal_to_noise(Shapes3DRenderer().render(factors), published)
    assert quality.mean() >= 40 and quality.min() >= 36


@pytest.mark.slow
def test_all_geometries_take_at_most_4_seconds_once(dataset):
    start = time.process_time()
    dataset.images(np.arange(480))
    assert time.process_time() - start < 4
    assert reaches(dataset, 20_000)


def test_has_the_statistics_of_the_whole_set(dataset):
    rows = np.random.default_rng(0).integers(0, len(dataset), 6_000)
    means = dataset.images(rows).mean((0, 1, 2), dtype=np.float64) / 255
    # Channel means of all 480,000 published images; the sample's own error is 0.003.
    np.testing.assert_allclose(means, (0.50258, 0.57876, 0.60345), atol=0.01)


def test_layout(dataset):
    assert len(dataset) == 480_000 and dataset.image_shape == (64, 64, 3)
    assert dataset.factor_sizes == (10, 10, 10, 8, 4, 15)
    images = dataset.images([5, -1, 5, 0])
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], images[2])
    np.testing.assert_array_equal(dataset.factors([-1]), [[9, 9, 9, 7, 3, 14]])
    assert dataset.images([]).shape == (0, 64, 64, 3)


def test_sky_and_hues_are_where_they_belong():
    # Floor, wall and object in pure red, green-blue and blue-violet; the largest sphere.
    image = Shapes3DRenderer().render(np.array([[0, 5, 7, 7, 2, 7]]))[0].astype(int)
    np.testing.assert_array_equal(image[0, 32], (153, 226, 249))
    red, green, blue = image[62, 2]
    assert red > 80 and green == blue == 0
    red, green, blue = image[25, 6]
    assert red <= 1 and green == blue > 100
    red, green, blue = image[44, 32]
    assert blue > 100 and green < red < blue


def test_hues_of_the_authors():
    expected = [
        (255, 0, 0), (255, 153, 0), (204, 255, 0), (51, 255, 0), (0, 255, 102),
        (0, 255, 255), (0, 102, 255), (51, 0, 255), (204, 0, 255), (255, 0, 153),
    ]  # fmt: skip
    np.testing.assert_allclose(255 * saturated_colours(np.arange(10) / 10), expected, atol=1e-9)


def test_hues_have_the_names_of_their_colours():
    names = SHAPES3D.factor_labels["wall_hue"]
    found = dict(zip(names, saturated_colours(np.arange(10) / 10), strict=True))
    assert tuple(found["red"]) == (1, 0, 0)
    np.testing.assert_allclose(found["cyan"], (0, 1, 1), atol=1e-9)
    for name, strongest in (("orange", 0), ("green", 1), ("blue", 2), ("purple", 2), ("pink", 0)):
        assert found[name].argmax() == strongest


def test_shrinking_keeps_flat_areas_flat():
    np.testing.assert_allclose(lanczos_matrix(16, 3).sum(1), 1, rtol=1e-6)


def test_shrinking_by_blocks_is_the_product_with_the_whole_matrix():
    maps = np.random.default_rng(0).normal(size=(2, 96, 5)).astype(np.float32)
    expected = np.einsum("ij,mjk->mik", lanczos_matrix(32, 3), maps)
    np.testing.assert_allclose(shrink(maps, lanczos_blocks(32, 3), 3), expected, atol=1e-5)


@pytest.mark.parametrize("size", [32, 128])
def test_other_sizes_show_the_same_scene(size):
    factors = np.random.default_rng(4).integers(0, GRID.sizes, (4, 6))
    drawn = Shapes3DRenderer(size).render(factors).astype(np.float64)
    original = Shapes3DRenderer().render(factors).astype(np.float64)
    # Compared where both have one pixel, by averaging the larger one.
    large, small = (drawn, original) if size > 64 else (original, drawn)
    n, side = len(factors), small.shape[1]
    averaged = large.reshape(n, side, 2, side, 2, 3).mean((2, 4))
    assert peak_signal_to_noise(averaged, small).min() > 28


def test_two_threads_see_the_same_images():
    factors = np.random.default_rng(5).integers(0, GRID.sizes, (40, 6))
    renderer, results = Shapes3DRenderer(32), {}
    threads = [
        threading.Thread(target=lambda key=key: results.update({key: renderer.render(factors)}))
        for key in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results[0], Shapes3DRenderer(32).render(factors))
    np.testing.assert_array_equal(results[1], results[0])


def test_refuses_other_sizes():
    with pytest.raises(UsageError, match="Received: image_size=96"):
        Shapes3DRenderer(96)
