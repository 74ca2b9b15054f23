"""The figures of a trained model."""

import numpy as np

from keras_devae import figures, metrics
from keras_devae.errors import unknown_name

#: Images that the KL divergences, by which traversals are ordered, are computed from.
_IMAGES = 512
_SHOWN = 10


def traversal_figure(model, dataset, layer=0, steps=9, limit=2.0, seed=0, index=None):
    """Draws what each latent dimension does to one image.

    Rows are ordered by KL divergence, which is written beside them: the dimensions that carry most
    come first. A categorical code has the last row, its categories from left to right.

    Args:
        model: A trained model.
        dataset: The data set.
        layer: Number of the latent layer; default 0.
        steps: Columns; default 9.
        limit: The dimension runs from `-limit` to `limit`; default 2.
        seed: Integer seed of the images that the KL divergences are computed from.
        index: Row of the image to start from; default one drawn with the seed.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    rows = np.random.default_rng(seed).integers(len(dataset), size=_IMAGES)
    images = dataset.images(rows)
    means, log_vars = model.posterior(images, layer)
    kl = metrics.kl_per_dimension(means, log_vars)
    order = np.argsort(-kl)
    first = images[:1] if index is None else dataset.images([index])
    values = np.linspace(-limit, limit, steps)
    decoded = _traversed(model, first, layer, order, values)
    labels = [f"z{d}  KL {kl[d]:.2f}" for d in order]
    return figures.traversal(
        decoded,
        values,
        row_labels=labels + ["category"] * (len(decoded) - len(labels)),
        title=f"{type(model).__name__}, layer {layer}: latent traversals on {dataset.name}",
    )


def _traversed(model, image, layer, order, values):
    """Decodes the code of one image with each of its dimensions at each of the values in turn."""
    code = model.encode(image, layer)[0]
    codes = np.tile(code, (len(order), len(values), 1))
    for row, dimension in enumerate(order):
        codes[row, :, dimension] = values
    if not model.num_categories:
        decoded = model.decode(codes.reshape(-1, len(code)), layer)
    else:
        codes = np.concatenate([codes, np.tile(code, (1, len(values), 1))])
        categories = np.full(codes.shape[:2], model.encode_categories(image)[0])
        categories[-1] = np.arange(len(values)) * model.num_categories // len(values)
        flat = codes.reshape(-1, len(code))
        decoded = model.decode(flat, layer, categories=categories.reshape(-1))
    return decoded.reshape(len(codes), len(values), *model.image_shape)


def reconstruction_figure(model, dataset, layer=None, seed=0):
    """Draws images above their reconstructions, layer by layer.

    Args:
        model: A trained model.
        dataset: The data set.
        layer: Number of one layer, or `None` (default) for all.
        seed: Integer seed of the choice of images.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    rows = np.random.default_rng(seed).integers(len(dataset), size=_SHOWN)
    images = dataset.images(rows)
    layers = range(model.num_layers) if layer is None else [layer]
    reconstructions = [model.reconstruct(images, i) for i in layers]
    errors = [
        metrics.reconstruction_error(images, reconstruction, likelihood="gaussian")[
            "reconstruction_error.squared_error"
        ]
        for reconstruction in reconstructions
    ]
    titles = [f"layer {i}\nerror {e:.1f}" for i, e in zip(layers, errors, strict=True)]
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
    """
    del dataset
    return figures.contact_sheet(model.sample(64, layer, seed), columns=8)


#: Name -> function of (model, dataset, layer=, seed=).
PICTURES = {
    "traversal": traversal_figure,
    "reconstructions": reconstruction_figure,
    "samples": sample_figure,
}


def check_picture(name):
    """Checks the name of a figure.

    Raises:
        UsageError: If it is unknown.
    """
    if name not in PICTURES:
        raise unknown_name("figure", name, PICTURES)
