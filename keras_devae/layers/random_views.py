"""Random changes of images, each drawn anew for every image, on every backend."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor, finite_at_least, one_of
from keras_devae.layers.random_layers import SeededLayer

#: Red, green and blue -> luma and two chrominances, and back (NTSC).
_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
_GREY = _TO_YIQ[0]


class Draws:
    """Draws random numbers: further ones of a generator, or always the same for `seed=None`."""

    def __init__(self, seed: keras.random.SeedGenerator | None, first: int = 0) -> None:
        self._seeds = itertools.repeat(seed) if seed is not None else itertools.count(first)

    def uniform(self, images: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Returns a number for each image, `(batch, 1, 1, 1)`."""
        shape = (ops.shape(images)[0], 1, 1, 1)
        return keras.random.uniform(shape, low, high, dtype="float32", seed=next(self._seeds))

    def normal(self, images: Tensor) -> Tensor:
        """Returns a number for each value of the images."""
        return keras.random.normal(ops.shape(images), dtype="float32", seed=next(self._seeds))


def brightness(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Adds up to a fifth of white, or takes it away."""
    return images + draws.uniform(images, -0.2 * strength, 0.2 * strength)


def contrast(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Scales the distance from each image's mean by 0.6 to 1.4."""
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    return mean + (images - mean) * draws.uniform(images, 1 - 0.4 * strength, 1 + 0.4 * strength)


def blur(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Blurs with a Gaussian of up to a 64th of the height or, if that is more, half a pixel."""
    widest = strength * max(images.shape[1] / 64, 0.5)
    deviation = ops.maximum(draws.uniform(images, 0.0, widest)[:, :, :, 0], 1e-3)

    def kernel(size):
        places = ops.arange(size, dtype="float32")
        distances = ops.expand_dims(places, 1) - places
        weights = ops.exp(-0.5 * ops.square(distances / deviation))
        return weights / ops.sum(weights, axis=-1, keepdims=True)

    return _mixed(images, kernel(images.shape[1]), kernel(images.shape[2]))


def noise(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Adds Gaussian noise of up to a twentieth of white."""
    return images + draws.normal(images) * draws.uniform(images, 0.0, 0.05 * strength)


def erase(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Fills a rectangle of a quarter of the sides with the image's mean."""
    height, width = images.shape[1:3]
    rows = ops.reshape(ops.arange(height, dtype="float32"), (1, -1, 1, 1))
    columns = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, -1, 1))
    inside = ops.logical_and(
        ops.abs(rows - height * draws.uniform(images)) < 0.125 * strength * height,
        ops.abs(columns - width * draws.uniform(images)) < 0.125 * strength * width,
    )
    return ops.where(inside, ops.mean(images, axis=(1, 2, 3), keepdims=True), images)


def shift(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Moves by up to an eighth of the sides; the border is repeated."""

    def moved(size):
        by = draws.uniform(images, -0.125 * strength, 0.125 * strength)[:, :, 0, 0]
        return ops.clip(ops.arange(size, dtype="float32") + size * by, 0, size - 1)

    return _resampled(images, moved(images.shape[1]), moved(images.shape[2]))


def crop(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Cuts out 0.6 to 1 of the sides anywhere, and stretches it to the whole image."""
    side = draws.uniform(images, max(1 - 0.4 * strength, 0.1), 1.0)[:, :, 0, 0]

    def stretched(size):
        start = (size - 1) * (1 - side) * draws.uniform(images)[:, :, 0, 0]
        return start + side * ops.arange(size, dtype="float32")

    return _resampled(images, stretched(images.shape[1]), stretched(images.shape[2]))


def flip(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Mirrors every second image, left to right."""
    mirrored = draws.uniform(images) < 0.5 * min(strength, 1.0)
    return ops.where(mirrored, ops.flip(images, axis=2), images)


def rotate(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Turns by up to 15 degrees about the middle; the border is repeated."""
    angle = draws.uniform(images, -1.0, 1.0)[:, 0, 0, 0] * strength * math.pi / 12
    middle_y, middle_x = (images.shape[1] - 1) / 2, (images.shape[2] - 1) / 2
    cosine, sine, zero = ops.cos(angle), ops.sin(angle), ops.zeros_like(angle)
    offset_x = middle_x - cosine * middle_x + sine * middle_y
    offset_y = middle_y - sine * middle_x - cosine * middle_y
    turned = ops.stack([cosine, -sine, offset_x, sine, cosine, offset_y, zero, zero], axis=1)
    return ops.image.affine_transform(
        images, turned, fill_mode="nearest", data_format="channels_last"
    )


def hue(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Turns the hue by up to a tenth of the colour circle."""
    angle = draws.uniform(images, -0.2 * strength, 0.2 * strength) * math.pi
    luma, first, second = ops.split(ops.matmul(images, _transposed(_TO_YIQ)), 3, axis=-1)
    cosine, sine = ops.cos(angle), ops.sin(angle)
    turned = [luma, cosine * first - sine * second, sine * first + cosine * second]
    return ops.matmul(ops.concatenate(turned, axis=-1), ops.inv(_transposed(_TO_YIQ)))


def saturation(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Scales the distance from grey by 0.6 to 1.4."""
    grey = _grey(images)
    return grey + (images - grey) * draws.uniform(images, 1 - 0.4 * strength, 1 + 0.4 * strength)


def greyscale(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Takes the colour out of every fifth image."""
    return ops.where(draws.uniform(images) < 0.2 * strength, _grey(images), images)


#: Name -> function of images, `Draws` and the strength, 1 for what its docstring says.
AUGMENTATIONS: dict[str, Callable[[Tensor, Draws, float], Tensor]] = {
    each.__name__: each
    for each in (
        *(brightness, contrast, blur, noise, erase, shift, crop, flip, rotate),
        *(hue, saturation, greyscale),
    )
}


@keras.saving.register_keras_serializable(package="keras_devae")
class RandomViews(SeededLayer):
    """Changes each image at random, by named augmentations one after the other.

    Args:
        augmentations: Names of `AUGMENTATIONS`, in the order in which they are applied.
        strength: Scales them, at least 0: 0 leaves images alone; default 1.
        seed: Integer seed, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        UsageError: If a name is unknown or the strength negative.

    Example:
        >>> views = RandomViews(["brightness", "blur"], seed=0)
        >>> ops.shape(views(ops.ones((8, 32, 32, 1)), training=True))
        (8, 32, 32, 1)
    """

    def __init__(
        self,
        augmentations: Sequence[str],
        strength: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **{"dtype": "float32", **kwargs})
        self.augmentations = [one_of("augmentation", each, AUGMENTATIONS) for each in augmentations]
        self.strength = finite_at_least("strength", strength)

    def call(self, images: Tensor, training: bool = False, number: int = 0) -> Tensor:
        """Returns changed images of the same shape, in `[0, 1]`.

        While training each call draws anew. Otherwise the same `number` draws the same, so that
        losses on held-out images are deterministic.
        """
        # No call draws more than a few numbers for each augmentation.
        draws = Draws(self.seed_generator if training else None, 1000 * number)
        for each in self.augmentations:
            images = AUGMENTATIONS[each](images, draws, self.strength)
        return ops.clip(images, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"augmentations": list(self.augmentations), "strength": self.strength}
        return {**super().get_config(), **own}


def _transposed(matrix: Sequence[Sequence[float]]) -> Tensor:
    return ops.transpose(ops.convert_to_tensor(matrix, dtype="float32"))


def _grey(images: Tensor) -> Tensor:
    weights = ops.convert_to_tensor(_GREY, dtype="float32")
    return ops.sum(images * weights, axis=-1, keepdims=True)


def _mixed(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Mixes rows and columns by matrices `(batch, new, old)` for each image."""
    images = ops.einsum("bij,bjwc->biwc", rows, images)
    return ops.einsum("bij,bhjc->bhic", columns, images)


def _resampled(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Reads images at fractional places `(batch, height)` and `(batch, width)`, bilinearly."""

    def weights(places, size):
        distances = ops.expand_dims(places, -1) - ops.arange(size, dtype="float32")
        return ops.maximum(1 - ops.abs(distances), 0.0)

    return _mixed(images, weights(rows, images.shape[1]), weights(columns, images.shape[2]))
