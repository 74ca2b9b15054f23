"""Betas of single latent dimensions, which are released one after another."""

from keras import ops

from keras_devae.checks import Tensor


def released_pressures(
    released: Tensor | int, latent_dim: int, beta_min: Tensor | float, beta_max: Tensor | float
) -> Tensor:
    """Returns the beta of every latent dimension (Jeong & Song 2019, section 3.2).

    Args:
        released: Number of dimensions released so far, an integer or integer scalar tensor.
        latent_dim: Number of latent dimensions.
        beta_min: Beta of a dimension once it is released.
        beta_max: Beta of the others.

    Returns:
        Float32 tensor `(latent_dim,)`, the released dimensions first.
    """
    is_released = ops.arange(latent_dim) < released
    return ops.where(is_released, ops.cast(beta_min, "float32"), ops.cast(beta_max, "float32"))
