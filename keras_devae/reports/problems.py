"""What is wrong with a run, in sentences that say what to do."""

import math

from keras_devae.callbacks.kl import COLLAPSED_KL
from keras_devae.evaluation.latents import CATEGORY
from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.models.layer_advice import layer_advice, losses_of
from keras_devae.reports.formatting import counted, listed, percent
from keras_devae.reports.summary import holder_name, rivals, told
from keras_devae.runs.folder import RunDirectory

#: Nats of a single dimension that no decoder can use: they tell more than 10^8 values apart.
EXPLODED_KL = 20.0
#: Distance from a target that counts, as a share of it, and in nats.
_MISSED_SHARE, _MISSED_NATS = 0.2, 0.2
#: What a model aims at, in its history -> what should be there, and the options of the aim.
_TARGETS = {
    "capacity": ("kl_loss", "capacity_max", "capacity_steps", "gamma"),
    "categorical_capacity": (
        "categorical_kl_loss",
        "categorical_capacity_max",
        "capacity_steps",
        "categorical_gamma",
    ),
    "kl_target": ("kl_loss", "kl_target", "kl_target_steps", None),
}
_NAMED = 8


def find_problems(config, history, latents, scores, is_trained=True, run="RUN", in_progress=False):
    """Says what is wrong with a run, apart from what its model says of itself.

    Args:
        config: The run's completed `RunConfig`.
        history: Rows of its history, see `RunDirectory.read_history`.
        latents: The `keras_devae.evaluation.latents.Latents` of layer 0.
        scores: List of dictionaries of flat scores, one for each layer; may be empty.
        is_trained: Whether training reached its last step.
        run: Folder of the run, to go on with.
        in_progress: Whether a process is training it now.

    Returns:
        List of sentences, empty if nothing is wrong.
    """
    last = history[-1] if history else {}
    return [
        *_unfinished(config, last, is_trained, run, in_progress),
        *_not_finite(history, scores),
        *(_missed_targets(config, last) if is_trained else ()),
        *_useless_codes(config, latents),
        *_shared_factors(latents),
        *_lost_factors(latents),
        *filter(None, [layer_advice(losses_of(scores))]),
    ]


def _unfinished(config, last, is_trained, run, in_progress):
    if is_trained:
        return []
    place = f"at step {last.get('step', 0):,} of {config.training.steps:,}"
    if in_progress:
        return [
            f"Training is going on, {place} by now: all that follows is of the newest checkpoint."
        ]
    return [
        f"Training stopped early, {place}: all that follows is of the newest checkpoint. Go on "
        f"with: {RunDirectory(run).resume_command()}"
    ]


def _not_finite(history, scores):
    # A layer that no step of an epoch drew has no losses there.
    bad = [row["step"] for row in history if not math.isfinite(row.get("loss", 0.0))]
    if bad:
        yield (
            f"The loss was not a finite number at step {bad[0]:,}. Begin anew with a lower "
            "learning rate (--learning-rate)."
        )
    names = sorted({k for layer in scores for k, v in layer.items() if not math.isfinite(v)})
    if names:
        yield f"Not a finite number: {listed(names)}. Nothing can be concluded from these."


def _missed_targets(config, last):
    for target, (reached, *options) in _TARGETS.items():
        if target in last and reached in last:
            yield from _missed(config, target, last[target], last[reached], *options)


def _missed(config, name, target, reached, end_option, steps_option, weight_option):
    what, option = name.replace("_", " ").replace("kl", "KL"), end_option.replace("_", "-")
    end = config.model.options.get(end_option)
    if end is not None and name == "categorical_capacity":
        # The divergence of a category from the uniform one ends there.
        end = min(end, math.log(config.model.options["num_categories"]))
    if end is not None and target < 0.95 * end:
        yield (
            f"The {what} had come to {target:.1f} nats when training ended, of {end:g}: the run is "
            f"shorter than --{steps_option.replace('_', '-')}. Train for longer, or lower it."
        )
    if abs(reached - target) <= max(_MISSED_SHARE * target, _MISSED_NATS):
        return
    below = reached < target
    advice = f"Lower --{option}, or train for longer" if below else "Train for longer"
    if weight_option is not None:
        advice += f", or raise --{weight_option.replace('_', '-')}"
    elif not below:
        advice += ", or raise the controller's gains"
    side = "below" if below else "above"
    yield (
        f"The {what} was not reached: the KL divergence ended at {reached:.1f} nats, {side} the "
        f"{target:.1f} that were asked for. {advice}."
    )


def _useless_codes(config, latents):
    # A code with less has collapsed, which the model says itself.
    if not len(latents.active) and latents.kl.sum() >= COLLAPSED_KL:
        yield (
            f"No latent dimension is active: the most that one passes on of the images is "
            f"{latents.signal.max():.2f} nats. Lower the pressure on the KL divergence, or train "
            "for longer."
        )
    if len(latents.idle):
        yield (
            f"{_names(latents.idle)} differ{_s(latents.idle)} from the prior, but in the same way "
            "for all images: such a code costs KL divergence and carries nothing."
        )
    exploded = [d for d in latents.order if not latents.kl[d] < EXPLODED_KL]
    if exploded and not MODEL_CATALOGUE[config.model.name].fitted:
        yield (
            f"The KL divergence has exploded: {_names(exploded)} "
            f"{'has' if len(exploded) == 1 else 'have'} {latents.kl[exploded].max():,.0f} nats, "
            "where ten tell thousands of values apart. Samples of the prior will not look like the "
            "images. Raise the pressure on the KL divergence, or lower the learning rate."
        )


def _shared_factors(latents):
    for factor, holders in latents.holders(with_category=True).items():
        if not holders:
            continue
        tellers = [told(latents, factor)[0][1], *(holder for _, holder in rivals(latents, factor))]
        if tellers == holders[:1]:
            continue
        if set(tellers) <= set(holders):
            shares = [percent(latents.share_of(h, factor)) for h in tellers[:_NAMED]]
            yield (
                f"{counted(len(tellers), 'latent')} hold {factor}: {_names(tellers)} "
                f"({listed(shares)} of its entropy). It is not in one place."
            )
        else:
            # The latent of another factor can tell as much, or more.
            parts = [
                f"{_with_factor(latents, h)}, tells {percent(latents.share_of(h, factor))}"
                for h in dict.fromkeys([*tellers, *holders[:1]])
            ]
            yield f"{factor} is not in one place: of its entropy {listed(parts[:_NAMED])}."


def _lost_factors(latents):
    if not len(latents.active):
        return
    for factor, holders in latents.holders(with_category=True).items():
        if not holders:
            share, best = told(latents, factor)[0]
            yield (
                f"No latent holds {factor}: the most that a latent tells of it is {percent(share)} "
                f"of its entropy ({_with_factor(latents, best)})."
            )


def _with_factor(latents, holder):
    factor = None if holder == CATEGORY else latents.factor_of(holder)
    name = holder_name(holder)
    return name if factor is None else f"{name}, which holds {factor}"


def _names(dimensions):
    names = [holder_name(d) for d in dimensions[:_NAMED]]
    if len(dimensions) > _NAMED:
        names.append(f"{len(dimensions) - _NAMED} more")
    return listed(names)


def _s(things):
    return "s" if len(things) == 1 else ""
