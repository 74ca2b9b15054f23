"""Terms that match moments of the aggregate posterior with those of the prior."""

from keras import ops

from keras_devae.checks import Tensor
from keras_devae.errors import unknown_name

DIP_KINDS = ("i", "ii")

# exp(40) squared is 5.5e34; from exp(44.4) on, the square overflows float32.
LARGEST_LOG_VAR = 40.0


def dip_penalties(mean: Tensor, log_var: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Computes squared differences of the codes' covariance from the identity, Kumar et al. (2018).

    The covariance is over the batch, divided by its size: of the means with `"i"` (equation 6), and
    with `"ii"` (equation 7) also the average posterior variance on the diagonal, which gives the
    covariance of the samples. The objective adds `lambda_od * off_diagonal + lambda_d * diagonal`.

    For `"ii"` log-variances above 40 count as 40, without a gradient, as their squared variances
    would overflow. Means are not bounded; their covariance overflows from about 1e9.

    Args:
        mean: Posterior means, `(batch, latent_dim)`, any float dtype. A batch of one has covariance
            0.
        log_var: Log-variances of the same shape; not used with `"i"`.
        kind: `"i"` or `"ii"`.

    Returns:
        The pair of float32 scalars `off_diagonal`, the sum of squared covariances, each counted
        twice, and `diagonal`, the sum of squared differences of the variances from 1.
    """
    if kind not in DIP_KINDS:
        raise unknown_name("kind", kind, DIP_KINDS)
    mean = ops.cast(mean, "float32")
    centred = mean - ops.mean(mean, axis=0, keepdims=True)
    batch_size = ops.cast(ops.shape(mean)[0], "float32")
    covariance = ops.matmul(ops.transpose(centred), centred) / batch_size
    variances = ops.diagonal(covariance)
    if kind == "ii":
        log_var = ops.minimum(ops.cast(log_var, "float32"), LARGEST_LOG_VAR)
        variances = variances + ops.mean(ops.exp(log_var), axis=0)
    # Masked, as the difference of two sums would drown small covariances in rounding.
    off_diagonal = covariance * (1 - ops.eye(mean.shape[-1], dtype="float32"))
    return ops.sum(ops.square(off_diagonal)), ops.sum(ops.square(variances - 1))
