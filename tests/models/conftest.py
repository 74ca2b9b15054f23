"""What the tests of single models share. Keras itself is imported only where it is used."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def penalty_of():
    """Returns the terms and the penalties' part of the loss, for given divergences.

    These are numbers `(batch,)`, spread over the dimensions, or `(batch, latent_dim)`.
    """
    from keras import ops

    def compute(model, kl, training=True):
        kl = np.asarray(kl, "float32")
        if kl.ndim == 1:
            kl = np.repeat(kl[:, None] / model.latent_dim, model.latent_dim, axis=1)
        # At a variance of 1 the divergence is half the squared mean.
        means = np.sqrt(2 * kl)
        pixels = ops.zeros((len(kl), *model.image_shape))
        outputs = {"z": means, "z_mean": means, "z_log_var": 0 * means, "decoded": pixels}
        terms = model.loss_terms(pixels, outputs, training)
        return terms, float(terms.total) - float(ops.sum(terms.reconstruction))

    return compute


@pytest.fixture(scope="session")
def squares():
    """A data set of squares of four sizes at three times two places."""
    from keras_devae import data

    grid = data.FactorGrid(("size", "row", "column"), (4, 3, 2))
    images = np.zeros((24, 8, 8, 1), np.uint8)
    for image, (size, row, column) in zip(images, grid.factors(range(24)), strict=True):
        image[row : row + size + 1, 3 * column : 3 * column + size + 1] = 255
    return data.from_arrays(images, grid.factors(range(24)))
