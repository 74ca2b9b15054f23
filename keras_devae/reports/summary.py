"""Describes in sentences what a code holds and how good it is."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from keras_devae.checks import counted
from keras_devae.comparison.tables import MIG, RECONSTRUCTION
from keras_devae.evaluation.findings import Holder, holder_name, own_rule
from keras_devae.evaluation.measured_latents import CATEGORY, Latents
from keras_devae.evaluation.wording import listed, percent
from keras_devae.metrics import ACTIVE_NATS, METRICS

#: Flat scores of a latent layer.
Scores: TypeAlias = Mapping[str, Any]

#: The definition of an active latent in words.
ACTIVE_RULE = (
    f"A latent is active if its posterior mean varies enough between images, compared with the "
    f"spread of the posterior itself, to carry {ACTIVE_NATS} nats or more."
)
_SQUARED_ERROR = METRICS["reconstruction_error"].key("squared_error")
_NAMED = 8


def summarize(
    latents: Sequence[Latents], scores: Sequence[Scores], image_shape: Sequence[int]
) -> list[str]:
    """Describes in sentences what the code holds and how good it is.

    `latents` and flat `scores` are given by layer; there may be no scores.
    """
    first = scores[0] if scores else {}
    sentences = [_active(latents[0]), *_held(latents[0])]
    if MIG in first:
        sentences.append(
            f"The mutual information gap (MIG) is {first[MIG]:.2f}, on a scale from 0 to 1 (best). "
            f"For the average factor, the most informative {latents[0].noun} is ahead of the next "
            f"one by {percent(first[MIG])} of the factor's entropy."
        )
    if RECONSTRUCTION in first:
        sentences.append(_reconstruction(scores, math.prod(image_shape)))
    return sentences


def constant_factors(latents: Latents, factor_names: Iterable[str] | None) -> list[str]:
    """Names the factors that are left out because they do not vary: one sentence, or none."""
    names = [name for name in factor_names or () if name not in latents.factor_names]
    if not names:
        return []
    verb, rest = ("does", "is") if len(names) == 1 else ("do", "are")
    return [f"{listed(names)} {verb} not vary in these images and {rest} not scored."]


def _active(latents: Latents) -> str:
    if not latents.has_posterior:
        among = counted(len(latents.kl), "code")
        return f"{len(latents.active)} of {among} vary between images. There is no posterior."
    count, among = len(latents.active), counted(len(latents.kl), "latent dimension")
    if not count:
        return f"None of {among} is active. {ACTIVE_RULE}"
    found = f"{count} of {among} {'is' if count == 1 else 'are'} active. {ACTIVE_RULE}"
    if latents.estimated_kl is not None:
        return (
            f"{found} The KL divergence of all latents together is {latents.estimated_kl:.1f} "
            "nats, estimated from samples; the numbers of single latents are lower bounds."
        )
    together = latents.kl[latents.active].sum()
    return f"{found} The KL divergence of the active ones adds up to {together:.1f} nats."


def _held(latents: Latents) -> list[str]:
    """Says which latent holds which factor: a list with one sentence, or none."""
    found: list[tuple[Holder, str]] = [
        (d, factor) for d in latents.active if (factor := latents.factor_of(d))
    ]
    held = latents.holders(with_category=True)
    found += [(CATEGORY, factor) for factor, holders in held.items() if CATEGORY in holders]
    if not found:
        return []
    words = [
        f"{holder_name(holder)} holds {factor} ({percent(latents.share_of(holder, factor))})"
        for holder, factor in found[:_NAMED]
    ]
    if len(found) > _NAMED:
        words.append(f"{len(found) - _NAMED} more hold factors")
    return [
        f"{listed(words)}. A percentage is the share of the factor's entropy that the "
        f"{latents.measured} carry, beyond chance. {own_rule(latents)}"
    ]


def _reconstruction(scores: Sequence[Scores], pixels: int) -> str:
    text = f"Reconstructing an image from its code loses {scores[0][RECONSTRUCTION]:,.1f} nats"
    squared = scores[0].get(_SQUARED_ERROR)
    if squared is not None:
        text += f", a mean squared error of {squared / pixels:.4f} per pixel and channel"
    if len(scores) > 1:
        last = scores[-1]
        text += f"; from the last layer, {last['layer']}, it loses {last[RECONSTRUCTION]:,.1f} nats"
    return f"{text}."
