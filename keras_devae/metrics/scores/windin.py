"""Information of each latent about an image minus what it shares with others, weighted."""

from __future__ import annotations

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.separability import estimate_separability

METRIC = Metric(
    "windin",
    takes="drawn_posterior",
    description="information of each latent minus what it shares, weighted (Do and Tran 2020)",
    numbers={
        "score": Number(
            "Information of a latent about an image, minus the information that it shares with all "
            "other latents, in nats; a mean over latents, weighted by their information. Higher: "
            "they are informative and independent.",
            title="WINDIN",
            unit="nats",
        ),
        "wsep": Number(
            "Nats that a latent shares with all others; a mean over latents, weighted by their "
            "information. 0: each is independent of the others.",
            title="WSEP",
            unit="nats",
            lower_is_better=True,
        ),
    },
    fast={"evaluated": 500},
    fast_rows=2000,
    place=164,
)


def windin(
    z_mean: Array, z_log_var: Array, *, samples: int = 1, evaluated: int = 2000, seed: int = 0
) -> Score:
    """Weighted independent informativeness, WINDIN (Do and Tran 2020).

    `sum rho_i (I(x, z_i) - SEP_i)`, where `SEP_i = I(z_i, z without z_i)` and `rho_i = I(x, z_i) /
    sum_j I(x, z_j)`. Estimated like WSEPIN, from the same draws for the same seed, with the same
    limit by the number of images; see there.

    Where the images are a whole grid of independent factors and each latent holds a factor of n_i
    values, `I(x, z_i)` is log(n_i) and `SEP_i` is 0.

    Args:
        z_mean: Posterior means `(n, d)`, up to 10^30.
        z_log_var: Logarithms of the posterior variances `(n, d)`, between -100 and 100.
        samples: As for `wsepin`.
        evaluated: As for `wsepin`.
        seed: As for `wsepin`.

    Returns:
        `windin.score` and `windin.wsep`, `sum rho_i SEP_i`, in nats. `details`: `independent`,
        I(x, z_i) - SEP_i, `shared`, SEP_i, `information`, I(x, z_i), and `weights`, rho_i, lists of
        d; `information_together`, I(x, z), `information_bound`, log(n), and `constant_codes`. Where
        no latent has information, the score is 0, with a `MetricWarning`.

    Raises:
        UsageError: If the arrays are not finite matrices of one shape within those limits, or a
            setting is wrong.
    """
    found, details, settings = estimate_separability(
        "windin", z_mean, z_log_var, samples, evaluated, seed
    )
    independent = found.alone - found.shared
    values = {
        "score": np.sum(found.weights * independent),
        "wsep": np.sum(found.weights * found.shared),
    }
    named = {"independent": independent.tolist(), "shared": found.shared.tolist()}
    return METRIC.score(values, {**named, **details}, settings)
