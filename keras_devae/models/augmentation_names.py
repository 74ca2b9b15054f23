"""The augmentations of images and the factors that each destroys, without importing Keras."""

from collections.abc import Sequence
from typing import Any

from keras_devae.checks import one_of, texts
from keras_devae.errors import UsageError

#: Name of an augmentation -> what codes that ignore it cannot hold; empty for none.
DESTROYED = {
    "brightness": "brightness",
    "contrast": "contrast",
    "blur": "sharpness",
    "noise": "",
    "erase": "",
    "shift": "position",
    "crop": "position, size",
    "flip": "orientation, position",
    "rotate": "orientation, position",
    "hue": "hue",
    "saturation": "saturation",
    "greyscale": "hue, saturation",
}
#: Augmentations of colours, which need red, green and blue.
OF_COLOURS = ("hue", "saturation", "greyscale")


def check_augmentations(name: str, value: Any) -> tuple[str, ...]:
    """Checks names of augmentations, at least one and each once, and returns them as a tuple."""
    chosen = (value,) if isinstance(value, str) else texts(name, value)
    for each in chosen:
        one_of("augmentation", each, DESTROYED)
    if not chosen or len(set(chosen)) < len(chosen):
        raise UsageError(
            f"`{name}` names at least one augmentation, and each once. Received: {list(chosen)}."
        )
    return chosen


def check_colours(augmentations: Sequence[str], channels: int) -> None:
    """Raises a `UsageError` if augmentations of colours meet images without red, green and blue."""
    refused = [each for each in augmentations if each in OF_COLOURS]
    if refused and channels != 3:
        raise UsageError(
            f"`augmentations` {', '.join(refused)} need images of 3 channels. Leave them out. "
            f"Received: images of {channels}."
        )
