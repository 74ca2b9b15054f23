"""A model and data sets whose latents are known by construction."""

import itertools

import numpy as np

from keras_devae.data.own.arrays import ArrayDataset
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.inference import Inference

SIDE = 8
NAMES = ("column", "row")
COLUMNS, ROWS = 4, 5
#: What the posterior of each dimension is: (factor or None, scale, log-variance).
POSTERIOR = ((None, 0.0, 0.0), (1, 0.5, -2.0), (None, 0.0, -0.5), (0, 0.8, -3.0))


def grid_dataset(repeats=1, extra=()):
    """Every pair of a column and a row; pixels of the first line say which.

    Args:
        repeats: How often every pair comes.
        extra: Pairs (name, value) of further factors, which do not vary.
    """
    pairs = list(itertools.product(range(COLUMNS), range(ROWS))) * repeats
    factors = np.array([(*pair, *(value for _, value in extra)) for pair in pairs])
    names = (*NAMES, *(name for name, _ in extra))
    return ArrayDataset(_images(factors), factors, names, name="grid")


def unlabelled_dataset(repeats=1):
    """The same images without their factors."""
    pairs = np.array(list(itertools.product(range(COLUMNS), range(ROWS))) * repeats)
    return ArrayDataset(_images(pairs), name="grid")


def _images(factors):
    images = np.zeros((len(factors), SIDE, SIDE, 1), np.uint8)
    images[:, 0, :2, 0] = factors[:, :2]
    return images


def centred(factors):
    """The two factors with means of 0."""
    return factors[:, :2] - [(COLUMNS - 1) / 2, (ROWS - 1) / 2]


def kl_of(factor, scale, log_var):
    """The mean over the grid of `(mean^2 + variance - 1 - log variance) / 2`."""
    sizes = (COLUMNS, ROWS)
    variance_of_factor = 0.0 if factor is None else (sizes[factor] ** 2 - 1) / 12
    return (scale**2 * variance_of_factor + np.exp(log_var) - 1 - log_var) / 2


class KnownModel(Inference):
    """A model that reads the factors from the pixels, and draws bars at the places of its codes.

    Dimension 1 moves a horizontal bar, dimension 3 a vertical one, the others do nothing. Layer i
    has the means of layer 0 times `mean_scales[i]`, and its deviations times `std_scales[i]`.
    """

    declaration = MODEL_CATALOGUE["vae"]
    image_shape = (SIDE, SIDE, 1)

    def __init__(self, posterior=POSTERIOR, mean_scales=(1.0, 0.5), std_scales=(1.0, 2.0)):
        self.posterior_of_dimension = posterior
        self.latent_dim = len(posterior)
        self.num_layers = len(mean_scales)
        self.mean_scales, self.std_scales = np.array(mean_scales), np.array(std_scales)
        self.encoded = 0

    def encoder_posterior(self, images, batch_size=256):
        self.encoded += len(images)
        factors = centred(images[:, 0, :2, 0].astype(np.float64))
        means = np.zeros((len(images), self.latent_dim), np.float32)
        for dimension, (factor, scale, _) in enumerate(self.posterior_of_dimension):
            means[:, dimension] = 0.0 if factor is None else scale * factors[:, factor]
        log_vars = np.array([log_var for _, _, log_var in self.posterior_of_dimension])
        return means, np.broadcast_to(log_vars.astype(np.float32), means.shape)

    def posterior_of_layers(self, mean, log_var):
        return (
            (self.mean_scales[:, None, None] * mean).astype(np.float32),
            (log_var + 2 * np.log(self.std_scales)[:, None, None]).astype(np.float32),
        )

    def decode(self, z, layer=0, batch_size=256):
        z = self.checked_codes(z, layer)
        return np.stack([bars(code[1], code[3] if len(code) > 3 else 0.0) for code in z])


def bars(row, column):
    """A picture of a horizontal and a vertical bar at places between -2 and 2."""
    image = np.zeros((SIDE, SIDE, 1), np.float32)
    image[round((row + 2) * (SIDE - 1) / 4), :] = 0.5
    image[:, round((column + 2) * (SIDE - 1) / 4)] = 1.0
    return image


def collapsed(dimensions=4):
    """A model whose posterior is the prior, whatever the image."""
    return KnownModel(posterior=((None, 0.0, 0.0),) * dimensions)


class Shifted(KnownModel):
    """Its dimension 0 is nearly the same for all images: 1.95, and a trace of the column."""

    def encoder_posterior(self, images, batch_size=256):
        means, log_vars = super().encoder_posterior(images, batch_size)
        means, log_vars = means.copy(), log_vars.copy()
        means[:, 0] = 1.95 + 0.026 * means[:, 3] / (0.8 * np.sqrt(1.25))
        log_vars[:, 0] = 2 * np.log(0.135)
        return means, log_vars
