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
#: The same in the proposals: what thaws grows with `point / beta - 1`, and nine times as fast at
#: half the point as just under it, where a short training stays collapsed.
WELL_UNDER = 0.5
#: The strongest pressure where latent dimensions freeze in several groups, as a multiple of their
#: median point. On 3D Shapes 1.4 times it gave half the MIG (examples/results/suggestions.md).
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


def suggest_betas(points: Iterable[float], beta_end: float) -> list[float]:
    """Suggests the pressures of DeVAE's layers from freezing points, see `RULE`.

    The pressures ascend strictly and are rounded to two digits. The list is empty without points,
    or if they leave no room for a pressure above `beta_end`, the pressure at the end of the test.
    """
    falling = sorted(points, reverse=True)
    if not falling:
        return []
    gaps = [math.sqrt(above * below) for above, below in _gaps(falling)]
    others = gaps or [JUST_UNDER * falling[-1]]
    betas = [float(f"{beta:.2g}") for beta in (beta_end, *reversed(others))]
    # Layers under the same pressure would be identical.
    return betas if all(a < b for a, b in itertools.pairwise(betas)) else []


def betas_of_latents(points: Iterable[float], beta_end: float) -> list[float]:
    """Suggests the pressures of three layers from the freezing points of latent dimensions.

    Layer 0 has `beta_end`. Where the points form several groups, layer 1 has `WELL_UNDER` times
    their median, and layer 2 `WELL_OVER` times, which presses on what layer 1 lets through. With
    a single group, training would stay collapsed under such a layer for long: there layer 2 has
    `WELL_UNDER` times the lowest point. Where that leaves layer 1 no room, it lies in the
    (geometric) middle. Empty without points, or if they leave no room for a pressure above
    `beta_end`.
    """
    falling = sorted(points, reverse=True)
    if not falling:
        return []
    several = bool(_gaps(falling))
    median = float(np.median(falling))
    strongest = WELL_OVER * median if several else WELL_UNDER * falling[-1]
    middle = WELL_UNDER * median
    if not beta_end < middle < strongest:
        middle = math.sqrt(beta_end * strongest)
    rounded = (float(f"{beta:.2g}") for beta in (middle, strongest))
    betas = [beta_end, *sorted({beta for beta in rounded if beta > beta_end})]
    return betas if len(betas) > 1 else []


def betas_below(beta: float) -> list[float]:
    """Suggests the pressures of three layers, the strongest being `beta`, and the weakest a tenth.

    They are for where everything stays collapsed down to that pressure.
    """
    return [float(f"{beta / divisor:.2g}") for divisor in (10, math.sqrt(10), 1)]


def _gaps(falling: Sequence[float]) -> list[tuple[float, float]]:
    """Returns the neighbours between which one group ends and the next begins."""
    return [pair for pair in itertools.pairwise(falling) if pair[0] > GROUP_FACTOR * pair[1]]


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
