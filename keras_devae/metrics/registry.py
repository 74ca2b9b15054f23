"""The names of the metrics, and which of them can be asked of a data set without factors."""

from collections.abc import Iterable
from typing import NamedTuple

from keras_devae.errors import UsageError, unknown_name


class Metric(NamedTuple):
    """What is known of a metric before it is computed.

    Attributes:
        needs_factors: Whether it compares codes with ground-truth factors.
        description: One line for lists and help texts.
    """

    needs_factors: bool
    description: str


METRICS = {
    "mig": Metric(True, "mutual information gap (Chen et al. 2018)"),
    "active_variables": Metric(
        False, "number of latent dimensions that respond to the data (Burda et al. 2015)"
    ),
    "kl": Metric(False, "KL divergence of the posterior from the prior, in nats"),
    "reconstruction_error": Metric(
        False, "negative log-likelihood in nats and squared error of reconstructions"
    ),
}


def check_names(names: Iterable[str], has_factors: bool) -> None:
    """Checks that the metrics exist and that the data set has what they need.

    Args:
        names: Names of metrics, keys of `METRICS`.
        has_factors: Whether the data set has ground-truth factors.

    Raises:
        UsageError: If a name is unknown (with the close matches), or a metric needs factors that
            the data set lacks (with the metrics that need none).
    """
    names = list(names)
    for name in names:
        if name not in METRICS:
            raise unknown_name("metric", name, METRICS)
    refused = [name for name in names if METRICS[name].needs_factors]
    if refused and not has_factors:
        needing = ", ".join(name for name, metric in METRICS.items() if metric.needs_factors)
        others = ", ".join(name for name, metric in METRICS.items() if not metric.needs_factors)
        raise UsageError(
            f"Cannot compute {', '.join(refused)}: the data set has no ground-truth factors. "
            f"Metrics that need factors: {needing}. Metrics that do not: {others}."
        )
