"""Freezing points, and the betas that follow from them.

A freezing point is the beta at which a model, while beta falls, begins to be informative about
something: a factor in the annealing test, a latent dimension in the proposals for a data set.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from keras_devae.checks import Array

#: The default range, at 64x64 pixels.
BETA_START, BETA_END = 200.0, 1.0
#: Freezing points closer together than this ratio form one group.
GROUP_FACTOR = 1.5
#: The pressure just below a freezing point, as a share of it.
JUST_UNDER = 0.9
#: The same for latent dimensions: what thaws grows with `point / beta - 1`, and nine times as fast
#: at half the point as just under it, where a short training stays collapsed.
WELL_UNDER = 0.5
#: The strongest pressure where latent dimensions freeze in several groups, as a multiple of the
#: highest point: on 3D Shapes, the published betas have this multiple (examples/results).
WELL_OVER = 2.5

#: Part of the recorded result, so its wording does not change.
RULE = (
    f"Freezing points within a factor of {GROUP_FACTOR:g} make a group. Layer 0 has the beta at "
    "the end of the test, where all that was seen is known; every gap between two groups gives a "
    "layer the beta in its (geometric) middle, which lets through what freezes above it; with a "
    f"single group, layer 1 has {JUST_UNDER:g} times its lowest point."
)


def freezing_point(betas: Array, shares: Array, threshold: float) -> float | None:
    """Finds the pressure at which a factor becomes known: infinity if at once, `None` if never.

    It is where the factor's share (or a latent dimension's information), `(t,)` like the falling
    betas, crosses the threshold and is also above it in the next reading, so that one noisy reading
    does not count; the last one needs no confirmation. Between readings, the point is interpolated
    linearly over the logarithm of beta.
    """
    known = np.asarray(shares) >= threshold
    lasting = known & np.append(known[1:], known[-1:])
    if not lasting.any():
        return None
    first = int(lasting.argmax())
    if first == 0:
        return math.inf
    log_betas = np.log(betas[first - 1 : first + 1])
    return float(np.exp(np.interp(threshold, shares[first - 1 : first + 1], log_betas)))


def suggest_betas(
    points: Iterable[float],
    beta_end: float,
    most_layers: int | None = None,
    just_under: float = JUST_UNDER,
) -> list[float]:
    """Suggests the pressures of DeVAE's layers from freezing points, see `RULE`.

    If that would be more than `most_layers`, only the widest gaps count. `just_under` is
    the share that a single group has of its lowest point. The pressures ascend
    strictly and are rounded to two digits. The list is empty without points, or if they leave no
    room for a pressure above `beta_end`, the pressure at the end of the test.
    """
    falling = sorted(points, reverse=True)
    pairs = [pair for pair in itertools.pairwise(falling) if pair[0] > GROUP_FACTOR * pair[1]]
    if not falling:
        return []
    if most_layers is not None:
        pairs = sorted(pairs, key=lambda pair: pair[0] / pair[1], reverse=True)[: most_layers - 1]
    gaps = sorted((math.sqrt(above * below) for above, below in pairs), reverse=True)
    others = gaps or [just_under * falling[-1]]
    betas = [float(f"{beta:.2g}") for beta in (beta_end, *reversed(others))]
    # Layers under the same pressure would be identical.
    return betas if all(a < b for a, b in itertools.pairwise(betas)) else []


def betas_of_latents(points: Iterable[float], beta_end: float) -> list[float]:
    """Suggests the pressures of three layers from the freezing points of latent dimensions.

    Layer 0 has `beta_end`. Where the points form several groups, layer 1 lies in the widest gap,
    but at most at `WELL_UNDER` times the highest point, and layer 2 at `WELL_OVER` times that
    point: it presses on what layer 1 lets through. A single group would stay collapsed under such a
    layer for long: there layer 2 has `WELL_UNDER` times the lowest point, and layer 1 lies in the
    (geometric) middle. Empty where `suggest_betas` is.
    """
    points = sorted(points)
    betas = suggest_betas(points, beta_end, 2, WELL_UNDER)
    if not betas:
        return []
    if betas[1] < points[0]:
        others = [math.sqrt(betas[0] * betas[1]), betas[1]]
    else:
        others = [min(betas[1], WELL_UNDER * points[-1]), WELL_OVER * points[-1]]
    rounded = {float(f"{beta:.2g}") for beta in others}
    return [betas[0], *sorted(beta for beta in rounded if beta > betas[0])]


def default_range(image_shape: Sequence[int]) -> tuple[float, float]:
    """Returns the first and last pressure, proportional to the pixels: 200 and 1 for 64x64."""
    scale = image_shape[0] * image_shape[1] / 64**2
    return BETA_START * scale, BETA_END * scale


def falling_beta(start: float, end: float, steps: int) -> dict[str, Any]:
    """Returns the configuration of a beta that falls by the same factor at every step."""
    return {
        "module": "keras_devae.schedules.functions",
        "class_name": "GeometricSchedule",
        "config": {"start": start, "end": end, "steps": steps},
        "registered_name": "keras_devae>GeometricSchedule",
    }
