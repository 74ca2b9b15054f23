"""Terms of diagonal Gaussian posteriors."""

from keras import ops

from keras_devae.checks import Tensor


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """Computes the KL divergence of a diagonal Gaussian from the standard normal, per dimension.

    `1/2 (mean^2 + exp(log_var) - 1 - log_var)`, the positive divergence of Kingma & Welling (2014),
    appendix B. Computed in float32 whatever the inputs are: the exponential overflows float16 from
    a log-variance of 11. `exp(log_var) - 1` is one operation, which near the prior keeps rounding
    from making the divergence negative.

    Args:
        mean: Posterior means, `(..., latent_dim)`, any float dtype.
        log_var: Log-variances of the same shape.

    Returns:
        Float32 tensor `(..., latent_dim)` in nats, never negative. Sum over the last axis and
        average over the batch to get the term of the evidence lower bound.
    """
    mean = ops.cast(mean, "float32")
    log_var = ops.cast(log_var, "float32")
    return 0.5 * (ops.square(mean) + (ops.expm1(log_var) - log_var))
