"""What the explorer's page shows: images, codes and sliders."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from keras_devae.checks import Array, at_least
from keras_devae.errors import UsageError
from keras_devae.evaluation.findings import verdict
from keras_devae.evaluation.latents import measure_to_name
from keras_devae.figures.mosaics import to_rgb

#: Most sliders: further latent dimensions keep the values of the starting image.
MOST_SLIDERS = 20
#: Reach to either side in standard deviations of the prior; more if the start lies outside.
_REACH = 3.0
_MOST = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class Start:
    """An image of the data set, uint8 `(height, width, 3)`, at which the sliders start.

    `code` are the means of its posterior, float32 `(latent_dim,)`, rounded to two decimals, or its
    codes, rounded to four, where there is no posterior; `category` is the most probable one, or
    `None` for a model without categories.
    """

    row: int
    layer: int
    image: Array
    code: Array
    category: int | None


@dataclasses.dataclass(frozen=True)
class Slider:
    """A latent dimension that a slider moves, named with its factor, e.g. `"z3 scale"`.

    `remark` is its KL divergence in nats, if there is a posterior, and the share of the factor's
    entropy that it carries, e.g. `"KL 2.41 nats, 80% of scale"`.
    """

    dimension: int
    name: str
    remark: str
    active: bool


class Session:
    """A trained model and a data set, ready to decode one code at a time.

    Its only state is the last starting image, so that several pages can share it.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        images: Images that the latents are measured on; default 5,000, or all if there are fewer.
        seed: Seed of these images and of random ones; default 0.

    Raises:
        UsageError: If the model has no decoder, the images do not fit it, or `images` is below 2.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> session = kd.explorer.Session(model, data, images=100)
        >>> session.decode(row=0, layer=0, values=[1.5, -0.5]).shape
        (32, 32, 3)
    """

    def __init__(self, model: Any, dataset: Any, images: int = 5000, seed: int = 0) -> None:
        model.check_decodes()
        self.model = model
        self.dataset = dataset
        self.latents = measure_to_name(model, dataset, None, images, seed)
        self._random = np.random.default_rng(seed)
        # The pages of several browsers are served by threads.
        self._lock = threading.Lock()
        self._latest: Start | None = None
        # Keras compiles on first use; otherwise the first move of a slider would wait for it.
        for layer in range(self.num_layers):
            self.decode(0, layer, [])

    @property
    def num_layers(self) -> int:
        """Number of latent layers."""
        return len(self.latents)

    @property
    def num_categories(self) -> int:
        """Number of categories of the categorical code, 0 for a model without one."""
        return self.model.num_categories

    def random_row(self) -> int:
        """Returns the row number of an image drawn at random."""
        with self._lock:
            return int(self._random.integers(len(self.dataset)))

    def sliders(self, layer: int) -> list[Slider]:
        """Returns a layer's sliders: active dimensions first, each by descending KL divergence."""
        latents = self.latents[self._check_layer(layer)]
        active = set(latents.active.tolist())
        return [
            Slider(d, latents.name_of(d), _remark(latents, d), d in active)
            for d in latents.order[:MOST_SLIDERS].tolist()
        ]

    def code_of(self, row: int, layer: int = 0) -> Start:
        """Encodes an image; raises a `UsageError` if there is no such row or layer."""
        with self._lock:
            return self._code_of(row, layer)

    def _check_layer(self, layer):
        if at_least("layer", layer, 0) >= self.num_layers:
            raise UsageError(f"There are {self.num_layers} layers, from 0 on. Received: {layer}.")
        return layer

    def _code_of(self, row, layer):
        at_least("row", row, 0)
        self._check_layer(layer)
        latest = self._latest
        if latest is None or (latest.row, latest.layer) != (row, layer):
            image = self.dataset.images([row])
            decimals = 2 if self.latents[layer].has_posterior else 4
            code = np.round(self.model.encode(image, layer)[0], decimals)
            category = None
            if self.num_categories:
                category = int(self.model.encode_categories(image)[0])
            self._latest = Start(row, layer, to_rgb(image)[0], code, category)
        return self._latest

    def decode(
        self, row: int, layer: int, values: Sequence[float], category: int | None = None
    ) -> Array:
        """Decodes the code of an image with some of its dimensions changed.

        Args:
            row: Row number of the image.
            layer: Number of the latent layer.
            values: Values of the first dimensions in the order of `sliders`; others stay unchanged.
            category: The category, if the model has any; default: the one of the image.

        Returns:
            Pixel means as an image, uint8 `(height, width, 3)`.

        Raises:
            UsageError: If there is no such row, layer or category, there are more values than
                sliders, a value is not finite, or the decoded image is not.
        """
        with self._lock:
            start = self._code_of(row, layer)
            code = start.code.copy()
            moved = self.latents[layer].order[:MOST_SLIDERS][: len(values)]
            code[moved] = _checked_values(values, len(moved))
            options = {}
            if self.num_categories:
                options["categories"] = [self._checked_category(category, start)]
            pixels = self.model.decode(code[None], layer, **options)
            if not np.isfinite(pixels).all():
                raise UsageError("The decoder makes no finite image of these values.")
            return to_rgb(pixels)[0]

    def _checked_category(self, category, start):
        if category is None:
            return start.category
        if at_least("category", category, 0) >= self.num_categories:
            raise UsageError(
                f"There are {self.num_categories} categories, from 0 on. Received: {category}."
            )
        return category

    def factors_of(self, row: int) -> dict[str, int | str]:
        """Returns the factors of an image as people read them, by name; empty without factors."""
        return {} if self.dataset.factor_names is None else self.dataset.factor_texts(row)

    def summary(self, layer: int) -> str:
        """Returns a sentence about how many latent dimensions of a layer are active."""
        latents = self.latents[self._check_layer(layer)]
        count = len(latents.active)
        verb = "is" if count == 1 else "are"
        sentence = f"{count} of {len(latents.kl)} codes {'varies' if count == 1 else 'vary'}."
        if latents.has_posterior:
            sentence = (
                f"{count} of {len(latents.kl)} latents {verb} active, with a KL divergence of "
                f"{latents.total_kl:.1f} nats in all."
            )
        if len(latents.kl) <= MOST_SLIDERS:
            return sentence
        return f"{sentence} {MOST_SLIDERS} of them have sliders, the active ones first."

    def verdict(self) -> str:
        """Returns a sentence about whether the model is disentangled, from layer 0."""
        return verdict(self.latents[0])

    def ends_of(self, layer: int, dimension: int, value: float) -> tuple[float, float]:
        """Returns the ends of a slider, so that it includes a value and most of what codes are."""
        latents, model = self.latents[self._check_layer(layer)], self.model
        if model.code_range is not None:
            low, high = model.code_range
        elif model.has_prior:
            high = max(_REACH, np.ceil(abs(value)))
            low = -high
        else:
            low, high = latents.low[dimension], latents.high[dimension]
        low, high = float(min(low, value)), float(max(high, value))
        # A constant code has a slider, too.
        return (low, high) if low < high else (low - 1, high + 1)


def _checked_values(values, most):
    """Returns the values of sliders as float32."""
    if len(values) > most:
        raise UsageError(f"There are {most} sliders. Received: {len(values)} values.")
    for value in values:
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if not is_number or not abs(value) <= _MOST:
            raise UsageError(f"A slider's value must be a finite number. Received: {value!r}.")
    return np.array(values, np.float32)


def _remark(latents, dimension):
    parts = [f"KL {latents.kl[dimension]:.2f} nats"] if latents.has_posterior else []
    factor = latents.factor_of(dimension)
    if factor is not None:
        parts.append(f"{latents.share_of(dimension, factor):.0%} of {factor}")
    return ", ".join(parts)
