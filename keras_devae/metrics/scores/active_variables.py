"""How many latent dimensions are active."""

from __future__ import annotations

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators import posterior
from keras_devae.metrics.estimators.scaling import unit_scaled
from keras_devae.metrics.labelled import find_constant_codes
from keras_devae.metrics.metric_warnings import caution_of_few

METRIC = Metric(
    "active_variables",
    takes="posterior",
    description=("number of active latent dimensions, and of those that vary (Burda et al. 2015)"),
    numbers={
        "count": Number(
            "Number of active latents: the means spread over the images by at least 1.3 standard "
            "deviations of the posterior, which is 0.5 nats of signal."
        ),
        "varying_means": Number(
            "Number of latents whose means vary by more than 0.01, whatever the noise (the active "
            "units of Burda et al. 2015).",
            title="active units (Burda et al.)",
        ),
    },
    of_samples="moments",
    place=140,
)


def active_variables(z_mean: Array, z_log_var: Array, threshold: float = 0.01) -> Score:
    """Number of latent dimensions that are active, and the field's count of those that vary.

    A dimension is active if its means spread enough compared with the posterior's deviation, see
    `signal_per_dimension`. Also returns the count of Burda et al. (2015), whose "active units" have
    a variance of the posterior mean above a threshold, whatever the noise.

    Constant means are named in a `MetricWarning`.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.
        threshold: The variance above which a mean varies, for the count of Burda et al.; it does
            not affect which dimensions are active.

    Returns:
        `active_variables.count`, of those active, and `active_variables.varying_means`, the count
        of Burda et al.; `details` with `signal` in nats, `variance_of_mean` and `mean_of_variance`,
        lists of `d` numbers (a collapsed dimension has about 0, 0 and 1), and `active`, the
        indices.

    Raises:
        UsageError: As `kl_per_dimension`, or if the threshold is negative.
    """
    z_mean, z_log_var = posterior.check_posterior(z_mean, z_log_var)
    checks.finite_at_least("threshold", threshold)
    constant = find_constant_codes(z_mean)
    caution_of_few(len(z_mean))
    scaled, exponents = unit_scaled(z_mean)
    variance = np.ldexp(scaled.var(axis=0), 2 * exponents)
    # Rounding of the mean must not make a constant vary, nor may the squares of tiny means be 0.
    varies = (variance > threshold) | (threshold == 0)
    varies[constant] = False
    signal = posterior.signal_per_dimension(z_mean, z_log_var)
    active = np.flatnonzero(posterior.active_dimensions(signal))
    details = {
        "signal": signal.tolist(),
        "variance_of_mean": variance.tolist(),
        "mean_of_variance": np.exp(z_log_var).mean(axis=0).tolist(),
        "active": active.tolist(),
    }
    settings = {
        "active_nats": posterior.ACTIVE_NATS,
        "threshold": float(threshold),
        "sample_count": len(z_mean),
        "code_count": len(variance),
    }
    counts = {"count": len(active), "varying_means": np.sum(varies)}
    return METRIC.score(counts, details, settings)
