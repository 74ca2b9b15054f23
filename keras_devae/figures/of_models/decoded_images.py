"""What a model makes of images, and of nothing."""

import numpy as np

from keras_devae import checks, figures, metrics

_SHOWN = 10


def reconstruction_figure(model, dataset, layer=None, seed=0):
    """Draws images above their reconstructions, layer by layer.

    Args:
        model: A trained model.
        dataset: The data set.
        layer: Number of one layer, or `None` (default) for all.
        seed: Integer seed of the choice of images.

    Returns:
        A `matplotlib.figure.Figure`; beside each row is the squared error of an image, summed over
        pixels and channels, in the mean over the images drawn.

    Raises:
        UsageError: If there is no such layer.
    """
    checks.check_model(model)
    checks.check_dataset(dataset)
    checks.at_least("seed", seed, 0)
    rows = np.random.default_rng(seed).integers(len(dataset), size=_SHOWN)
    images = dataset.images(rows)
    layers = range(model.num_layers) if layer is None else [layer]
    reconstructions = [model.reconstruct(images, i) for i in layers]
    errors = [
        metrics.reconstruction_error(images, reconstruction, likelihood="gaussian")[
            metrics.METRICS["reconstruction_error"].key("squared_error")
        ]
        for reconstruction in reconstructions
    ]
    titles = [f"layer {i}\nsquared error {e:.1f}" for i, e in zip(layers, errors, strict=True)]
    return figures.reconstructions(images, reconstructions, titles)


def sample_figure(model, dataset, layer=0, seed=0):
    """Draws images decoded from the prior.

    Args:
        model: A trained model.
        dataset: Not used; here so that all figures are called alike.
        layer: Number of the latent layer; default 0.
        seed: Integer seed of the codes.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        UsageError: If there is no such layer.
    """
    del dataset
    checks.check_model(model)
    return figures.contact_sheet(model.sample(64, layer, seed), columns=8)
