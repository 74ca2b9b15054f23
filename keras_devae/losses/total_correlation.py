"""Measures of dependence between latents: the KL decomposition and the density-ratio estimate."""

import math
from typing import NamedTuple

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.errors import unknown_name

ESTIMATORS = ("weighted", "stratified")

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

    Values and gradients are finite for log-variances within +-100 and codes below 1e15.

    Args:
        z: One sample of every posterior, `(batch, latent_dim)`, any float dtype.
        mean: Posterior means of the same shape.
        log_var: Log-variances of the same shape.
        dataset_size: Images in the data set, a number or a scalar tensor.
        estimator: `"weighted"` (default) or `"stratified"`.
        reference_compat: Whether `"stratified"` uses the weights of the authors' released code,
            see `stratified_log_weights`; only to reproduce its numbers. Default `False`; no effect
            on `"weighted"`.
    """
    if estimator not in ESTIMATORS:
        raise unknown_name("estimator", estimator, ESTIMATORS)
    z, mean, log_var = (ops.cast(tensor, "float32") for tensor in (z, mean, log_var))
    log_weights = _log_weights(estimator, ops.shape(z)[0], dataset_size, reference_compat)

    # log q(z_d | x) of every sample (axis 0) under every posterior of the batch (axis 1).
    pairwise = _log_density(z[:, None], mean[None], log_var[None])
    log_joint = ops.logsumexp(log_weights + ops.sum(pairwise, axis=-1), axis=1)
    log_marginals = ops.sum(ops.logsumexp(log_weights[..., None] + pairwise, axis=1), axis=-1)
    log_conditional = ops.sum(_log_density(z, mean, log_var), axis=-1)
    log_prior = ops.sum(_log_density(z, ops.zeros_like(z), ops.zeros_like(z)), axis=-1)

    return KLDecomposition(
        mutual_information=ops.mean(log_conditional - log_joint),
        total_correlation=ops.mean(log_joint - log_marginals),
        dimension_wise_kl=ops.mean(log_marginals - log_prior),
    )


def permute_dimensions(z: Tensor, seed: keras.random.SeedGenerator | int) -> Tensor:
    """Permutes each column independently: samples of `q(z)` become samples of `prod_d q(z_d)`.

    Algorithm 1 of Kim & Mnih (2018). Pass samples, not means.

    Args:
        z: Samples `(batch, latent_dim)`, any float dtype.
        seed: A `keras.random.SeedGenerator`, or an integer for the same permutations every time.

    Returns:
        Float32 tensor of the same shape; each column keeps its values, in another order.
    """
    z = ops.cast(z, "float32")
    # Sorting noise is the only way to permute columns separately that compiles on every backend.
    order = ops.argsort(keras.random.uniform(ops.shape(z), dtype="float32", seed=seed), axis=0)
    return ops.take_along_axis(z, order, axis=0)


def density_ratio_total_correlation(logits: Tensor) -> Tensor:
    """Estimates the total correlation from a discriminator, Kim & Mnih (2018), equation 3.

    The discriminator tells samples of `q(z)`, class 0, from permuted ones, class 1; if it is
    optimal, the difference of its logits is `log q(z) - log prod_d q(z_d)`. With a single batch and
    an imperfect discriminator, the estimate may be negative.

    Args:
        logits: The discriminator's logits for samples of `q(z)`, `(batch, 2)`.

    Returns:
        Float32 scalar in nats.
    """
    logits = ops.cast(logits, "float32")
    return ops.mean(logits[:, 0] - logits[:, 1])


def discriminator_loss(logits: Tensor, permuted_logits: Tensor) -> Tensor:
    """Computes the discriminator's mean cross-entropy, Kim & Mnih (2018), algorithm 2.

    Args:
        logits: Logits for samples of `q(z)`, which are class 0, `(batch, 2)`.
        permuted_logits: Logits for permuted samples, class 1, `(batch, 2)`; the batch may differ.

    Returns:
        Float32 scalar in nats; log 2 for an undecided discriminator.
    """
    logits = ops.cast(logits, "float32")
    permuted_logits = ops.cast(permuted_logits, "float32")
    # For two classes, the cross-entropy is the softplus of the wrong logit minus the right one.
    joint = ops.mean(ops.softplus(logits[:, 1] - logits[:, 0]))
    permuted = ops.mean(ops.softplus(permuted_logits[:, 0] - permuted_logits[:, 1]))
    return 0.5 * (joint + permuted)


def _log_weights(
    estimator: str, batch_size: Tensor, dataset_size: Tensor, reference_compat: bool
) -> Tensor:
    """Returns log-weights that broadcast to (samples, posteriors)."""
    if estimator == "weighted":
        sizes = ops.log(ops.cast(batch_size, "float32")) + ops.log(
            ops.cast(dataset_size, "float32")
        )
        return ops.reshape(-sizes, (1, 1))
    return stratified_log_weights(batch_size, dataset_size, reference_compat)


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
