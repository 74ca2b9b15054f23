"""Independent component analysis."""

import logging
import warnings

import keras
import numpy as np

from keras_devae.checks import Array
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.linear_baseline import LinearBaseline
from keras_devae.models.pca import principal_components

logger = logging.getLogger("keras_devae")


@keras.saving.register_keras_serializable(package="keras_devae")
class ICA(LinearBaseline):
    """Independent component analysis by scikit-learn's FastICA; a linear baseline.

    The images are first reduced to their principal components; FastICA (Hyvarinen & Oja 2000) then
    finds the rotation with the least Gaussian codes, each of variance 1. Their order and signs
    carry no meaning. Takes the arguments of
    `keras_devae.models.linear_baseline.LinearBaseline`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(0, 100_000, 500))
        >>> model = kd.ICA.for_images((32, 32, 1), latent_dim=2, seed=0)
        >>> model.compile()
        >>> history = model.fit(images)
        >>> model.reconstruct(images).shape
        (200, 32, 32, 1)
    """

    declaration = MODEL_CATALOGUE["ica"]

    def decompose(self, flat_images: Array) -> tuple[Array, Array, Array]:
        """Fits `sklearn.decomposition.FastICA`, see `LinearBaseline.decompose`."""
        from sklearn.decomposition import FastICA
        from sklearn.exceptions import ConvergenceWarning

        mean, components, deviations = principal_components(flat_images, self.latent_dim, self.seed)
        scores = (flat_images - mean) @ (components / deviations[:, None]).T
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            # No whitening: the scores are white already, except in directions without variance.
            fitted = FastICA(whiten=False, random_state=self.seed, max_iter=1000, tol=1e-4).fit(
                scores
            )
        if any(issubclass(warning.category, ConvergenceWarning) for warning in caught):
            logger.warning("FastICA did not converge: its last step gave the components.")
        encoding = fitted.components_ @ (components / deviations[:, None])
        decoding = fitted.mixing_.T @ (components * deviations[:, None])
        return mean, encoding.astype(np.float32), decoding.astype(np.float32)
