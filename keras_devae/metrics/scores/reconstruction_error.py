"""How far reconstructions are from their images."""

from __future__ import annotations

import math

import numpy as np

from keras_devae.checks import Array, one_of, positive
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import numeric_array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.metric_warnings import caution_of_few

LIKELIHOODS = ("bernoulli", "gaussian")
# Decoders compute in float32, where a probability cannot be told from 1 within this distance:
# a saturated pixel costs at most 16 nats, not infinity.
PROBABILITY_FLOOR = float(np.finfo(np.float32).eps)
CHUNK = 256
# Beyond it the squares of pixels, or of deviations, summed up may not be finite in float64.
LARGEST = 1e100

METRIC = Metric(
    "reconstruction_error",
    takes="images",
    description="negative log-likelihood in nats and squared error of reconstructions",
    numbers={
        "negative_log_likelihood": Number(
            "Nats lost in an image that is decoded from its own code. Lower is better.",
            title="reconstruction",
            unit="nats",
            lower_is_better=True,
        ),
        "squared_error": Number(
            "Squared difference of an image and what is decoded from its code, summed over the "
            "pixels. Lower is better.",
            lower_is_better=True,
        ),
    },
    place=170,
)


def reconstruction_error(
    images: Array, reconstructions: Array, likelihood: str = "bernoulli", sigma: float | None = None
) -> Score:
    """Error of reconstructions, summed over the pixels of an image and averaged over images.

    The sum over pixels is the reconstruction term of the ELBO. For images that are not binary the
    Bernoulli term is not a proper likelihood, and its minimum is the images' entropy, not 0. The
    Gaussian term is the plain squared error unless `sigma` is given, as in the field's
    implementations: the log-density for `sigma = sqrt(1/2)` up to sign and a constant.

    Args:
        images: `(n, height, width, channels)`, uint8 (scaled by 1/255) or float; in `[0, 1]` for
            `"bernoulli"`.
        reconstructions: Pixel means of the same shape, uint8 or float; probabilities for
            `"bernoulli"`, where they are kept 1.2e-7 (float32 epsilon) away from 0 and 1.
        likelihood: `"bernoulli"` (default) or `"gaussian"`.
        sigma: Standard deviation of every pixel for `"gaussian"`, whose full density counts then,
            or `None` (default).

    Returns:
        `reconstruction_error.negative_log_likelihood` in nats and
        `reconstruction_error.squared_error`; `details` with `squared_error_per_pixel`, the mean.

    Raises:
        UsageError: If the shapes differ, a value is not finite or out of range, the likelihood is
            unknown, or `sigma` is not positive or given for `"bernoulli"`.
    """
    one_of("likelihood", likelihood, LIKELIHOODS)
    if sigma is not None:
        positive("sigma", sigma)
        if not 1 / LARGEST <= sigma <= LARGEST:
            raise UsageError(
                f"`sigma` must be between {1 / LARGEST:g} and {LARGEST:g} for its square to be a "
                f"number. Received: {sigma:g}."
            )
        if likelihood != "gaussian":
            raise UsageError(f"`sigma` goes with likelihood='gaussian'. Received: {likelihood!r}.")
    images, reconstructions = _check_images(images, reconstructions)
    caution_of_few(len(images))
    bounded = likelihood == "bernoulli"
    sums = np.zeros(2)
    # Float64 copies are made of a few images at a time: a data set of them need not fit in memory.
    for start in range(0, len(images), CHUNK):
        image = _pixels(images[start : start + CHUNK], "images", bounded)
        mean = _pixels(reconstructions[start : start + CHUNK], "reconstructions", bounded)
        squared = np.square(image - mean).sum()
        sums += (_cross_entropy(image, mean) if bounded else squared), squared
    likelihood_mean, squared_mean = sums / len(images)
    if sigma is not None:
        constant = math.log(sigma) + 0.5 * math.log(2 * math.pi)
        likelihood_mean = 0.5 * squared_mean / sigma**2 + images[0].size * constant
    return METRIC.score(
        {"negative_log_likelihood": likelihood_mean, "squared_error": squared_mean},
        {"squared_error_per_pixel": float(squared_mean / images[0].size)},
        {
            "likelihood": likelihood,
            "sigma": None if sigma is None else float(sigma),
            "probability_floor": PROBABILITY_FLOOR if bounded else None,
            "sample_count": len(images),
            "image_shape": list(images.shape[1:]),
        },
    )


def _check_images(images: Array, reconstructions: Array) -> tuple[Array, Array]:
    form = "a numeric array of shape (n, height, width, channels), not empty"
    images = numeric_array(images, "images", form, axes=4)
    reconstructions = numeric_array(reconstructions, "reconstructions", form, axes=4)
    if images.shape != reconstructions.shape:
        raise UsageError(
            "`images` and `reconstructions` must have the same shape, (n, height, width, "
            f"channels). Received: {images.shape} and {reconstructions.shape}."
        )
    return images, reconstructions


def _pixels(values: Array, name: str, bounded: bool) -> Array:
    if values.dtype == np.uint8:
        return values / 255.0
    values = values.astype(np.float64)
    low, high = values.min(), values.max()
    if not np.isfinite([low, high]).all():
        raise UsageError(f"`{name}` must be finite. Received: values from {low} to {high}.")
    if max(-low, high) > LARGEST:
        raise UsageError(
            f"`{name}` must be between -{LARGEST:g} and {LARGEST:g} for squares to be finite. "
            f"Received: values from {low:g} to {high:g}."
        )
    if bounded and (low < 0 or high > 1):
        raise UsageError(
            f"`{name}` must be uint8, or floats in [0, 1] for the Bernoulli likelihood. Received: "
            f"values from {low:g} to {high:g}; rescale them or use likelihood='gaussian'."
        )
    return values


def _cross_entropy(image: Array, probability: Array) -> float:
    probability = np.clip(probability, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return -np.sum(image * np.log(probability) + (1 - image) * np.log1p(-probability))
