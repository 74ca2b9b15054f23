"""Random views: every augmentation changes images as it says, and only so."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.layers import AUGMENTATIONS, RandomViews
from keras_devae.models.augmentation_names import DESTROYED, OF_COLOURS

pytestmark = pytest.mark.backends

SHAPE = (9, 12, 3)


def images(count=6, seed=0):
    return np.random.default_rng(seed).random((count, *SHAPE), np.float32) * 0.5 + 0.25


def viewed(name, pictures, strength=1.0, seed=0, **how):
    layer = RandomViews([name], strength, seed=seed)
    return ops.convert_to_numpy(layer(pictures, **{"training": True, **how}))


def test_names_and_functions_agree():
    assert set(AUGMENTATIONS) == set(DESTROYED) and set(OF_COLOURS) <= set(DESTROYED)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_views_differ_and_stay_images(name):
    pictures = images(16)
    views = viewed(name, pictures)
    assert views.shape == pictures.shape and views.dtype == np.float32
    assert views.min() >= 0 and views.max() <= 1
    assert np.abs(views - pictures).max() > 1e-3
    # Of every image by numbers of its own.
    alike = viewed(name, np.repeat(pictures[:1], 16, axis=0))
    assert np.abs(alike - alike[:1]).max() > 1e-3


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_strength_of_zero_changes_nothing(name):
    np.testing.assert_allclose(viewed(name, images(), 0.0), images(), atol=2e-5)


@pytest.mark.parametrize("name", [n for n in AUGMENTATIONS if n not in OF_COLOURS])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 16)])
def test_odd_sizes(name, shape):
    views = viewed(name, np.full((3, *shape), 0.5, np.float32))
    assert views.shape == (3, *shape) and np.isfinite(views).all()


def test_without_training_views_are_the_same_by_number():
    pictures = images()
    first, again, other = (viewed("noise", pictures, training=False, number=n) for n in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    layer = RandomViews(["noise"], seed=0)
    one, two = (ops.convert_to_numpy(layer(pictures, training=True)) for _ in range(2))
    assert np.abs(one - two).max() > 1e-3


def test_brightness_adds_one_number_and_contrast_scales():
    pictures = images()
    added = viewed("brightness", pictures, 0.5) - pictures
    np.testing.assert_allclose(added, added[:, :1, :1, :1] + 0 * added, atol=1e-6)
    assert np.abs(added).max() <= 0.1 + 1e-6
    pictures = 0.5 + (images() - 0.5) / 4
    means = pictures.mean(axis=(1, 2, 3), keepdims=True)
    distances = pictures - means
    ratios = (viewed("contrast", pictures) - means) / distances
    for ratio, distance in zip(ratios, distances, strict=True):
        known = ratio[np.abs(distance) > 0.02]
        np.testing.assert_allclose(known, known[0], rtol=1e-3)
        assert 0.6 <= known[0] <= 1.4


def test_blur_is_a_gaussian():
    """Of a white point it makes a Gaussian, whose rows have the same ratios."""
    points = np.zeros((4, 33, 33, 1), np.float32)
    points[:, 16, 16] = 1
    views = viewed("blur", points, strength=4.0)[..., 0].astype("float64")
    np.testing.assert_allclose(views.sum(axis=(1, 2)), 1, rtol=1e-4)
    for view in views:
        # log of neighbours' ratio to the peak: -1/(2 s^2), and four times as much two pixels away.
        near, far = np.log(view[16, 17] / view[16, 16]), np.log(view[16, 18] / view[16, 16])
        if far > -25:
            assert far == pytest.approx(4 * near, rel=1e-3)


def test_flip_mirrors_some():
    views = viewed("flip", images(32))
    kinds = [
        "same" if np.allclose(v, p) else "mirrored" if np.allclose(v, p[:, ::-1]) else "?"
        for v, p in zip(views, images(32), strict=True)
    ]
    assert set(kinds) == {"same", "mirrored"}


def test_shift_crop_and_rotate_move_a_point():
    """A bright spot stays one, and moves by no more than it may."""
    rows, columns = np.indices((33, 33))
    spot = np.exp(-((rows - 16) ** 2 + (columns - 20) ** 2) / 8)[None, :, :, None]
    spots = np.repeat(spot, 12, axis=0).astype(np.float32)

    def centres(views):
        weights = views[..., 0] / views[..., 0].sum(axis=(1, 2), keepdims=True)
        return np.stack([(weights * rows).sum((1, 2)), (weights * columns).sum((1, 2))], 1)

    moved = centres(viewed("shift", spots)) - [16, 20]
    assert 0.5 < np.abs(moved).max() <= 33 / 8 + 0.1
    turned = centres(viewed("rotate", spots)) - [16, 16]
    np.testing.assert_allclose(np.hypot(*turned.T), 4, atol=0.1)
    angles = np.degrees(np.arctan2(*turned.T))
    assert 2 < np.abs(angles).max() <= 15.5
    sizes = viewed("crop", spots).sum(axis=(1, 2, 3)) / spots.sum(axis=(1, 2, 3))
    assert sizes.max() > 1.1  # Cut-outs are stretched.


def test_colours_keep_their_grey():
    pictures = 0.5 + (images() - 0.5) / 4
    weights = np.array([0.299, 0.587, 0.114])
    grey = pictures @ weights
    for name in OF_COLOURS:
        np.testing.assert_allclose(viewed(name, pictures) @ weights, grey, atol=2e-3)
    colourless = np.repeat(images()[..., :1], 3, axis=-1)
    for name in OF_COLOURS:
        np.testing.assert_allclose(viewed(name, colourless), colourless, atol=2e-3)


def test_round_trip_and_wrong_names():
    layer = RandomViews(["blur", "flip"], 0.5, seed=3)
    again = RandomViews.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert keras.saving.get_registered_name(RandomViews) == "keras_devae>RandomViews"
    with pytest.raises(UsageError, match="blur"):
        RandomViews(["blurr"])
