"""Proposals against closed forms, and for images of every kind."""

import math

import numpy as np
import pytest

import keras_devae as kd
from keras_devae.suggestions import lengths, pixels
from keras_devae.suggestions.annealed_run import latent_freezing_points
from keras_devae.suggestions.freezing import betas_below, betas_of_latents

TINY = {"network": "mlp", "network_units": (8,), "latent_dim": 3}


def test_share_of_binary_variance():
    assert pixels.binary_share(np.array([0.0, 1, 1, 0])) == 1
    # Uniform on 0..1: 1/12 of 1/4.
    assert pixels.binary_share(np.linspace(0, 1, 1001)) == pytest.approx(1 / 3, rel=0.01)
    assert pixels.binary_share(np.full(5, 0.3)) == 0


def test_points_of_components_are_those_of_linear_codes():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(16, 2)))[0].T
    codes = rng.normal(size=(4000, 2)) * [0.5, 0.1]
    images = (0.5 + codes @ directions).reshape(-1, 4, 4, 1)
    points = pixels.component_points(images, "gaussian")
    # The squared error is a Gaussian of variance 1/2: variance over 1/2.
    np.testing.assert_allclose(points[:2], 2 * np.array([0.25, 0.01]), rtol=0.1)
    sharper = pixels.component_points(images, "gaussian", 0.5)
    np.testing.assert_allclose(sharper[:2], 2 * np.array(points[:2]), rtol=1e-9)


def test_points_of_binary_components_do_not_depend_on_contrast_alone(blobs):
    images = blobs(200, (8, 8, 1)) / 255
    points = pixels.component_points(images, "bernoulli")
    # The trace of a correlation matrix is the number of pixels that vary.
    assert sum(points) <= 64 + 1e-6
    assert points == sorted(points, reverse=True)


def test_latents_thaw_in_falling_order(blobs):
    data = kd.data.from_arrays(blobs(64, (16, 16, 1)))
    config = kd.runs.RunConfig(**{**TINY, "likelihood": "bernoulli", "batch_size": 32})
    points = latent_freezing_points(config, data, 60.0, 0.1, 200)
    assert points
    assert points == sorted(points, reverse=True)
    assert all(0.1 < point < 60 for point in points)
    assert points == latent_freezing_points(config, data, 60.0, 0.1, 200)


def test_latents_get_three_layers():
    assert betas_of_latents([20, 19, 18], 0.25) == [0.25, 1.5, 9]
    assert betas_of_latents([4, 3.5, 3.5, 1.5], 0.25) == [0.25, 1.8, 8.8]
    # Half the median lies below the end.
    assert betas_of_latents([2.6, 0.5, 0.5, 0.4], 0.25) == [0.25, 0.56, 1.2]
    assert betas_of_latents([], 1) == []
    assert betas_of_latents([1.5], 1) == []
    assert betas_below(0.25) == [0.025, 0.079, 0.25]


@pytest.mark.parametrize(
    ("shape", "count"),
    [((16, 16, 1), 1), ((16, 16, 16), 3), ((20, 16, 3), 100), ((16, 16, 4), 7)],
)
@pytest.mark.parametrize("constant", [False, True])
def test_proposals_for_every_kind_of_image(shape, count, constant):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    data = kd.data.from_arrays(np.full_like(images, 7) if constant else images)
    found = kd.suggestions.suggest(data, **TINY, steps=3)
    assert found.settings["batch_size"] <= count
    assert found.config.training.steps == 3
    numbers = [v for v in found.settings.values() if isinstance(v, (int, float))]
    assert all(math.isfinite(number) and number > 0 for number in numbers)


def test_low_contrast_lowers_published_pressures():
    rng = np.random.default_rng(0)
    images = (128 + rng.normal(size=(50, 1, 1, 1)) * np.ones((50, 16, 16, 1))).astype(np.uint8)
    data = kd.data.from_arrays(images)
    found = kd.suggestions.suggest(data, **TINY, steps=3)
    first = pixels.component_points(images / 255, "gaussian")[0]
    assert min(found.settings["betas"]) <= first / 4 * 1.01
    found = kd.suggestions.suggest(data, model="factor_vae", **TINY, steps=3)
    assert found.settings["likelihood_sigma"] == pytest.approx((images / 255).std(), rel=0.2)


def test_large_images_are_averaged():
    images = np.random.default_rng(0).integers(0, 256, (3, 218, 178, 3), dtype=np.uint8)
    small = pixels.shrunk(kd.data.from_arrays(images))
    assert small.image_shape == (54, 44, 3)
    expected = images[2, :4, 4:8].mean(axis=(0, 1))
    np.testing.assert_allclose(small.images([2])[0, 0, 1], expected, atol=0.51)


def test_lengths():
    assert [lengths.rounded_down(v) for v in (0.5, 1, 4999, 5000, 29_000)] == [
        1,
        1,
        3000,
        5000,
        20_000,
    ]
    assert lengths.batch_size_for(1) == 1
    assert lengths.batch_size_for(100) == 64
    assert lengths.steps_for(20, 100_000, 64, 20) == 20_000
    # A set of ten images is not seen more often than makes sense.
    assert lengths.steps_for(1000, 10, 8, 20) == 1000
    # The presets' own rates: 1e-3 for 4,500 steps, 5e-4 for 20,000, 1e-4 for 300,000.
    rates = [lengths.learning_rate_for(steps) for steps in (4500, 20_000, 300_000)]
    assert rates == [1e-3, 5e-4, 1e-4]


def test_measured_length_and_same_proposals_again(blobs):
    data = kd.data.from_arrays(blobs(64, (16, 16, 1)))
    found = kd.suggestions.suggest(data, **TINY, betas=(1, 2), minutes=0.01)
    assert found.settings["steps"] == 1000 or found.settings["steps"] >= lengths.FEWEST_STEPS / 2
    assert found.seconds == found.config.training.steps / found.steps_per_second
    assert "betas" not in found.settings


def test_linear_models_get_no_proposals(blobs):
    data = kd.data.from_arrays(blobs(64, (16, 16, 1)))
    assert kd.suggestions.suggest(data, model="pca").settings == {}
