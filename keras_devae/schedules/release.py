"""Pressures of single latent dimensions that are released one after another."""

from keras import ops


def released_pressures(released, latent_dim, beta_min, beta_max):
    """Returns the pressure on every latent dimension (Jeong & Song 2019, section 3.2).

    Args:
        released: Number of dimensions released so far, an integer or integer scalar tensor.
        latent_dim: Number of latent dimensions.
        beta_min: Pressure on a dimension once it is released.
        beta_max: Pressure on the others.

    Returns:
        Float32 tensor `(latent_dim,)`, the released dimensions first.
    """
    is_released = ops.arange(latent_dim) < released
    return ops.where(is_released, ops.cast(beta_min, "float32"), ops.cast(beta_max, "float32"))
