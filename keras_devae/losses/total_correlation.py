"""The total correlation of latents, estimated by a discriminator."""

import keras
from keras import ops

from keras_devae.checks import Tensor


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
