"""What a run came to, in sentences."""

import math

from keras_devae.experiments.report.words import counted, listed, percent
from keras_devae.latents import ACTIVE_KL

#: Share of a factor's entropy from which the one latent that holds it is called its own.
OWN_SHARE = 0.3
#: A factor that a second latent tells more than this part of, beside the first, is in two places.
SECOND_PART = 0.5
_NAMED = 8


def verdict(latents):
    """Says in one sentence whether the model disentangled.

    Args:
        latents: The `keras_devae.latents.Latents` of layer 0.

    Returns:
        The sentence. A factor has a latent of its own where one alone holds it, tells at least
        `OWN_SHARE` of its entropy, and no other active one tells `SECOND_PART` as much of it.
    """
    if not len(latents.active):
        total = latents.kl.sum()
        return f"No: no latent dimension has {ACTIVE_KL} nats (all together {total:.1f})."
    if not latents.factor_names:
        return "That cannot be told: the data have no known factors."
    total = len(latents.factor_names)
    own = [name for name in latents.factor_names if _has_own(latents, name)]
    if not own:
        return "No: no factor has a latent dimension of its own."
    if len(own) < total:
        verb = "has" if len(own) == 1 else "have"
        whose = "its" if len(own) == 1 else "their"
        return (
            f"Partly: of {counted(total, 'factor')}, {listed(own)} {verb} a latent dimension of "
            f"{whose} own."
        )
    if total == 1:
        return f"Yes: {own[0]}, the only factor, has a latent dimension of its own."
    return f"Yes: each of {total} factors has a latent dimension of its own."


def _has_own(latents, factor):
    holders = latents.holders()[factor]
    if len(holders) != 1:
        return False
    shares = latents.shares[:, latents.factor_names.index(factor)]
    others = [shares[d] for d in latents.active if d != holders[0]]
    own = shares[holders[0]]
    return bool(own >= OWN_SHARE and max(others, default=0) < SECOND_PART * own)


def summary(latents, scores, image_shape):
    """Says what the code holds and how good it is.

    Args:
        latents: List of `keras_devae.latents.Latents`, one for each layer.
        scores: List of dictionaries of flat scores, likewise; may be empty.
        image_shape: `(height, width, channels)`.

    Returns:
        List of sentences.
    """
    first = scores[0] if scores else {}
    sentences = [_active(latents[0]), *_held(latents[0])]
    if "mig.score" in first:
        sentences.append(_mig(first["mig.score"]))
    if "reconstruction_error.negative_log_likelihood" in first:
        sentences.append(_reconstruction(scores, math.prod(image_shape)))
    return sentences


def _active(latents):
    count = len(latents.active)
    if not count:
        return (
            f"None of {counted(len(latents.kl), 'latent dimension')} is active ({ACTIVE_KL} nats)."
        )
    total = latents.kl[latents.active].sum()
    verb = "is" if count == 1 else "are"
    return (
        f"Of {counted(len(latents.kl), 'latent dimension')}, {count} {verb} active (at least "
        f"{ACTIVE_KL} nats of KL divergence), with {total:.1f} nats together."
    )


def _held(latents):
    """Says which latent holds which factor: a list with one sentence, or none."""
    found = [(d, factor) for d in latents.active if (factor := latents.factor_of(d))]
    if not found:
        return []
    words = [f"z{d} holds {factor} ({_share(latents, d, factor)})" for d, factor in found[:_NAMED]]
    if len(found) > _NAMED:
        words.append(f"{len(found) - _NAMED} more hold factors")
    return [
        f"{listed(words)}. The percentage is the share of the factor's entropy; a factor has a "
        f"latent of its own where one alone holds it, with at least {percent(OWN_SHARE)}, and no "
        "other tells half as much."
    ]


def _share(latents, dimension, factor):
    return percent(latents.shares[dimension, latents.factor_names.index(factor)])


def _mig(score):
    return (
        f"The mutual information gap (MIG) is {score:.2f}, between 0 and 1: in the mean over the "
        f"factors, the latent that tells most of a factor is {percent(score)} of its entropy ahead "
        "of the next one."
    )


def _reconstruction(scores, pixels):
    error = "reconstruction_error.negative_log_likelihood"
    text = f"An image decoded from its own code loses {scores[0][error]:,.1f} nats"
    squared = scores[0].get("reconstruction_error.squared_error")
    if squared is not None:
        text += f" (squared error {squared / pixels:.4f} in the mean over pixels and channels)"
    if len(scores) > 1:
        last = scores[-1]
        text += f"; through the last layer, {last['layer']}, {last[error]:,.1f} nats"
    return f"{text}."
