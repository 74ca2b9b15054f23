"""Variants that change the pixels of each image and leave its factors alone."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.checks import Array, check_dataset, path_of
from keras_devae.data.dataset import Dataset, VariantDataset
from keras_devae.data.own.decoding import decode_picture
from keras_devae.data.own.folder_contents import left_out_of, picture_files, warn_of_left_out
from keras_devae.data.variants.random_numbers import (
    BACKGROUND,
    COLOUR,
    NOISE,
    checked_seed,
    random_words,
    uniform,
)
from keras_devae.errors import FailureError, UsageError


class TransformedDataset(VariantDataset):
    """The images of another data set, each changed independently.

    The factors, and the grid if there is one, are taken from `base`.

    Args:
        base: Data set that the images come from.
        change: Called with a row number, its image as uint8 `(height, width, channels)`, and a
            uint8 array `(height, width, new channels)` to be filled. It may be called from
            several threads at once.
        channels: The number of new channels.
        entry: JSON-serialisable description of the change, with a `name`; added to the list
            `variants` of the provenance.
        remark: The same in words, added to the description.

    Example:
        >>> data = kd.data.load("dsprites", source="rendered")
        >>> data = kd.data.variants.colour(data)
        >>> isinstance(data, kd.data.variants.TransformedDataset), data.image_shape
        (True, (64, 64, 3))
    """

    def __init__(
        self,
        base: Dataset,
        change: Callable[[int, Array, Array], None],
        channels: int,
        entry: dict[str, Any],
        remark: str,
    ):
        image_shape = (*base.image_shape[:2], channels)
        super().__init__(base, entry, remark, image_shape=image_shape, is_binary=False)
        self._change = change

    def _read_images(self, rows: Array) -> Array:
        changed = np.empty((len(rows), *self.image_shape), np.uint8)
        # One by one, images stay in the processor's cache, which is faster than the whole batch.
        images = self._base.images(rows)
        for position, row in enumerate(rows.tolist()):
            self._change(row, images[position], changed[position])
        return changed

    def _read_factors(self, rows: Array) -> Array:
        return self._base.factors(rows)

    def _read_factor_values(self, rows: Array) -> Array:
        return self._base.factor_values(rows)


def colour(dataset: Dataset, seed: int = 0) -> Dataset:
    """Gives the white of each image a random colour.

    The images become RGB: each is multiplied by its own colour, whose three channels are uniform in
    [0.5, 1]. dSprites becomes the Color-dSprites of Locatello et al. (2019), "Challenging Common
    Assumptions in the Unsupervised Learning of Disentangled Representations". Their
    disentanglement_lib draws a new colour at each access; here an image always has the same one.

    Args:
        dataset: Data set of one-channel images.
        seed: Seed of the colours. Default: 0.

    Returns:
        A `Dataset` with images of shape `(height, width, 3)`, and the same factors.

    Raises:
        UsageError: If the images have another number of channels.
    """
    _check_one_channel(dataset, "colour")
    key = _key(dataset, "colour", seed, COLOUR)
    change = functools.partial(_colour_one, key)
    entry = {"name": "colour", "seed": int(seed)}
    return TransformedDataset(dataset, change, 3, entry, f"random colours, seed {seed}")


def noise(dataset: Dataset, seed: int = 0) -> Dataset:
    """Adds noise to each image.

    A number that is uniform in [0, 1] is added to each pixel and channel, and sums above 1 become
    1; one channel becomes RGB first. dSprites becomes the Noisy-dSprites of Locatello et al.
    (2019), "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
    Representations". Their disentanglement_lib draws new noise at each access; here an image
    always has the same noise. All 256 levels of the noise are equally likely.

    Args:
        dataset: Data set of images with any number of channels.
        seed: Seed of the noise. Default: 0.

    Returns:
        A `Dataset` with images of shape `(height, width, 3)`, or with as many channels as before
        if there were several, and the same factors.

    Raises:
        UsageError: If `dataset` is no data set, or the seed is out of range.
    """
    check_dataset(dataset)
    channels = dataset.image_shape[-1]
    channels = 3 if channels == 1 else channels
    change = functools.partial(_add_noise_to_one, _key(dataset, "noise", seed, NOISE))
    entry = {"name": "noise", "seed": int(seed)}
    return TransformedDataset(dataset, change, channels, entry, f"noise, seed {seed}")


def background(dataset: Dataset, folder: str | Path, seed: int = 0) -> Dataset:
    """Puts crops of natural pictures behind the objects.

    The images become RGB. Each gets a random crop of one of the pictures, mixed with a random
    colour: `background = (crop + colour) / 2`, with the colour uniform in [0, 1] for each channel.
    Where the image is white (255), it is `1 - background`, and `background` elsewhere. With one
    picture, dSprites becomes what Locatello et al. (2019), "Challenging Common Assumptions in the
    Unsupervised Learning of Disentangled Representations", call Scream-dSprites. Their
    disentanglement_lib draws both anew at each access; here an image always looks the same.

    Args:
        dataset: Data set of one-channel images, white on black.
        folder: Folder with pictures, none of them smaller than the images. They are held in memory
            at full size, so shrink very large ones beforehand; a crop of them would also show few
            details.
        seed: Seed of the crops and colours. Default: 0.

    Returns:
        A `Dataset` with images of shape `(height, width, 3)`, and the same factors. Its
        provenance has the names of the pictures and a SHA-256 of their files.

    Raises:
        UsageError: If the images have another number of channels, or there is no such folder,
            no picture in it, or one that is smaller than the images.
        FailureError: If a picture cannot be decoded.
    """
    _check_one_channel(dataset, "background")
    key = _key(dataset, "background", seed, BACKGROUND)
    path = path_of("folder", folder)
    files = picture_files(path)
    warn_of_left_out(path, len(files), left_out_of(path, files))
    height, width, _ = dataset.image_shape
    pictures = [_large_picture(file, height, width) for file in files]
    change = functools.partial(_put_one_before, pictures, key)
    entry = {
        "name": "background",
        "folder": str(path.resolve()),
        "pictures": [file.name for file in files],
        "sha256": _sha256(files),
        "seed": int(seed),
    }
    noun = "picture" if len(files) == 1 else "pictures"
    remark = f"background of {len(files):,} {noun} in {path}, seed {seed}"
    return TransformedDataset(dataset, change, 3, entry, remark)


# Functions at module level, so that data sets can be pickled. Each gets a row number, its image
# and the array to fill.


def _colour_one(key: tuple[int, int], row: int, image: Array, changed: Array) -> None:
    tint = (0.5 + uniform(random_words(key, 3, row)) / 2).astype(np.float32)
    grey = image[..., 0].astype(np.float32)
    # NumPy is several times slower if the innermost loop runs over three channels.
    for channel in range(3):
        changed[..., channel] = np.rint(grey * tint[channel])


def _add_noise_to_one(key: tuple[int, int], row: int, image: Array, changed: Array) -> None:
    words = random_words(key, -(-changed.size // 8), row).astype("<u8", copy=False)
    added = words.view(np.uint8)[: changed.size].reshape(changed.shape)
    # ~added is 255 - added: the room that is left.
    np.add(added, np.minimum(image, ~added), out=changed)


def _put_one_before(
    pictures: list[Array], key: tuple[int, int], row: int, image: Array, changed: Array
) -> None:
    height, width, _ = image.shape
    draws = uniform(random_words(key, 6, row))
    picture = pictures[int(draws[0] * len(pictures))]
    top = int(draws[1] * (picture.shape[0] - height + 1))
    left = int(draws[2] * (picture.shape[1] - width + 1))
    crop = picture[top : top + height, left : left + width]
    _fill_mixed(changed, crop, 255 * draws[3:])
    inside = -(image[..., 0] == 255).view(np.uint8)
    for channel in range(3):
        # 255 - mixed where all bits of `inside` are set.
        changed[..., channel] ^= inside


def _check_one_channel(dataset: Dataset, variant: str) -> None:
    check_dataset(dataset)
    if dataset.image_shape[-1] != 1:
        raise UsageError(
            f"The variant {variant!r} needs images with one channel, white on black. Received: "
            f"{dataset.description}."
        )


def _key(dataset: Dataset, name: str, seed: int, purpose: int) -> tuple[int, int]:
    """Returns the key of a variant's random numbers, different for each repetition of it."""
    # Twice the same noise would not be the sum of two noises.
    variants = dataset.provenance.get("variants", [])
    repeats = sum(variant["name"] == name for variant in variants)
    return checked_seed(seed), purpose + 256 * repeats


def _fill_mixed(mixed: Array, crop: Array, tint: Array) -> None:
    """Fills uint8 `mixed` with `(crop + tint) / 2`, rounded half up; `tint` lies in [0, 255)."""
    # As `crop` is whole, that is `(crop + addend) >> 1`, here written without an overflow.
    addend = (tint + 1).astype(np.uint8).tobytes() * crop.shape[1]
    addend = np.frombuffer(addend, np.uint8).reshape(crop.shape[1:])
    np.add(crop & addend, (crop ^ addend) >> 1, out=mixed)


def _large_picture(file: Path, height: int, width: int) -> Array:
    """Returns a picture as uint8 `(height or more, width or more, 3)`."""
    pixels = np.asarray(decode_picture(file))
    if pixels.shape[0] < height or pixels.shape[1] < width:
        raise UsageError(
            f"Pictures for a background must have at least {width}x{height} pixels. Received: "
            f"{file} with {pixels.shape[1]}x{pixels.shape[0]}; enlarge or remove it."
        )
    return pixels


def _sha256(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        try:
            digest.update(file.read_bytes())
        except OSError as error:
            raise FailureError(f"The picture {file} cannot be read: {error}.") from error
    return digest.hexdigest()
