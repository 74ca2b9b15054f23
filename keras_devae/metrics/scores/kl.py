"""The KL divergence of the posterior from the prior."""

from __future__ import annotations

from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.posterior import (
    check_divergences,
    check_posterior,
    kl_per_dimension,
)
from keras_devae.metrics.metric_warnings import caution_of_few

METRIC = Metric(
    "kl",
    takes="posterior",
    description="KL divergence of the posterior from the prior, in nats",
    numbers={
        "total": Number(
            "Nats of the code in all: how far its posterior is from the prior. 0: the code carries "
            "nothing.",
            title="KL",
            unit="nats",
            lower_is_better=True,
        )
    },
    of_samples="divergences",
    place=150,
)


def kl(z_mean: Array, z_log_var: Array, *, divergences: Array | None = None) -> Score:
    """KL divergence of the posterior from the standard normal prior, summed over dimensions.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.
        divergences: KL divergence of each posterior, `(n,)`, in nats, where it is no diagonal
            Gaussian and was estimated from samples; `None` (default) for the closed form. The
            numbers by dimension are then computed for Gaussians with the given means and
            variances, and are lower bounds of each dimension's own divergence.

    Returns:
        `kl.total` in nats, the mean over data; `details` with `per_dimension`, a list of `d`
        numbers.

    Raises:
        UsageError: As `kl_per_dimension`, or if `divergences` are not n finite numbers.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    caution_of_few(len(z_mean))
    per_dimension = kl_per_dimension(z_mean, z_log_var)
    total = per_dimension.sum()
    settings = {"sample_count": len(z_mean), "code_count": len(per_dimension)}
    if divergences is not None:
        total = check_divergences(divergences, len(z_mean)).mean()
        settings["estimated"] = True
    return METRIC.score({"total": total}, {"per_dimension": per_dimension.tolist()}, settings)
