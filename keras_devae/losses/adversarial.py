"""The losses of adversarial games between a generator and its discriminators."""

import math

import keras
from keras import ops

from keras_devae.checks import Tensor


def generator_loss(logits: Tensor) -> Tensor:
    """Computes the non-saturating loss of a generator (Goodfellow et al. 2014), `-E log D(G)`.

    Args:
        logits: The discriminator's logits for generated images, `(batch, 1)`.

    Returns:
        Float32 scalar in nats.
    """
    return ops.mean(ops.softplus(-ops.cast(logits, "float32")))


def image_discriminator_loss(logits: Tensor, generated_logits: Tensor) -> Tensor:
    """Computes the discriminator's loss, `-E log D(x) - E log(1 - D(G))`.

    Args:
        logits: Logits for images of the data, `(batch, 1)`.
        generated_logits: Logits for generated images, `(batch, 1)`; the batch may differ.

    Returns:
        Float32 scalar in nats; 2 log 2 for an undecided discriminator.
    """
    of_data = ops.mean(ops.softplus(-ops.cast(logits, "float32")))
    return of_data + ops.mean(ops.softplus(ops.cast(generated_logits, "float32")))


def negative_information_bound(codes: Tensor, means: Tensor) -> Tensor:
    """Computes minus the bound of the mutual information, Chen et al. (2016), equation 4.

    `-E log Q(c | G(c, z)) - H(c)` for codes uniform on [-1, 1] and a Gaussian Q of variance 1, as
    in the published code. At this variance it is at least 0.23 nats per code; what matters are its
    changes.

    Args:
        codes: The codes c, `(batch, latent_dim)`.
        means: The means of Q, `(batch, latent_dim)`.

    Returns:
        Float32 scalar in nats.
    """
    error = ops.square(ops.cast(codes, "float32") - ops.cast(means, "float32"))
    nats = 0.5 * error + 0.5 * math.log(2 * math.pi) - math.log(2)
    return ops.mean(ops.sum(nats, axis=-1))


def shared_in_pairs(codes: Tensor, others: Tensor, shared: Tensor) -> Tensor:
    """Gives codes one dimension of their partners: pairs for a contrastive regularizer.

    Args:
        codes: `(batch, latent_dim)`.
        others: The partners' codes, of the same shape.
        shared: Which dimension each pair is to share, integers `(batch,)`.

    Returns:
        `others` with the shared dimension of `codes`.
    """
    is_shared = ops.one_hot(shared, codes.shape[-1], dtype="bool")
    return ops.where(is_shared, codes, others)


def contrastive_loss(shared: Tensor, logits: Tensor) -> Tensor:
    """Computes the cross-entropy of the shared dimensions, Lin et al. (2020), equation 4.

    Args:
        shared: The dimension that each pair of images shares, integers `(batch,)`.
        logits: The discriminator's logits for the pairs, `(batch, latent_dim)`.

    Returns:
        Float32 scalar in nats; the logarithm of `latent_dim` for an undecided discriminator.
    """
    logits = ops.cast(logits, "float32")
    return ops.mean(keras.losses.sparse_categorical_crossentropy(shared, logits, from_logits=True))


def scaled_gradient(tensor: Tensor, factor: Tensor) -> Tensor:
    """Returns a tensor unchanged, but scales its gradient.

    Args:
        tensor: The tensor, of any shape.
        factor: What its gradient is multiplied by; a scalar, or of a shape that broadcasts.

    Returns:
        The tensor.
    """
    fixed = ops.stop_gradient(tensor)
    return fixed + factor * (tensor - fixed)
