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
