"""Which factors have a latent of their own, and whether a code is disentangled."""

from __future__ import annotations

from typing import TypeAlias

from keras_devae.evaluation.measured_latents import CATEGORY, Latents
from keras_devae.evaluation.wording import listed, percent
from keras_devae.metrics import ACTIVE_NATS

#: What can hold a factor: a latent dimension, by its number, or `CATEGORY`.
Holder: TypeAlias = int | str
#: Least share of a factor's entropy in the latent that carries most of it, to be its own.
OWN_SHARE = 0.3
#: A factor is in two places if a second latent carries this part of what the first carries.
SECOND_PART = 0.5


def own_rule(latents: Latents) -> str:
    """Returns the rule of `has_own` in words."""
    what = latents.noun
    which = "active latent" if latents.has_posterior else what
    return (
        f"A factor has a {what} of its own if three things hold: the {which} that carries most of "
        f"it carries at least {percent(OWN_SHARE)} of its entropy; that {what} carries less of "
        f"every other factor; and no other {which} carries half as much of this factor."
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


def own_factors(latents: Latents) -> list[str]:
    """Returns the names of the factors that have a latent of their own: the rule `has_own`."""
    return [name for name in latents.factor_names if has_own(latents, name)]


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
            f"No: no latent dimension is active. The strongest carries "
            f"{latents.signal.max():.2f} nats of information about the images; an active one "
            f"carries {ACTIVE_NATS} or more."
        )
    if not latents.factor_names:
        return (
            "Unknown: the images have no known factors that vary. Look at what each "
            f"{latents.noun} changes, and judge by eye."
        )
    what = latents.noun
    if latents.category_shares is not None:
        what += " or category"
    total, own = len(latents.factor_names), own_factors(latents)
    if not own:
        return f"No: no factor has a {what} of its own."
    if len(own) < total:
        verb, whose = ("has", "its") if len(own) == 1 else ("have", "their")
        return (
            f"Partly: {len(own)} of {total} factors {verb} a {what} of {whose} own: {listed(own)}."
        )
    if total == 1:
        return f"Yes: {own[0]}, the only factor, has a {what} of its own."
    return f"Yes: each of the {total} factors has a {what} of its own."
