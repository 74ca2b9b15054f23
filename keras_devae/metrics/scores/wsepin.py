"""Information of each latent about an image beyond all others, weighted."""

from __future__ import annotations

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.separability import estimate_separability

METRIC = Metric(
    "wsepin",
    takes="drawn_posterior",
    description="information of each latent that no other has, weighted (Do and Tran 2020)",
    numbers={
        "score": Number(
            "Information that a latent adds about an image when all others are known, in nats; a "
            "mean over latents, weighted by their information. Higher: more of it is separate.",
            title="WSEPIN",
            unit="nats",
        ),
        "information": Number(
            "Information of all latents together about an image, in nats; at most the logarithm of "
            "the number of images.",
            unit="nats",
        ),
    },
    fast={"evaluated": 500},
    fast_rows=2000,
    place=162,
)


def wsepin(
    z_mean: Array, z_log_var: Array, *, samples: int = 1, evaluated: int = 2000, seed: int = 0
) -> Score:
    """Weighted separated informativeness, WSEPIN (Do and Tran 2020).

    `sum rho_i I(x, z_i | all other z)`, where `rho_i = I(x, z_i) / sum_j I(x, z_j)` and the
    conditional information is `I(x, z) - I(x, z without z_i)`. The posteriors are diagonal
    Gaussians and the aggregate posterior q(z) is the mean of the n given. Expectations are over
    draws of z. Densities stay logarithms throughout; the authors' code multiplies densities and
    takes the products as at least 1e-8, a floor that many latents soon reach.

    No information is more than log(n). Once all latents together tell the n images apart, each adds
    little to the others, however much it has: a `MetricWarning` says so, and more images raise the
    score. Where the images are a whole grid of independent factors and each latent holds a factor
    of n_i values, `I(x, z_i | all other z)` is log(n_i).

    With diagonal posteriors WSEPIN and WINDIN estimate the same number; they differ where an
    estimate would be below 0 and counts as 0.

    The time grows with evaluated x samples x n x d, memory with n x d only. Each density is
    computed twice, so that it takes a small multiple of the time of `elbo_decomposition`.

    Args:
        z_mean: Posterior means `(n, d)`, up to 10^30.
        z_log_var: Logarithms of the posterior variances `(n, d)`, between -100 and 100.
        samples: Draws of z from each evaluated posterior; default 1.
        evaluated: Number of posteriors drawn from, at random without repetition, at most n; default
            2000 (the authors drew 10,000 times with repetition). All n make up q(z).
        seed: Seed of the draws; default 0.

    Returns:
        `wsepin.score` and `wsepin.information`, I(x, z), in nats. `details`: `separated`, the
        conditional information, `information`, I(x, z_i), and `weights`, rho_i, lists of d;
        `information_together`, I(x, z), `information_bound`, log(n), and `constant_codes`. Where no
        latent has information, the score is 0, with a `MetricWarning`.

    Raises:
        UsageError: If the arrays are not finite matrices of one shape within those limits, or a
            setting is wrong.
    """
    found, details, settings = estimate_separability(
        "wsepin", z_mean, z_log_var, samples, evaluated, seed
    )
    separated = found.together - found.without_each
    values = {"score": np.sum(found.weights * separated), "information": found.together}
    return METRIC.score(values, {"separated": separated.tolist(), **details}, settings)
