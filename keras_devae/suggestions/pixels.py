"""What the pixels of a data set say about likelihood and pressures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.dataset import Dataset, DerivedDataset

#: Images that are looked at.
LOOKED_AT = 500
#: Longest side, in pixels, of the images of an annealed run; larger ones are averaged in blocks.
LONGEST_SIDE = 64
#: Smallest side that the averaged images keep.
SHORTEST_SIDE = 16
#: Least variance of a Bernoulli pixel, so that pixels that hardly ever change do not count most.
LEAST_VARIANCE = 0.01


class ShrunkDataset(DerivedDataset):
    """A data set whose images are averaged over blocks of `factor` x `factor` pixels."""

    def __init__(self, base: Dataset, factor: int) -> None:
        height, width, channels = base.image_shape
        shape = (height // factor, width // factor, channels)
        super().__init__(base, base.provenance, image_shape=shape, is_binary=False)
        self._factor = factor

    def _read_images(self, rows: Array) -> Array:
        height, width, channels = self.image_shape
        f = self._factor
        images = self._base.images(rows)[:, : height * f, : width * f]
        blocks = images.reshape(len(rows), height, f, width, f, channels)
        return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)

    def _read_factors(self, rows: Array) -> Array:
        return self._base.factors(rows)


def shrunk(dataset: Dataset) -> Dataset:
    """Returns the data set with images of at most `LONGEST_SIDE` pixels where that is possible."""
    height, width, _ = dataset.image_shape
    factor = math.ceil(max(height, width) / LONGEST_SIDE)
    factor = min(factor, min(height, width) // SHORTEST_SIDE)
    return dataset if factor <= 1 else ShrunkDataset(dataset, factor)


def sampled_pixels(dataset: Dataset, seed: int) -> Array:
    """Returns up to `LOOKED_AT` images as float32 in 0..1, `(n, height, width, channels)`."""
    count = min(len(dataset), LOOKED_AT)
    rows = np.random.default_rng(seed).choice(len(dataset), count, replace=False)
    return dataset.images(np.sort(rows)).astype(np.float32) / 255


def binary_share(pixels: Array) -> float:
    """Returns the variance of pixels in 0..1 over the variance of binary ones of the same mean.

    It is 1 for black and white, and 0 for pixels that are all alike.
    """
    mean = float(pixels.mean(dtype=np.float64))
    largest = mean * (1 - mean)
    return 1.0 if largest <= 0 else float(pixels.var(dtype=np.float64) / largest)


def component_points(pixels: Array, likelihood: str, sigma: float | None = None) -> list[float]:
    """Returns the betas, falling, below which linear codes hold the principal components.

    For Gaussian pixels it is the eigenvalue of their covariance over `sigma^2`, where the plain
    squared error has `sigma^2 = 1/2` (Lucas et al. 2019, "Don't Blame the ELBO!"). Bernoulli pixels
    are divided by their standard deviation first: to second order, that is their likelihood.
    """
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    mean = flat.mean(axis=0)
    flat = flat - mean
    if likelihood == "bernoulli":
        flat /= np.sqrt(np.maximum(mean * (1 - mean), LEAST_VARIANCE))
        scale = 1.0
    else:
        scale = 2.0 if sigma is None else 1 / sigma**2
    # Both products have the same eigenvalues besides zeros.
    product = flat @ flat.T if len(flat) < flat.shape[1] else flat.T @ flat
    eigenvalues = np.linalg.eigvalsh(product / len(flat))[::-1]
    return [float(scale * value) for value in eigenvalues if value > 1e-6 * max(eigenvalues[0], 1)]


def mean_deviation(pixels: Array) -> float:
    """Returns the standard deviation of pixels around their mean image."""
    return float(math.sqrt(pixels.var(axis=0, dtype=np.float64).mean()))


def facts(dataset: Dataset, seed: int) -> tuple[Any, float]:
    """Returns sampled pixels of a data set, and how near to binary they are."""
    pixels = sampled_pixels(dataset, seed)
    return pixels, binary_share(pixels)
