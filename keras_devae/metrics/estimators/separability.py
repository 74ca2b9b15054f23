"""How much of an image each latent tells, alone and beside the others, from the posteriors."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_rows_drawn, check_seed
from keras_devae.metrics.estimators.aggregate_posterior import LogDensities, log_densities
from keras_devae.metrics.estimators.posterior import check_posterior
from keras_devae.metrics.labelled import find_constant_codes
from keras_devae.metrics.metric_warnings import caution, caution_of_few, warn

# Information is at its bound if no more nats than this are missing, and beyond if so many more.
NEAR_BOUND = 0.1


class Separability(NamedTuple):
    """Information in nats, not negative: `(d,)` but for `together`.

    `alone` is I(x, z_i), `together` I(x, z), `without_each` I(x, z without z_i), and `shared` the
    information that z_i and z without z_i have about each other.
    """

    alone: Array
    together: float
    without_each: Array
    shared: Array

    @property
    def weights(self) -> Array:
        """The share of each latent in the sum of `alone`, `(d,)`; 0 if that is 0."""
        total = self.alone.sum()
        return self.alone / total if total > 0 else np.zeros_like(self.alone)


class Estimate(NamedTuple):
    """A `Separability` with what a result records of how it came about."""

    found: Separability
    details: dict[str, Any]
    settings: dict[str, Any]


def estimate_separability(
    metric: str, z_mean: Array, z_log_var: Array, samples: int, evaluated: int, seed: int
) -> Estimate:
    """Checks the arguments of a metric of separability, and estimates it from draws.

    A `MetricWarning` says that no latent has information, or that the number of images limits it.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    samples = int(checks.at_least("samples", samples, 1))
    evaluated = int(checks.at_least("evaluated", evaluated, 1))
    count = min(evaluated, len(z_mean))
    check_rows_drawn(samples * count * z_mean.shape[1], "`samples` and `evaluated`")
    check_seed(seed)
    caution_of_few(len(z_mean))
    # Two posteriors differ if one of their two numbers does.
    fixed_mean = np.all(z_mean == z_mean[0], axis=0)
    constant = find_constant_codes(np.where(fixed_mean, z_log_var, z_mean))
    random = np.random.default_rng(seed)
    rows = np.tile(random.permutation(len(z_mean))[:count], samples)
    noise = random.standard_normal((len(rows), z_mean.shape[1]))
    found = separability(log_densities(z_mean, z_log_var, rows, noise, leave_one_out=True))
    _warn_of_information(metric, found, len(z_mean), len(constant) == z_mean.shape[1])
    details = {
        "information": found.alone.tolist(),
        "weights": found.weights.tolist(),
        "information_together": found.together,
        "information_bound": math.log(len(z_mean)),
        "constant_codes": constant,
    }
    settings = {
        "samples": samples,
        "evaluated": count,
        "sample_count": len(z_mean),
        "code_count": z_mean.shape[1],
        "seed": seed,
    }
    return Estimate(found, details, settings)


def separability(found: LogDensities) -> Separability:
    """Turns log-densities of draws, with `without_each`, into information.

    Each is the mean of a log-ratio, and 0 where the draws put it below.
    """
    assert found.without_each is not None
    of_image = found.posterior.sum(axis=1)
    alone = (found.posterior - found.marginals).mean(axis=0)
    together = (of_image - found.aggregate).mean()
    rest = (of_image[:, None] - found.posterior - found.without_each).mean(axis=0)
    shared = (found.aggregate[:, None] - found.marginals - found.without_each).mean(axis=0)
    alone, rest, shared = (np.maximum(0.0, part) for part in (alone, rest, shared))
    return Separability(alone, max(0.0, float(together)), rest, shared)


def _warn_of_information(metric: str, found: Separability, images: int, collapsed: bool) -> None:
    bound = math.log(images)
    if not found.alone.any():
        if not collapsed:
            warn(f"No latent has information about the images, and {metric} is 0.")
    elif found.together > bound - NEAR_BOUND and found.alone.sum() > bound + NEAR_BOUND:
        caution(
            f"The latents have {found.alone.sum():.1f} nats one by one, but {images:,} images "
            f"limit all of them together to {bound:.1f}: if there are more images, {metric} is "
            "too low; take more."
        )
