"""Describes in sentences what a run achieved."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from keras_devae.checks import counted
from keras_devae.comparison.tables import MIG, RECONSTRUCTION
from keras_devae.evaluation.measured_latents import CATEGORY, Latents
from keras_devae.metrics import ACTIVE_NATS, METRICS
from keras_devae.reports.formatting import listed, percent

#: What can hold a factor: a latent dimension, by its number, or `CATEGORY`.
Holder: TypeAlias = int | str
#: Flat scores of a latent layer.
Scores: TypeAlias = Mapping[str, Any]

#: Least share of a factor's entropy in the latent that carries most of it, to be its own.
OWN_SHARE = 0.3
#: A factor is in two places if a second latent carries this part of what the first carries.
SECOND_PART = 0.5
#: The definition of an active latent in words.
ACTIVE_RULE = (
    f"the spread of their means over the images, relative to the posterior's deviation, amounts to "
    f"{ACTIVE_NATS} nats or more"
)
_SQUARED_ERROR = METRICS["reconstruction_error"].key("squared_error")
_NAMED = 8


def own_rule(latents: Latents) -> str:
    """Returns the rule of `has_own` in words."""
    what = latents.noun
    which = "active latent" if latents.has_posterior else what
    return (
        f"A factor has a {what} of its own if the {which} that carries most of it carries at least "
        f"{percent(OWN_SHARE)} of its entropy and less of every other factor's, and if no other "
        f"{which} carries half as much of it."
    )


def holder_name(holder: Holder) -> str:
    """Returns the name of a holder in a sentence."""
    return f"the {CATEGORY}" if holder == CATEGORY else f"z{holder}"


def carriers(latents: Latents, factor: str) -> list[tuple[float, Holder]]:
    """Returns pairs of a share of a factor's entropy and what carries it, the largest share first.

    These are the active latent dimensions, and the category of a model that has one. An inactive
    dimension carries nothing, whatever its means suggest: the decoder sees its noise.
    """
    known = [*latents.active, *([CATEGORY] if latents.category_shares is not None else [])]
    return sorted(((latents.share_of(h, factor), h) for h in known), key=lambda pair: -pair[0])


def rivals(latents: Latents, factor: str) -> list[tuple[float, Holder]]:
    """Returns the carriers of a factor that carry at least `SECOND_PART` of what the first does."""
    found = carriers(latents, factor)
    return [(share, h) for share, h in found[1:] if share >= SECOND_PART * found[0][0] > 0]


def has_own(latents: Latents, factor: str) -> bool:
    """Returns whether a factor has a latent of its own: the rule `OWN_RULE`."""
    found = carriers(latents, factor)
    if not found or found[0][0] < OWN_SHARE or rivals(latents, factor):
        return False
    share, holder = found[0]
    others = [name for name in latents.factor_names if name != factor]
    return all(latents.share_of(holder, other) < share for other in others)


def verdict(latents: Latents) -> str:
    """Says in one sentence whether the model disentangled, from the latents of layer 0.

    It counts the factors that have a latent (or the category) of their own by `has_own`.
    """
    if not len(latents.active) and not latents.has_posterior:
        return "No: all codes are constant."
    if not len(latents.active) and not any(
        CATEGORY in holders for holders in latents.holders(with_category=True).values()
    ):
        return (
            f"No: no latent dimension is active. The most that one passes on of the images is "
            f"{latents.signal.max():.2f} nats, and an active one {ACTIVE_NATS} or more."
        )
    if not latents.factor_names:
        return "Unknown: the data have no known factors that vary."
    what = "latent dimension" if latents.has_posterior else "code"
    if latents.category_shares is not None:
        what += " or category"
    total = len(latents.factor_names)
    own = [name for name in latents.factor_names if has_own(latents, name)]
    if not own:
        return f"No: no factor has a {what} of its own."
    if len(own) < total:
        verb, whose = ("has", "its") if len(own) == 1 else ("have", "their")
        return (
            f"Partly: of {counted(total, 'factor')}, {listed(own)} {verb} a {what} of {whose} own."
        )
    if total == 1:
        return f"Yes: {own[0]}, the only factor, has a {what} of its own."
    return f"Yes: each of {total} factors has a {what} of its own."


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
            f"The mutual information gap (MIG) is {first[MIG]:.2f}, between 0 and 1: on average "
            f"over the factors, the {latents[0].noun} that is most informative about a factor is "
            f"{percent(first[MIG])} of its entropy ahead of the next one."
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
    return [f"{listed(names)} {verb} not vary in these images and {rest} left out."]


def _active(latents: Latents) -> str:
    if not latents.has_posterior:
        among = counted(len(latents.kl), "code")
        return f"Of {among}, {len(latents.active)} vary over the images; there is no posterior."
    count, among = len(latents.active), counted(len(latents.kl), "latent dimension")
    if not count:
        return f"None of {among} is active ({ACTIVE_RULE})."
    found = f"Of {among}, {count} {'is' if count == 1 else 'are'} active ({ACTIVE_RULE}), with "
    if latents.estimated_kl is not None:
        return (
            f"{found}{latents.estimated_kl:.1f} nats of KL divergence in all, estimated from "
            "samples; the divergences of single latents are lower bounds."
        )
    return f"{found}{latents.kl[latents.active].sum():.1f} nats of KL divergence together."


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
        f"{listed(words)}. The percentage is the share of the factor's entropy that the "
        f"{latents.measured} carry, beyond chance. {own_rule(latents)}"
    ]


def _reconstruction(scores: Sequence[Scores], pixels: int) -> str:
    text = f"An image decoded from its own code loses {scores[0][RECONSTRUCTION]:,.1f} nats"
    squared = scores[0].get(_SQUARED_ERROR)
    if squared is not None:
        text += f" (squared error {squared / pixels:.4f} on average over pixels and channels)"
    if len(scores) > 1:
        last = scores[-1]
        text += f"; through the last layer, {last['layer']}, {last[RECONSTRUCTION]:,.1f} nats"
    return f"{text}."
