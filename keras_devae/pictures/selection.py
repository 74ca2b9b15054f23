"""Which latent dimensions are drawn where there are too many for a page."""

import warnings

from keras_devae.latents import ACTIVE_KL, measure_latents
from keras_devae.metrics import MetricWarning


def measure_to_name(model, dataset, layer, images, seed):
    """Measures latent dimensions where factors serve as their names only.

    Args:
        model: As for `keras_devae.latents.measure_latents`.
        dataset: As there.
        layer: As there.
        images: As there.
        seed: As there.

    Returns:
        As there, without a word on factors that do not vary: nothing is missing from the figure.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        return measure_latents(model, dataset, layer, images, seed)


def strongest(latents, most):
    """Chooses the latent dimensions with the largest KL divergence.

    Args:
        latents: A `keras_devae.latents.Latents`.
        most: How many there may be.

    Returns:
        Pair of their numbers, by falling KL divergence, and a text that says how many were left
        out, empty for none.
    """
    count = len(latents.kl)
    if count <= most:
        return latents.order, ""
    return latents.order[:most], f"the {count - most:,} weakest of {count:,} latents left out"


def active_or_strongest(latents, most):
    """Chooses the active latent dimensions, or the strongest where none is active.

    Args:
        latents: A `keras_devae.latents.Latents`.
        most: How many there may be.

    Returns:
        As `strongest`.
    """
    if not len(latents.active):
        chosen, said = strongest(latents, most)
        return chosen, "; ".join(part for part in ("no latent is active", said) if part)
    if len(latents.active) > most:
        return strongest(latents, most)
    left, count = len(latents.kl) - len(latents.active), len(latents.kl)
    said = f"{left:,} of {count:,} latents, below {ACTIVE_KL:g} nats, left out" if left else ""
    return latents.active, said


def titled(*parts):
    """Joins the parts of a title that are not empty."""
    return "; ".join(part for part in parts if part)
