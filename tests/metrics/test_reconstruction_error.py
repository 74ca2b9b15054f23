import json
import math

import numpy as np
import pytest
import scipy.stats

from keras_devae.errors import UsageError
from keras_devae.metrics import reconstruction_error

NLL, SQUARED = "reconstruction_error.negative_log_likelihood", "reconstruction_error.squared_error"


def test_undecided_reconstruction_costs_log_2_a_pixel():
    images = np.random.default_rng(0).integers(0, 256, size=(3, 64, 64, 1), dtype=np.uint8)
    result = reconstruction_error(images, np.full(images.shape, 0.5, np.float32))
    assert result[NLL] == pytest.approx(2839.13, abs=0.005)
    expected = ((images / 255.0 - 0.5) ** 2).sum() / 3
    assert result[SQUARED] == pytest.approx(expected)
    assert result["details"]["squared_error_per_pixel"] == pytest.approx(expected / 4096)
    assert result["settings"]["likelihood"] == "bernoulli"
    assert result["settings"]["image_shape"] == [64, 64, 1]
    assert json.loads(json.dumps(result)) == result


def test_cross_entropy_by_hand():
    images = np.array([[1.0, 0.0], [0.25, 1.0]]).reshape(2, 1, 2, 1)
    probabilities = np.array([[0.8, 0.4], [0.5, 0.1]]).reshape(2, 1, 2, 1)
    total = -(math.log(0.8) + math.log(0.6) + math.log(0.5) + math.log(0.1))
    result = reconstruction_error(images, probabilities)
    assert result[NLL] == pytest.approx(total / 2)
    assert result[SQUARED] == pytest.approx((0.04 + 0.16 + 0.0625 + 0.81) / 2)


def test_saturated_pixels_are_finite():
    images = np.array([0, 255], np.uint8).reshape(1, 1, 2, 1)
    wrong = reconstruction_error(images, 1.0 - images / 255)
    assert wrong[NLL] == pytest.approx(2 * 15.942385, rel=1e-6)
    assert reconstruction_error(images, images / 255)[NLL] == pytest.approx(0, abs=1e-6)


def test_gaussian_is_the_squared_error_on_any_range():
    images = np.full((2, 4, 4, 3), -1.0)
    result = reconstruction_error(images, images + 2, "gaussian")
    assert result[NLL] == result[SQUARED] == 4 * 48
    assert result["settings"]["probability_floor"] is None


def test_gaussian_of_a_known_deviation_is_its_density():
    rng = np.random.default_rng(4)
    images, means = rng.normal(size=(2, 5, 4, 4, 3))
    result = reconstruction_error(images, means, "gaussian", sigma=0.3)
    densities = scipy.stats.norm.logpdf(images, means, 0.3).sum(axis=(1, 2, 3))
    assert result[NLL] == pytest.approx(-densities.mean())
    assert result["settings"]["sigma"] == 0.3
    for likelihood, sigma in (("gaussian", 0.0), ("gaussian", math.nan), ("bernoulli", 0.3)):
        with pytest.raises(UsageError, match="`sigma`"):
            reconstruction_error(images, means, likelihood, sigma=sigma)


def test_uint8_and_floats_are_the_same_images():
    images = np.random.default_rng(1).integers(0, 256, size=(5, 8, 8, 3), dtype=np.uint8)
    means = np.random.default_rng(2).uniform(size=images.shape).astype(np.float32)
    from_bytes = reconstruction_error(images, means)
    assert reconstruction_error(images / 255.0, means) == from_bytes


def test_many_images_are_averaged_over_all_of_them():
    images = np.zeros((600, 1, 1, 1), np.uint8)
    means = np.linspace(0, 1, 600).reshape(-1, 1, 1, 1)
    result = reconstruction_error(images, means, "gaussian")
    assert result[SQUARED] == pytest.approx((means**2).mean())
    assert result["settings"]["sample_count"] == 600


@pytest.mark.parametrize(
    ("images", "means", "likelihood", "message"),
    [
        (np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 3)), "bernoulli", r"same shape.*\(2, 4, 4, 3"),
        (np.zeros((2, 4, 4)), np.zeros((2, 4, 4)), "bernoulli", r"\(n, height, width, channels\)"),
        (
            np.full((1, 2, 2, 1), 255.0),
            np.zeros((1, 2, 2, 1)),
            "bernoulli",
            "0, 1.*from 255 to 255",
        ),
        (np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), -0.5), "bernoulli", "`reconstructions`"),
        (np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), np.nan), "gaussian", "must be finite"),
        (np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)), "gauss", "Did you mean 'gaussian'"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(images, means, likelihood, message):
    with pytest.raises(UsageError, match=message):
        reconstruction_error(images, means, likelihood)
