"""Images that a model decodes: reconstructions, and samples of the prior."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from keras_devae import checks, figures, metrics
from keras_devae.checks import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Images that are reconstructed, and samples drawn.
_IMAGES, _SAMPLES = 10, 64


class Reconstructions(NamedTuple):
    """Images `(n, height, width, channels)`, and what each layer makes of them.

    `errors` has the squared error an image for each of the layers.
    """

    originals: Array
    by_layer: list[Array]
    layers: list[int]
    errors: list[float]

    def figure(self) -> Figure:
        """Draws the images above their reconstructions."""
        pairs = zip(self.layers, self.errors, strict=True)
        titles = [f"layer {i}\nsquared error {e:.1f}" for i, e in pairs]
        return figures.reconstructions(self.originals, self.by_layer, titles)


def reconstruction_figure(
    model: Any, dataset: Any, layer: int | None = None, seed: int = 0
) -> Figure:
    """Draws images above their reconstructions, layer by layer.

    Args:
        model: A trained model.
        dataset: The data set.
        layer: Number of one layer, or `None` (default) for all.
        seed: Seed of the choice of images; default 0.

    Returns:
        The figure; beside each row is the squared error per image, summed over pixels and channels
        and averaged over the images drawn.

    Raises:
        UsageError: If there is no such layer.
    """
    return reconstruct(model, dataset, layer, seed).figure()


def reconstruct(
    model: Any, dataset: Any, layer: int | None = None, seed: int = 0
) -> Reconstructions:
    """Decodes what `reconstruction_figure` draws; the arguments are the same."""
    checks.check_model(model)
    checks.check_dataset(dataset)
    checks.at_least("seed", seed, 0)
    rows = np.random.default_rng(seed).integers(len(dataset), size=_IMAGES)
    images = dataset.images(rows)
    layers = list(range(model.num_layers)) if layer is None else [layer]
    reconstructions = [model.reconstruct(images, i) for i in layers]
    errors = [_squared_error(images, each) for each in reconstructions]
    return Reconstructions(images, reconstructions, layers, errors)


def _squared_error(images, reconstructions):
    with warnings.catch_warnings():
        # The images are few because they are drawn.
        warnings.simplefilter("ignore", metrics.FewSamplesWarning)
        error = metrics.reconstruction_error(images, reconstructions, likelihood="gaussian")
    return error[metrics.METRICS["reconstruction_error"].key("squared_error")]


def sample_figure(model: Any, dataset: Any, layer: int = 0, seed: int = 0) -> Figure:
    """Draws images decoded from the prior.

    Args:
        model: A trained model.
        dataset: Not used; here so that all figures are called alike.
        layer: Number of the latent layer; default 0.
        seed: Seed of the codes; default 0.

    Returns:
        The figure, 64 images in rows of 8.

    Raises:
        UsageError: If there is no such layer.
    """
    del dataset
    checks.check_model(model)
    return figures.contact_sheet(model.sample(_SAMPLES, layer, seed), columns=8)
