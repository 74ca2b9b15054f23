"""What a run came to, in sentences."""

import math

from keras_devae.evaluation.latents import CATEGORY
from keras_devae.metrics import ACTIVE_NATS, METRICS
from keras_devae.reports.formatting import counted, listed, percent

_GAP = METRICS["mig"].key()
_RECONSTRUCTION = METRICS["reconstruction_error"].key()
#: Share of a factor's entropy from which the latent that tells most of it can be its own.
OWN_SHARE = 0.3
#: A factor that a second latent tells this part of, beside the first, is in two places.
SECOND_PART = 0.5
#: The rule of `has_own` in words.
OWN_RULE = (
    f"A factor has a latent of its own where the active latent that tells most of it tells at "
    f"least {percent(OWN_SHARE)} of its entropy, and no other factor as well, and where no other "
    "active latent tells half as much of it."
)
#: What is called active, in words.
ACTIVE_RULE = (
    f"the spread of their means over the images, beside the posterior's deviation, makes "
    f"{ACTIVE_NATS} nats or more"
)
_NAMED = 8


def holder_name(holder):
    """Returns what a holder of `Latents.holders` is called in a sentence."""
    return f"the {CATEGORY}" if holder == CATEGORY else f"z{holder}"


def told(latents, factor):
    """Returns what tells of a factor: pairs of the share and the holder, the best first.

    These are the active latent dimensions, and the category of a model that has one. A dimension
    that is not active tells nothing, whatever its means seem to tell: the decoder sees its noise.
    """
    known = [*latents.active, *([CATEGORY] if latents.category_shares is not None else [])]
    return sorted(((latents.share_of(h, factor), h) for h in known), key=lambda pair: -pair[0])


def rivals(latents, factor):
    """Returns those of `told` that tell at least `SECOND_PART` as much of a factor as the first."""
    (best, _), *others = told(latents, factor) or [(0.0, None)]
    return [(share, holder) for share, holder in others if share >= SECOND_PART * best > 0]


def has_own(latents, factor):
    """Returns whether a factor has a latent of its own: the rule `OWN_RULE`."""
    found = told(latents, factor)
    if not found or found[0][0] < OWN_SHARE or rivals(latents, factor):
        return False
    share, holder = found[0]
    others = [name for name in latents.factor_names if name != factor]
    return all(latents.share_of(holder, other) < share for other in others)


def verdict(latents):
    """Says in one sentence whether the model disentangled.

    Args:
        latents: The `keras_devae.evaluation.latents.Latents` of layer 0.

    Returns:
        The sentence, about the factors that have a latent of their own by `has_own`. The category
        of a model that has one counts as a latent.
    """
    if not len(latents.active) and not _category_holds(latents):
        return (
            f"No: no latent dimension is active. The most that one passes on of the images is "
            f"{latents.signal.max():.2f} nats, and an active one {ACTIVE_NATS} or more."
        )
    if not latents.factor_names:
        return "That cannot be told: the data have no known factors that vary."
    what = "latent dimension" if latents.category_shares is None else "latent dimension or category"
    total = len(latents.factor_names)
    own = [name for name in latents.factor_names if has_own(latents, name)]
    if not own:
        return f"No: no factor has a {what} of its own."
    if len(own) < total:
        verb = "has" if len(own) == 1 else "have"
        whose = "its" if len(own) == 1 else "their"
        return (
            f"Partly: of {counted(total, 'factor')}, {listed(own)} {verb} a {what} of {whose} own."
        )
    if total == 1:
        return f"Yes: {own[0]}, the only factor, has a {what} of its own."
    return f"Yes: each of {total} factors has a {what} of its own."


def _category_holds(latents):
    return any(CATEGORY in holders for holders in latents.holders(with_category=True).values())


def summary(latents, scores, image_shape):
    """Says what the code holds and how good it is.

    Args:
        latents: List of `keras_devae.evaluation.latents.Latents`, one for each layer.
        scores: List of dictionaries of flat scores, likewise, the first of layer 0; may be empty.
        image_shape: `(height, width, channels)`.

    Returns:
        List of sentences.
    """
    first = scores[0] if scores else {}
    sentences = [_active(latents[0]), *_held(latents[0])]
    if _GAP in first:
        sentences.append(_mig(first[_GAP]))
    if _RECONSTRUCTION in first:
        sentences.append(_reconstruction(scores, math.prod(image_shape)))
    return sentences


def constant_factors(latents, factor_names):
    """Names the factors that are left out because they do not vary: a list with one sentence.

    Args:
        latents: A `keras_devae.evaluation.latents.Latents`.
        factor_names: Names of all factors of the data set, or `None`.

    Returns:
        The list, empty if there are none.
    """
    names = [name for name in factor_names or () if name not in latents.factor_names]
    if not names:
        return []
    verb, rest = ("does", "is") if len(names) == 1 else ("do", "are")
    return [f"{listed(names)} {verb} not vary in these images and {rest} left out."]


def _active(latents):
    count, among = len(latents.active), counted(len(latents.kl), "latent dimension")
    if not count:
        return f"None of {among} is active ({ACTIVE_RULE})."
    verb = "is" if count == 1 else "are"
    return (
        f"Of {among}, {count} {verb} active ({ACTIVE_RULE}), with "
        f"{latents.kl[latents.active].sum():.1f} nats of KL divergence together."
    )


def _held(latents):
    """Says which latent holds which factor: a list with one sentence, or none."""
    found = [(d, factor) for d in latents.active if (factor := latents.factor_of(d))]
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
        f"{listed(words)}. The percentage is the share of the factor's entropy that the posterior "
        f"{latents.representation}s tell, beyond chance. {OWN_RULE}"
    ]


def _mig(score):
    return (
        f"The mutual information gap (MIG) is {score:.2f}, between 0 and 1: in the mean over the "
        f"factors, the latent that tells most of a factor is {percent(score)} of its entropy ahead "
        "of the next one."
    )


def _reconstruction(scores, pixels):
    text = f"An image decoded from its own code loses {scores[0][_RECONSTRUCTION]:,.1f} nats"
    squared = scores[0].get(METRICS["reconstruction_error"].key("squared_error"))
    if squared is not None:
        text += f" (squared error {squared / pixels:.4f} in the mean over pixels and channels)"
    if len(scores) > 1:
        last = scores[-1]
        text += f"; through the last layer, {last['layer']}, {last[_RECONSTRUCTION]:,.1f} nats"
    return f"{text}."
