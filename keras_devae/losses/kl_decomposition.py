"""Decompositions of the divergence from the prior: information, dependence and marginals."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from keras import ops

from keras_devae.checks import Tensor, partition
from keras_devae.errors import unknown_name

#: Estimators of the aggregate posterior, see `decompose_kl`.
ESTIMATORS = ("weighted", "stratified", "bias_corrected")

# Distance, in standard deviations, beyond which densities stay constant. Squares of numbers above
# 1e19 overflow float32, and an infinite square has a NaN gradient although its weight is 0.
DISTANCE_LIMIT = 1e15


class KLDecomposition(NamedTuple):
    """The three parts of the average divergence from the prior, float32 scalars in nats.

    Attributes:
        mutual_information: Mutual information between data and code, `KL(q(z, x) || q(z) p(x))`.
        total_correlation: `KL(q(z) || prod_d q(z_d))`.
        dimension_wise_kl: `sum_d KL(q(z_d) || p(z_d))`.

    Example:
        >>> z = ops.ones((64, 10))
        >>> parts = decompose_kl(z, z, ops.zeros((64, 10)), dataset_size=1000)
        >>> ops.shape(parts.total_correlation)
        ()
    """

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


class GroupedKLDecomposition(NamedTuple):
    """The four parts of the average divergence from the prior, float32 scalars in nats.

    Attributes:
        within_groups: Total correlation within groups, `sum_g KL(q(z_g) || prod_d q(z_gd))`.
        dimension_wise_kl: `sum_d KL(q(z_d) || p(z_d))`.
        mutual_information: Mutual information between data and code, `KL(q(z, x) || q(z) p(x))`.
        between_groups: Total correlation between groups of latents, `KL(q(z) || prod_g q(z_g))`.

    Example:
        >>> z = ops.ones((64, 10))
        >>> parts = decompose_kl_by_groups(z, z, ops.zeros((64, 10)), 1000, group_sizes=(4, 6))
        >>> ops.shape(parts.between_groups)
        ()
    """

    within_groups: Tensor
    dimension_wise_kl: Tensor
    mutual_information: Tensor
    between_groups: Tensor


def stratified_log_weights(
    batch_size: Tensor | int, dataset_size: Tensor | float, reference_compat: bool = False
) -> Tensor:
    """Returns the log-weights of minibatch-stratified sampling, Chen et al. (2018), appendix C.2.

    With data set size `N`, batch size `B` and `M = B - 1`, a row's own posterior has the weight
    `1/N`, exactly one other posterior `(N - M) / (N M)` and the rest `1/M`, so that each row sums
    to 1. The other one can be chosen freely; here it is the next one in the batch, and for the
    last row the first.

    Args:
        batch_size: Rows of the batch, an integer or a scalar integer tensor.
        dataset_size: Images in the data set, a number or a scalar tensor. Raised to `batch_size`
            if it is smaller.
        reference_compat: Whether to put the weights where the authors' released code and its copies
            put them: `1/N` in the first column instead of on the diagonal, the stratified weight in
            the second, and for the last row but one also in the first. Rows then do not sum to 1,
            and most samples' own posteriors have the weight `1/M`. Default `False`.

    Returns:
        Float32 tensor `(batch_size, batch_size)`, one row per sample, one column per posterior. A
        batch of one gives `[[0.]]`, the weight 1.
    """
    numbers = ops.arange(batch_size, dtype="int32")
    columns = ops.broadcast_to(numbers[None], (batch_size, batch_size))
    rows = ops.transpose(columns)
    if reference_compat:
        overwritten = ops.logical_and(ops.equal(columns, 0), ops.equal(rows, batch_size - 2))
        places = ops.where(overwritten, ops.ones_like(columns), columns)
    else:
        places = ops.mod(columns - rows, batch_size)
    return _place_weights(places, batch_size, dataset_size)


def decompose_kl(
    z: Tensor,
    mean: Tensor,
    log_var: Tensor,
    dataset_size: Tensor | float,
    estimator: str = "weighted",
    reference_compat: bool = False,
) -> KLDecomposition:
    """Decomposes the divergence from the prior, Chen et al. (2018), equation 2, on one minibatch.

    The parts add up to the batch average of `log q(z|x) - log p(z)` with any estimator of `q(z)`
    and `q(z_d)`, because these cancel.

    - `"weighted"`, minibatch-weighted sampling (equation 3), the estimator of the published
      comparisons: `q(z)` is the sum of the batch's posterior densities divided by `B N`. It assumes
      that one of the `N` posteriors matters; if all are alike, it is too small by a factor `N`,
      which makes the total correlation `(latent_dim - 1) log N` too large, the mutual information
      `log N` too large and the last part `latent_dim log N` too small. Such constants do not change
      the gradient. Implementations that leave out `B N` report a total correlation that is
      smaller by `(latent_dim - 1) log(B N)`, hence mostly negative.
    - `"stratified"`, minibatch-stratified sampling, see `stratified_log_weights`. It has no such
      offset; single batches may give negative values.
    - `"bias_corrected"`, the estimator of Esmaeili et al. (2019): a sample's own posterior has the
      weight `1/N`, each of the others `1/N (N - 1) / (B - 1)`, so that they stand for the rest of
      the data set. It has no offset either. A data set smaller than the batch counts as large.

    Values and gradients are finite for log-variances within +-100 and codes below 1e15.

    Args:
        z: One sample of every posterior, `(batch, latent_dim)`, any float dtype.
        mean: Posterior means of the same shape.
        log_var: Log-variances of the same shape.
        dataset_size: Images in the data set, a number or a scalar tensor.
        estimator: `"weighted"` (default), `"stratified"` or `"bias_corrected"`.
        reference_compat: Whether `"stratified"` uses the weights of the authors' released code,
            see `stratified_log_weights`; only to reproduce its numbers. Default `False`; no effect
            on the other estimators.

    Returns:
        The `KLDecomposition`, float32 scalars in nats.

    Raises:
        UsageError: If there is no such estimator.
    """
    z = ops.cast(z, "float32")
    dimensions = z.shape[-1]
    conditional, prior, (joint, marginals) = _log_densities(
        (z, mean, log_var),
        ((dimensions,), (1,) * dimensions),
        dataset_size,
        estimator,
        reference_compat,
    )
    return KLDecomposition(
        mutual_information=ops.mean(conditional - joint),
        total_correlation=ops.mean(joint - marginals),
        dimension_wise_kl=ops.mean(marginals - prior),
    )


def decompose_kl_by_groups(
    z: Tensor,
    mean: Tensor,
    log_var: Tensor,
    dataset_size: Tensor | float,
    group_sizes: Sequence[int],
    estimator: str = "bias_corrected",
) -> GroupedKLDecomposition:
    """Decomposes the divergence from the prior by groups of latents, Esmaeili et al. (2019).

    `decompose_kl` with its total correlation in two parts, between and within groups. The four
    parts add up to the batch average of `log q(z|x) - log p(z)` with any estimator. With a single
    group the part between groups is 0, with groups of one dimension each the part within them.

    Args:
        z: One sample of every posterior, `(batch, latent_dim)`, any float dtype.
        mean: Posterior means of the same shape.
        log_var: Log-variances of the same shape.
        dataset_size: Images N in the data set, a number or a scalar tensor.
        group_sizes: Latent dimensions of each group, at least 1, which add up to `latent_dim`; the
            first group holds the first dimensions, and so on.
        estimator: `"bias_corrected"` (default), `"weighted"` or `"stratified"`. The offset of
            `"weighted"` is `(groups - 1) log N` between groups and `(latent_dim - groups) log N`
            within them.

    Returns:
        The `GroupedKLDecomposition`, float32 scalars in nats.

    Raises:
        UsageError: If there is no such estimator, or the sizes do not add up.
    """
    z = ops.cast(z, "float32")
    dimensions = z.shape[-1]
    sizes = partition("group_sizes", group_sizes, dimensions)
    conditional, prior, (joint, groups, marginals) = _log_densities(
        (z, mean, log_var),
        ((dimensions,), sizes, (1,) * dimensions),
        dataset_size,
        estimator,
    )
    return GroupedKLDecomposition(
        within_groups=ops.mean(groups - marginals),
        dimension_wise_kl=ops.mean(marginals - prior),
        mutual_information=ops.mean(conditional - joint),
        between_groups=ops.mean(joint - groups),
    )


def _log_densities(
    posteriors: tuple[Tensor, Tensor, Tensor],
    partitions: Sequence[Sequence[int]],
    dataset_size: Tensor | float,
    estimator: str,
    reference_compat: bool = False,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Returns `log q(z|x)`, `log p(z)` and `log prod_g q(z_g)` of each partition, all `(batch,)`.

    A partition is the sizes of groups g of consecutive dimensions.
    """
    if estimator not in ESTIMATORS:
        raise unknown_name("estimator", estimator, ESTIMATORS)
    z, mean, log_var = (ops.cast(tensor, "float32") for tensor in posteriors)
    log_weights = _log_weights(estimator, ops.shape(z)[0], dataset_size, reference_compat)
    # log q(z_d | x) of every sample (axis 0) under every posterior of the batch (axis 1).
    pairwise = _log_density(z[:, None], mean[None], log_var[None])
    log_products = [
        ops.sum(ops.logsumexp(log_weights[..., None] + densities, axis=1), axis=-1)
        for densities in (_sums_of_groups(pairwise, sizes) for sizes in partitions)
    ]
    log_conditional = ops.sum(_log_density(z, mean, log_var), axis=-1)
    log_prior = ops.sum(_log_density(z, ops.zeros_like(z), ops.zeros_like(z)), axis=-1)
    return log_conditional, log_prior, log_products


