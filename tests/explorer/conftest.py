import numpy as np
import pytest

from keras_devae.data import from_arrays
from keras_devae.explorer.session import Session

#: What each of the layers multiplies codes by, dimension by dimension.
SCALES = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.1, 1.0]])


class Painter:
    """A model that is known in full: z2 is the left half's grey level, z0 the right half's.

    z1 is the number of a row that is white; no image has one, so it is not active. Nor is z3,
    which does nothing. Layer 1 scales z2 down until it is not active.
    """

    num_layers = 2
    num_categories = 0
    image_shape = (4, 4, 1)
    code_range = None
    has_prior = True

    def check_decodes(self):
        pass

    def check_layer(self, layer):
        assert layer in range(self.num_layers)

    def encoder_posterior(self, images):
        codes = np.zeros((len(images), 4), np.float32)
        codes[:, 2] = images[:, 3, 0, 0] / 50.0 - 2
        codes[:, 0] = images[:, 3, 3, 0] / 100.0 - 1
        log_vars = np.zeros_like(codes)
        log_vars[:, [0, 2]] = np.log([0.1, 0.01])
        return codes, log_vars

    def layer_posterior(self, mean, log_var, layer=0):
        means = mean * SCALES[: self.num_layers, None]
        log_vars = np.stack([log_var] * self.num_layers)
        log_vars[1:, :, 2] = 0
        return (means, log_vars) if layer is None else (means[layer], log_vars[layer])

    def posterior(self, images, layer=0):
        return self.layer_posterior(*self.encoder_posterior(images), layer)

    def encode(self, images, layer=0):
        return self.posterior(images, layer)[0]

    def decode(self, codes, layer=0):
        images = np.zeros((len(codes), *self.image_shape), np.float32)
        for image, code in zip(images, codes / SCALES[layer], strict=True):
            image[:, :2] = (code[2] + 2) * 50 / 255
            image[:, 2:] = (code[0] + 1) * 100 / 255
            if code[1] >= 1:
                image[int(code[1]) - 1] = 1
        return images


class TwoPainters(Painter):
    """One with a category: in category 1 it paints the negative."""

    num_layers = 1
    num_categories = 2

    def encode_categories(self, images):
        return (images[:, 0, 0, 0] > 100).astype(int)

    def decode(self, codes, layer=0, categories=None):
        images = super().decode(codes, layer)
        return np.where(np.asarray(categories).reshape(-1, 1, 1, 1) == 1, 1 - images, images)


FACTORS = np.stack(np.meshgrid(range(5), range(3), indexing="ij"), axis=-1).reshape(-1, 2)


def painted(left, right, channels=1):
    """The image of two grey levels, uint8 `(4, 4, channels)`."""
    return np.repeat(np.uint8([[left, left, right, right]] * 4)[..., None], channels, axis=2)


@pytest.fixture
def picture():
    """Makes the RGB image of the grey levels of the left and the right half."""
    return lambda left, right: painted(left, right, 3)


@pytest.fixture(scope="session")
def painter():
    """Makes a session of a `Painter`, or of one with a category, of 15 images."""

    def make(with_factors=True, with_categories=False):
        images = np.stack([painted(50 * a, 100 * b) for a, b in FACTORS])
        known = (FACTORS, ("left", "right")) if with_factors else ()
        model = TwoPainters() if with_categories else Painter()
        return Session(model, from_arrays(images, *known, name="halves"))

    return make
