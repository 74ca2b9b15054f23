"""Which latent dimensions are drawn where there are too many for a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_devae.checks import Array
from keras_devae.evaluation.function_encoder import FunctionEncoder
from keras_devae.evaluation.measured_latents import Latents


def strongest(latents: Latents, most: int) -> tuple[Array, str]:
    """Chooses at most `most` latents, active and strong ones first; says how many it left out."""
    count = len(latents.kl)
    if count <= most:
        return latents.order, ""
    return latents.order[
        :most
    ], f"the {count - most:,} weakest of {count:,} {latents.noun}s left out"


def active_or_strongest(latents: Latents, most: int) -> tuple[Array, str]:
    """Chooses the active latent dimensions, or the `strongest` ones where none is active."""
    if not len(latents.active):
        chosen, left_out = strongest(latents, most)
        none = "no latent is active" if latents.has_posterior else "all codes are constant"
        return chosen, join_nonempty(none, left_out)
    if len(latents.active) > most:
        return strongest(latents, most)
    left, count = len(latents.kl) - len(latents.active), len(latents.kl)
    why = "not active" if latents.has_posterior else "constant"
    return latents.active, f"{left:,} of {count:,} {latents.noun}s, {why}, left out" if left else ""


def strongest_of_layers(layers: Sequence[Latents]) -> Latents:
    """Returns latents of the first layer with the largest KL divergence and signal of any layer.

    The same number may mean another latent in each layer, as in DeVAE's parallel ablation.
    """
    largest = {
        name: np.max([getattr(latents, name) for latents in layers], axis=0)
        for name in ("kl", "signal")
    }
    return dataclasses.replace(layers[0], **largest)


def common_name(layers: Sequence[Latents], dimension: int) -> str:
    """Returns a dimension's name with the factor that it holds, e.g. `"z3 scale"`.

    It is `"z3"` where layers differ in the factor; layers where it holds none do not count.
    """
    held = [latents for latents in layers if latents.factor_of(dimension) is not None]
    names = {latents.name_of(dimension) for latents in held}
    return names.pop() if len(names) == 1 else f"z{dimension}"


def name_of(model: Any) -> str:
    """Returns what a title calls a model: its class, or the name of another encoder."""
    return model.name if isinstance(model, FunctionEncoder) else type(model).__name__


def join_nonempty(*parts: str) -> str:
    """Joins the parts of a title that are not empty."""
    return "; ".join(filter(None, parts))