def _sums_of_groups(tensor: Tensor, sizes: Sequence[int]) -> Tensor:
    """Sums groups of consecutive entries of the last axis, of which there are `sizes`."""
    if max(sizes) == 1:
        return tensor
    ends = itertools.accumulate(sizes)
    parts = zip(sizes, ends, strict=True)
    sums = [ops.sum(tensor[..., end - size : end], axis=-1) for size, end in parts]
    return ops.stack(sums, axis=-1)


def _log_weights(
    estimator: str, batch_size: Tensor, dataset_size: Tensor, reference_compat: bool
) -> Tensor:
    """Returns log-weights that broadcast to (samples, posteriors)."""
    if estimator == "weighted":
        sizes = ops.log(ops.cast(batch_size, "float32")) + ops.log(
            ops.cast(dataset_size, "float32")
        )
        return ops.reshape(-sizes, (1, 1))
    if estimator == "stratified":
        return stratified_log_weights(batch_size, dataset_size, reference_compat)
    return _bias_corrected_log_weights(batch_size, dataset_size)


def _bias_corrected_log_weights(batch_size: Tensor, dataset_size: Tensor) -> Tensor:
    """Returns `log 1/N` on the diagonal and `log (N - 1) / (N (B - 1))` elsewhere."""
    batch = ops.cast(batch_size, "float32")
    dataset = ops.maximum(ops.cast(dataset_size, "float32"), batch)
    # A batch of one has no other posteriors; its only weight is 1.
    own = ops.where(batch > 1, -ops.log(dataset), ops.zeros_like(batch))
    others = ops.log(ops.maximum(dataset - 1, 1.0)) - ops.log(ops.maximum(batch - 1, 1.0))
    numbers = ops.arange(batch_size, dtype="int32")
    return ops.where(numbers[:, None] == numbers[None], own, others - ops.log(dataset))


def _place_weights(places: Tensor, batch_size: Tensor, dataset_size: Tensor) -> Tensor:
    """Returns the own weight where `places` is 0, the stratified one at 1, elsewhere the rest."""
    batch = ops.cast(batch_size, "float32")
    dataset = ops.maximum(ops.cast(dataset_size, "float32"), batch)
    # A batch of one has no other posteriors; its only weight is 1.
    others = ops.maximum(batch - 1, 1.0)
    own = ops.where(batch > 1, -ops.log(dataset), ops.zeros_like(batch))
    rest = -ops.log(others)
    stratified = ops.log(dataset - batch + 1) - ops.log(dataset) + rest
    return ops.where(ops.equal(places, 0), own, ops.where(ops.equal(places, 1), stratified, rest))


def _log_density(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Computes the log-density of a normal distribution, elementwise."""
    distance = (x - mean) * ops.exp(-0.5 * log_var)
    distance = ops.clip(distance, -DISTANCE_LIMIT, DISTANCE_LIMIT)
    return -0.5 * (ops.square(distance) + log_var + math.log(2 * math.pi))
