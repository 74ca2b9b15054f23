"""Principal component analysis."""

import keras
import numpy as np

from keras_devae.checks import Array
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.linear_baseline import LinearBaseline


@keras.saving.register_keras_serializable(package="keras_devae")
class PCA(LinearBaseline):
    """Principal component analysis by scikit-learn, whitened; a linear baseline.

    Codes are the components' scores, scaled to variance 1 and ordered by explained variance. Takes
    the arguments of `keras_devae.models.linear_baseline.LinearBaseline`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(0, 100_000, 500))
        >>> model = kd.PCA.for_images((32, 32, 1), latent_dim=4)
        >>> model.compile()
        >>> history = model.fit(images)
        >>> model.encode(images).std(axis=0).round(1).tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    declaration = MODEL_CATALOGUE["pca"]

    def decompose(self, flat_images: Array) -> tuple[Array, Array, Array]:
        """Fits `sklearn.decomposition.PCA`, see `LinearBaseline.decompose`."""
        mean, components, deviations = principal_components(flat_images, self.latent_dim, self.seed)
        return mean, components / deviations[:, None], components * deviations[:, None]


def principal_components(
    flat_images: Array, count: int, seed: int | None
) -> tuple[Array, Array, Array]:
    """Finds the first `count` principal components of images `(n, pixels)`.

    Returns the mean `(pixels,)`, the components `(count, pixels)` and their standard deviations.
    """
    from sklearn.decomposition import PCA as Decomposition

    # Identical images have no variance to divide by.
    with np.errstate(invalid="ignore"):
        fitted = Decomposition(count, random_state=seed).fit(flat_images)
    # Keeps a direction without variance from being divided by zero.
    deviations = np.sqrt(np.maximum(fitted.explained_variance_, 1e-12))
    return fitted.mean_, fitted.components_, deviations
