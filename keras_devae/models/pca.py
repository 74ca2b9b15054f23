"""Principal component analysis."""

import keras
import numpy as np

from keras_devae.models.linear_baseline import LinearBaseline


@keras.saving.register_keras_serializable(package="keras_devae")
class PCA(LinearBaseline):
    """Principal component analysis by scikit-learn, whitened; a linear baseline.

    Codes are the components' scores with variance 1, in the order of the variance that they
    explain. Arguments are those of `LinearBaseline`.
    """

    def decompose(self, flat_images):
        """Fits `sklearn.decomposition.PCA`, see `LinearBaseline.decompose`."""
        mean, components, deviations = principal_components(flat_images, self.latent_dim, self.seed)
        return mean, components / deviations[:, None], components * deviations[:, None]


def principal_components(flat_images, count, seed):
    """Finds principal components.

    Args:
        flat_images: Float32 array `(n, pixels)`.
        count: Number of components.
        seed: Integer seed of the randomised solver, or `None`.

    Returns:
        The triple of the mean `(pixels,)`, the components `(count, pixels)` and their standard
        deviations `(count,)`.
    """
    from sklearn.decomposition import PCA as Decomposition

    # Images that are all alike have no variance to divide by.
    with np.errstate(invalid="ignore"):
        fitted = Decomposition(count, random_state=seed).fit(flat_images)
    # A direction without variance would be divided by zero.
    deviations = np.sqrt(np.maximum(fitted.explained_variance_, 1e-12))
    return fitted.mean_, fitted.components_, deviations
