"""The KL divergence of the posterior from the prior."""

from __future__ import annotations

from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.posterior import check_posterior, kl_per_dimension
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
    place=150,
)


def kl(z_mean: Array, z_log_var: Array) -> Score:
    """KL divergence of the posterior from the standard normal prior, summed over dimensions.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.

    Returns:
        `kl.total` in nats, the mean over data; `details` with `per_dimension`, a list of `d`
        numbers.

    Raises:
        UsageError: As `kl_per_dimension`.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    caution_of_few(len(z_mean))
    per_dimension = kl_per_dimension(z_mean, z_log_var)
    return METRIC.score(
        {"total": per_dimension.sum()},
        {"per_dimension": per_dimension.tolist()},
        {"sample_count": len(z_mean), "code_count": len(per_dimension)},
    )
