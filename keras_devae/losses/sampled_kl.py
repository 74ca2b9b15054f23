"""The KL divergence of posteriors that are known by samples only: Gaussians moved by a flow."""

import numpy as np
from keras import ops

from keras_devae.checks import Array, Tensor, at_least
from keras_devae.losses.posteriors import gaussian_kl

#: Fewest pairs of opposite draws, and how many there are for each dimension.
_PAIRS, _PAIRS_PER_DIMENSION = 32, 2


def flow_kl(
    mean: Tensor, log_var: Tensor, start: Tensor, end: Tensor, log_determinant: Tensor
) -> Tensor:
    """Estimates the KL divergence of a flow's codes from the standard normal, from samples.

    Rezende & Mohamed (2015) and Kingma et al. (2016) estimate it by
    `log q(start) - log_determinant - log p(end)`, with the Gaussian q and the standard normal p.
    Here `log q(start) - log p(start)`, whose mean is known, is replaced by that mean, the
    Gaussian's own divergence:

        KL(q || p) + 1/2 (|end|^2 - |start|^2) - log_determinant

    The expectation is the same. A flow that changes nothing adds nothing, not even noise.

    Args:
        mean: Means of the Gaussian, `(batch, latent_dim)`.
        log_var: Its log-variances, of the same shape.
        start: Samples of it, `(..., batch, latent_dim)`.
        end: Where the flow moves them, of the same shape.
        log_determinant: `log |det d end / d start|`, `(..., batch)`, in nats.

    Returns:
        Float32 tensor `(..., batch)` in nats. Single values may be negative.
    """
    start, end, log_determinant = (ops.cast(x, "float32") for x in (start, end, log_determinant))
    moved = 0.5 * ops.sum((end - start) * (end + start), axis=-1)
    return ops.sum(gaussian_kl(mean, log_var), axis=-1) + (moved - log_determinant)


def balanced_draws(latent_dim: int) -> Array:
    """Returns standard normal draws, always the same, whose moments are exact.

    Their means are 0 and their covariances the identity, up to rounding: opposite pairs with
    orthogonal columns. Averages over them are exact wherever a flow is affine, so a Gaussian's
    divergence comes out as its closed form.

    Args:
        latent_dim: Number of dimensions d, at least 1.

    Returns:
        Float32 array `(s, latent_dim)` of `s = max(64, 4 d)` draws.

    Raises:
        UsageError: If `latent_dim` is not a whole number of at least 1.
    """
    latent_dim = at_least("latent_dim", latent_dim, 1)
    pairs = max(_PAIRS, _PAIRS_PER_DIMENSION * latent_dim)
    noise = np.random.default_rng(0).standard_normal((pairs, latent_dim))
    orthogonal, triangular = np.linalg.qr(noise)
    # Each column as it was drawn, rather than with the sign that the algorithm happens to give it.
    draws = np.sqrt(pairs) * orthogonal * np.sign(np.diag(triangular))
    return np.concatenate([draws, -draws]).astype(np.float32)
