"""Information of codes about factors, from the probabilities that posteriors give to bins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse, special

from keras_devae import checks
from keras_devae.checks import Array, listed, one_of, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import check_bins
from keras_devae.metrics.estimators.discretization import discretized_columns

#: How the bins of posteriors are laid out, by the means.
LAYOUTS = ("histogram", "quantile")
# Probabilities of at most this many pairs of a row and a bin are held at a time.
CELLS = 2**22


class BinnedInformation(NamedTuple):
    """Plug-in information in nats, `(d, f)` both, never negative."""

    information: Array
    joint_entropies: Array


def check_limits(limits: Sequence[float] | None) -> tuple[float, float] | None:
    """Checks the range that is divided into bins of equal width, two finite increasing numbers."""
    if limits is None:
        return None
    given = listed("limits", limits, "two numbers, the ends of the range that is divided")
    found = [checks.finite("limits", value) for value in given]
    if len(found) != 2 or not found[0] < found[1]:
        raise UsageError(
            "`limits` must be two numbers, the smaller one first, or None for the range of each "
            f"code. Received: {shown(limits)}."
        )
    return found[0], found[1]


def layout_settings(
    bins: int, discretizer: str, limits: tuple[float, float] | None
) -> dict[str, Any]:
    """Returns the settings of the bins for a result."""
    return {"bins": bins, "discretizer": discretizer, "limits": limits and list(limits)}


def binned_information(
    z_mean: Array,
    z_log_var: Array,
    factors: Array,
    bins: int,
    discretizer: str,
    limits: tuple[float, float] | None,
) -> BinnedInformation:
    """Computes the information of each code about each factor; `q(s, y)` is the mean over rows.

    `q(s | x)` is the probability of bin s under the posterior of x. Means and log-variances are
    checked, `(n, d)`; factors are whole numbers `(n, f)` that vary.
    """
    indicators, starts = _indicators(factors)
    of_factors = _sums(special.entr(indicators.sum(axis=1)), starts)
    joint = np.zeros((z_mean.shape[1], len(starts)))
    of_codes = np.zeros(z_mean.shape[1])
    deviations = np.exp(0.5 * z_log_var)
    for j, edges in enumerate(bin_edges(z_mean, bins, discretizer, limits)):
        for probabilities in _bin_probabilities(z_mean[:, j], deviations[:, j], edges):
            of_codes[j] += special.entr(probabilities.mean(axis=0)).sum()
            joint[j] += _sums(special.entr(indicators @ probabilities).sum(axis=1), starts)
    information = of_codes[:, None] + of_factors - joint
    return BinnedInformation(np.maximum(0.0, information), np.maximum(0.0, joint))


def bin_edges(
    z_mean: Array, bins: int, discretizer: str, limits: tuple[float, float] | None
) -> Iterator[Array]:
    """Yields the inner edges of the bins of each code, at most `bins - 1`, in ascending order.

    The outermost bins have no end. With limits, bins have equal widths between these; without, they
    are the bins that the discretizer puts the means in, with their edges halfway between the means
    on either side, so that no sharp posterior has its mean on an edge.
    """
    bins = check_bins(bins)
    one_of("discretizer", discretizer, LAYOUTS)
    if limits is not None:
        inner = np.linspace(*limits, bins + 1)[1:-1]
        yield from (inner for _ in range(z_mean.shape[1]))
        return
    columns = discretized_columns(z_mean, bins, discretizer)
    for means, labels in zip(z_mean.T, columns, strict=True):
        order = np.argsort(means, kind="stable")
        ordered = means[order]
        last = np.flatnonzero(np.diff(labels[order]))
        yield ordered[last] / 2 + ordered[last + 1] / 2


def _indicators(factors: Array) -> tuple[Any, Array]:
    """Returns a sparse matrix `(values of all factors, n)` with 1/n where a row has the value.

    And the number of its first row for each factor, `(f,)`.
    """
    labels = [np.unique(column, return_inverse=True)[1] for column in factors.T]
    sizes = [int(found.max()) + 1 for found in labels]
    starts = np.cumsum([0, *sizes])[:-1]
    count = len(factors)
    places = np.concatenate([found + start for found, start in zip(labels, starts, strict=True)])
    rows = np.tile(np.arange(count), len(labels))
    shares = np.full(len(places), 1 / count)
    return sparse.csr_array((shares, (places, rows)), shape=(sum(sizes), count)), starts


def _bin_probabilities(means: Array, deviations: Array, edges: Array) -> Iterator[Array]:
    """Yields the probabilities `(n, bins)` of bins in groups that fit in memory."""
    step = max(1, CELLS // len(means))
    bounds = np.concatenate([[-np.inf], edges, [np.inf]])
    for start in range(0, len(bounds) - 1, step):
        ends = bounds[start : start + step + 1]
        below = special.ndtr((ends - means[:, None]) / deviations[:, None])
        yield np.diff(below, axis=1)


def _sums(values: Array, starts: Array) -> Array:
    return np.add.reduceat(values, starts)
