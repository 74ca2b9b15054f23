"""Which latent dimensions are drawn where there are too many for a page."""

import dataclasses

import numpy as np


def strongest(latents, most):
    """Chooses the active latent dimensions first, and then those with the largest KL divergence.

    Args:
        latents: A `keras_devae.evaluation.Latents`.
        most: How many there may be.

    Returns:
        Pair of their numbers, in the order of `Latents.order`, and a text that says how many were
        left out, empty for none.
    """
    count = len(latents.kl)
    if count <= most:
        return latents.order, ""
    return latents.order[:most], f"the {count - most:,} weakest of {count:,} latents left out"


def active_or_strongest(latents, most):
    """Chooses the active latent dimensions, or the strongest where none is active.

    Args:
        latents: A `keras_devae.evaluation.Latents`.
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
    said = f"{left:,} of {count:,} latents, not active, left out" if left else ""
    return latents.active, said


def over_layers(measured):
    """Puts the latents of several layers together, to choose from dimensions of any of them.

    Args:
        measured: List of `keras_devae.evaluation.Latents`, one for each layer.

    Returns:
        Those of the first layer, with the largest KL divergence and the largest signal of each
        dimension in any layer. The same number may mean another latent in each: that of DeVAE's
        parallel ablation does.
    """
    largest = {
        name: np.max([getattr(one, name) for one in measured], axis=0) for name in ("kl", "signal")
    }
    return dataclasses.replace(measured[0], **largest)


def common_name(measured, dimension):
    """Returns a dimension's number with the factor that it holds in all layers where it holds one.

    Args:
        measured: List of `keras_devae.evaluation.Latents`, one for each layer.
        dimension: Number of the dimension.

    Returns:
        E.g. `"z3 scale"`; the number alone where layers differ in what it holds.
    """
    names = {one.name_of(dimension) for one in measured if one.factor_of(dimension) is not None}
    return names.pop() if len(names) == 1 else f"z{dimension}"


def titled(*parts):
    """Joins the parts of a title that are not empty."""
    return "; ".join(part for part in parts if part)
