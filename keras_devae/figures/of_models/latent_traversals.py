"""What each latent dimension does to an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from keras_devae import checks, figures
from keras_devae.checks import Array
from keras_devae.data.titles import title_of
from keras_devae.errors import UsageError
from keras_devae.evaluation.latents import measure_to_name
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.figures.of_models.drawn_latents import (
    active_or_strongest,
    join_nonempty,
    name_of,
    strongest,
)
from keras_devae.metrics import ACTIVE_NATS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_devae.figures.arguments import Numbers

#: Images on which latent dimensions are measured.
_IMAGES = 2000
#: Most rows on a page, and panels on a screen.
_MOST_ROWS, _MOST_PANELS = 20, 15
_PANEL_COLUMNS = 5
#: Part of the prior that the quantiles leave out on either side.
_TAIL = 0.025
#: Where a dimension runs to on either side, as in the DeVAE paper.
_LIMIT = 2.0
SPANS = ("range", "quantiles")


class Traversals(NamedTuple):
    """Decoded images `(rows, steps, height, width, channels)`, a row for each latent dimension.

    `values` are those below the columns; `names` and `remarks` have one text for each row, e.g.
    `"z3 scale"` and `"KL 2.41"`; `title` says what is shown and what is left out.
    """

    images: Array
    values: Array
    names: list[str]
    remarks: list[str]
    title: str

    def figure(self) -> Figure:
        """Draws the rows with their names and remarks."""
        pairs = zip(self.names, self.remarks, strict=True)
        labels = [f"{name}  {remark}".rstrip() for name, remark in pairs]
        return figures.traversal(self.images, self.values, labels, self.title)


def traversal_figure(
    model: Any,
    dataset: Any,
    layer: int = 0,
    steps: int = 9,
    limit: float | None = None,
    seed: int = 0,
    index: int | None = None,
    span: str = "range",
    active_only: bool = False,
    latents: Latents | None = None,
) -> Figure:
    """Draws what each latent dimension does to one image.

    Active dimensions come first, each by its KL divergence, which is written beside the row with
    the factor that the dimension holds; 20 rows at most. Without a posterior they come by the share
    of a factor that they hold. Without a prior each runs from the 2.5 % to the 97.5 % quantile of
    its own values over the images, with 0 and 1 under the columns. A categorical code has the last
    row, its categories from left to right; where there are more categories than columns, some are
    left out.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        layer: Number of the latent layer; default 0.
        steps: Columns, at least 2; default 9.
        limit: The dimension runs from `-limit` to `limit`. `None` (default): 2, as in the DeVAE
            paper, or the ends of `model.code_range` where codes lie in an interval. It is refused
            where codes have no prior, and so are quantiles.
        seed: Seed of the images that the KL divergences are computed from; default 0.
        index: Row of the image to start from; by default one drawn with the seed.
        span: `"range"` (default): values from one end to the other in equal steps. `"quantiles"`:
            quantiles of the prior, a standard normal, in equal steps from 2.5 % to 97.5 %; codes
            in an interval have a uniform prior.
        active_only: Leaves out inactive dimensions, as the paper's figures do; default false.
        latents: `keras_devae.evaluation.Latents`; `None` (default): measured on 2,000 images.

    Returns:
        The figure.

    Raises:
        UsageError: If an argument is out of range, the model has no decoder, or no dimension is
            active but must be.
    """
    return traverse(
        model, dataset, layer, steps, limit, seed, index, span, active_only, latents
    ).figure()


def traverse(
    model: Any,
    dataset: Any,
    layer: int = 0,
    steps: int = 9,
    limit: float | None = None,
    seed: int = 0,
    index: int | None = None,
    span: str = SPANS[0],
    active_only: bool = False,
    latents: Latents | None = None,
) -> Traversals:
    """Decodes what `traversal_figure` draws; the arguments are the same."""
    places = _places(steps, limit, span)
    image, latents = _start(model, dataset, layer, seed, index, latents)
    if checks.flag("active_only", active_only):
        _check_active(latents)
    choose = active_or_strongest if active_only else strongest
    dimensions, left_out = choose(latents, _MOST_ROWS)
    values = _values_of(model, latents, dimensions, places, limit, span)
    rows = traversed(model, image, layer, dimensions, values)
    names = [latents.name_of(d) for d in dimensions]
    remarks = [latents.remark_of(d) for d in dimensions]
    if model.num_categories:
        row, label = _categories_row(model, image, layer, steps)
        rows, names, remarks = np.concatenate([rows, row]), [*names, label], [*remarks, ""]
    title = f"{name_of(model)}, layer {layer}: latent traversals on {title_of(dataset.name)}"
    shown = values[0] if model.has_prior else places
    return Traversals(rows, shown, names, remarks, join_nonempty(title, left_out))


def traversal_animation(
    model: Any,
    dataset: Any,
    layer: int = 0,
    steps: int = 16,
    limit: float | None = None,
    seed: int = 0,
    index: int | None = None,
    span: str = "range",
    active_only: bool | None = None,
) -> Array:
    """Draws the frames of an animation in which all active latent dimensions move.

    Each has a panel, at most 15 by falling KL divergence, in which only that dimension of the same
    image changes. The values run from one end to the other and back, so that the animation repeats
    without a jump. A line above the panels says which dimensions were left out.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        layer: Number of the latent layer; default 0.
        steps: Values of each dimension, at least 2; default 16.
        limit: As for `traversal_figure`.
        seed: As for `traversal_figure`.
        index: As for `traversal_figure`.
        span: As for `traversal_figure`.
        active_only: Leaves out inactive dimensions. `None` (default): unless none is active.

    Returns:
        Uint8 array `(2 * steps - 2, height, width, 3)`, for `keras_devae.figures.save_animation`.

    Raises:
        UsageError: As for `traversal_figure`.
    """
    places = _places(steps, limit, span)
    image, latents = _start(model, dataset, layer, seed, index)
    if active_only is not None and checks.flag("active_only", active_only):
        _check_active(latents)
    choose = strongest if active_only is False else active_or_strongest
    dimensions, left_out = choose(latents, _MOST_PANELS)
    values = _values_of(model, latents, dimensions, places, limit, span)
    rows = traversed(model, image, layer, dimensions, values)
    labels = [_panel_label(latents, d) for d in dimensions]
    columns = min(_PANEL_COLUMNS, len(dimensions))
    forward = [
        figures.pixels_of(figures.contact_sheet(panels, columns, labels, title=left_out or None))
        for panels in rows.swapaxes(0, 1)
    ]
    return np.stack(forward + forward[-2:0:-1])


def traversed(
    model: Any, image: Array, layer: int, dimensions: Sequence[int] | Array, values: Numbers
) -> Array:
    """Decodes an image's code with one dimension at a time set to each of the values.

    Args:
        model: A trained model.
        image: `(1, height, width, channels)`, uint8 or float. Its category, if any, is kept.
        layer: Number of the latent layer.
        dimensions: `(rows,)` numbers of latent dimensions.
        values: `(steps,)` values that each is set to, or `(rows, steps)`, each dimension's own.

    Returns:
        Pixel means, float32 array `(rows, steps, height, width, channels)`.

    Raises:
        UsageError: If the image does not fit the model or there is no such layer.
    """
    code = model.encode(image, layer)[0]
    values = np.broadcast_to(values, (len(dimensions), np.shape(values)[-1]))
    codes = np.tile(code, (*values.shape, 1))
    for row, dimension in enumerate(dimensions):
        codes[row, :, dimension] = values[row]
    flat, options = codes.reshape(-1, len(code)), {}
    if model.num_categories:
        options["categories"] = np.repeat(model.encode_categories(image), len(flat))
    decoded = model.decode(flat, layer, **options)
    return decoded.reshape(*codes.shape[:2], *decoded.shape[1:])


def _panel_label(latents, dimension):
    factor = latents.factor_of(dimension)
    label = f"z{dimension}  {latents.remark_of(dimension)}".rstrip()
    return label if factor is None else f"{factor}\n{label}"


def _places(steps, limit, span):
    """Checks the arguments; returns the places of the columns from 0, the lowest, to 1."""
    checks.at_least("steps", steps, 2)
    if limit is not None:
        checks.positive("limit", limit)
    checks.one_of("span", span, SPANS)
    return np.linspace(0, 1, steps)


def _values_of(model, latents, dimensions, places, limit, span):
    """Returns the values `(rows, steps)` that the dimensions are set to."""
    if model.has_prior:
        return np.tile(_values_of_prior(model, places, limit, span), (len(dimensions), 1))
    given = {"limit": limit, "span": None if span == SPANS[0] else span}
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                f"`{name}` is about the prior, and these codes have none: each runs over its own "
                f"values. Leave it out. Received: {value}."
            )
    low, high = latents.low[dimensions, None], latents.high[dimensions, None]
    return low + (high - low) * places


def _values_of_prior(model, places, limit, span):
    shares, interval = _TAIL + (1 - 2 * _TAIL) * places, model.code_range
    if span == "quantiles":
        return ndtri(shares) if interval is None else np.quantile(interval, shares)
    if interval is None or limit is not None:
        interval = -(limit or _LIMIT), limit or _LIMIT
    return np.linspace(*interval, len(places))


def _check_active(latents):
    if not len(latents.active) and not latents.has_posterior:
        raise UsageError("Only codes that vary were asked for, and all are constant. Draw all.")
    if not len(latents.active):
        raise UsageError(
            f"Only active latents were asked for, and none of layer {latents.layer} passes on "
            f"{ACTIVE_NATS:g} nats (the most: {latents.signal.max():.2g}). Draw all of them."
        )


def _start(model, dataset, layer, seed, index, latents=None):
    """Returns the image to start from, `(1, height, width, channels)`, and the latents."""
    checks.check_model(model)
    model.check_decodes()
    model.check_layer(layer)
    checks.check_dataset(dataset)
    checks.at_least("seed", seed, 0)
    if not (latents is None or isinstance(latents, Latents)):
        raise UsageError(
            f"`latents` must be what `measure_latents` returns. Received: {checks.shown(latents)}."
        )
    if index is None:
        index = np.random.default_rng(seed).integers(len(dataset))
    image = dataset.images([index])
    return image, latents or measure_to_name(model, dataset, layer, _IMAGES, seed)


def _categories_row(model, image, layer, steps):
    """Decodes an image's code with each category: `(1, steps, height, width, channels)`, label."""
    count = model.num_categories
    label = f"category 0 to {count - 1}"
    if count > steps:
        # The first, the last, and categories spread evenly between them.
        categories = np.round(np.linspace(0, count - 1, steps)).astype(int)
        label = f"{label}\n({steps} of {count})"
    else:
        categories = np.arange(steps) * count // steps
    code = np.repeat(model.encode(image, layer), steps, axis=0)
    return model.decode(code, layer, categories=categories)[None], label
