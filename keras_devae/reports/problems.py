"""Describes what is wrong with a run, in sentences that say what to do."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from keras_devae.callbacks.kl import COLLAPSED_KL
from keras_devae.checks import counted
from keras_devae.evaluation.findings import Holder, carriers, holder_name, rivals
from keras_devae.evaluation.measured_latents import CATEGORY, Latents
from keras_devae.evaluation.wording import listed, percent
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.layer_advice import layer_advice, losses_of
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory

#: Nats in a single dimension that no decoder can use: they distinguish more than 10^8 values.
EXPLODED_KL = 20.0
#: Distance from which a target counts as missed, as a share of it, and in nats.
_MISSED_SHARE, _MISSED_NATS = 0.2, 0.2
#: Target in the history -> the value that should reach it, and the options that set the target's
#: end, the steps to it, and the weight of missing it.
_TARGETS: dict[str, tuple[str, str, str, str | None]] = {
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


def find_problems(
    config: RunConfig,
    history: Sequence[Mapping[str, float]],
    latents: Latents,
    scores: Sequence[Mapping[str, Any]],
    is_trained: bool = True,
    run: Any = "RUN",
    in_progress: bool = False,
) -> list[str]:
    """Describes in sentences what is wrong with a run, except for what its model itself reports.

    `history` has the rows of `RunDirectory.read_history`, `latents` is of layer 0, and `scores` has
    the flat scores of each layer, or none. `run` is its folder, to resume it; `is_trained` says
    whether training reached its last step, `in_progress` whether a process is training it now.
    """
    last = history[-1] if history else {}
    advice = layer_advice(losses_of(scores), run=run)
    return [
        *([] if is_trained else [_unfinished(config, last, run, in_progress)]),
        *_not_finite(history, scores),
        *(_missed_targets(config, last) if is_trained else ()),
        *_useless_codes(config, latents),
        *_shared_factors(latents),
        *_lost_factors(latents),
        *([] if advice is None else [advice]),
    ]


def find_problems_of_codes(latents: Latents, scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """Describes in sentences what is wrong with the codes of any encoder, see `find_problems`."""
    return [*_not_finite([], scores), *_shared_factors(latents), *_lost_factors(latents)]


def _unfinished(config: RunConfig, last: Mapping[str, float], run: Any, in_progress: bool) -> str:
    place = f"at step {last.get('step', 0):,} of {config.training.steps:,}"
    if in_progress:
        return f"Training is in progress, {place}. This page describes the newest checkpoint."
    return (
        f"Training stopped early, {place}. This page describes the newest checkpoint. Resume with: "
        f"{RunDirectory(run).resume_command()}"
    )


def _not_finite(
    history: Iterable[Mapping[str, float]], scores: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    # A layer that was not drawn in any step of an epoch has no losses there.
    steps = [row["step"] for row in history if not math.isfinite(row.get("loss", 0.0))]
    if steps:
        yield (
            f"The loss was not a finite number at step {steps[0]:,}. Train anew with a lower "
            "learning rate (--learning-rate)."
        )
    names = sorted({k for layer in scores for k, v in layer.items() if not math.isfinite(v)})
    if names:
        yield f"Not a finite number: {listed(names)}. Ignore these scores."


def _missed_targets(config: RunConfig, last: Mapping[str, float]) -> Iterator[str]:
    for name, (loss, end_option, steps_option, weight_option) in _TARGETS.items():
        if name not in last or loss not in last:
            continue
        target, reached = last[name], last[loss]
        what = name.replace("_", " ").replace("kl", "KL")
        end = config.model.options.get(end_option)
        if end is not None and name == "categorical_capacity":
            # The largest divergence of a category from the uniform distribution.
            end = min(end, math.log(config.model.options["num_categories"]))
        if end is not None and target < 0.95 * end:
            yield (
                f"The {what} reached only {target:.1f} of {end:.3g} nats, because the run is "
                f"shorter than {_option(steps_option)}. Train for longer, or lower "
                f"{_option(steps_option)}."
            )
        if abs(reached - target) <= max(_MISSED_SHARE * target, _MISSED_NATS):
            continue
        below = reached < target
        advice = (
            f"Lower {_option(end_option)}, or train for longer" if below else "Train for longer"
        )
        if weight_option is not None:
            advice += f", or raise {_option(weight_option)}"
        elif not below:
            advice += ", or raise the controller's gains"
        yield (
            f"The {what} was missed: the KL divergence ended at {reached:.1f} nats, "
            f"{'below' if below else 'above'} the target of {target:.1f}. {advice}."
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _useless_codes(config: RunConfig, latents: Latents) -> Iterator[str]:
    if not latents.has_posterior:
        if not len(latents.active):
            yield (
                "All codes are constant: the encoder gives every image the same code. Lower the "
                "learning rate (--learning-rate), or train for longer."
            )
        return
    # A code with a smaller KL divergence has collapsed, which the model itself reports.
    if not len(latents.active) and latents.total_kl >= COLLAPSED_KL:
        yield (
            "No latent dimension is active: the strongest carries "
            f"{latents.signal.max():.2f} nats of information about the images. Lower the weight of "
            "the KL divergence, or train for longer."
        )
    if len(latents.idle):
        yield (
            f"{_names(list(latents.idle))} differ{'s' if len(latents.idle) == 1 else ''} from the "
            "prior in the same way for all images. That adds to the KL divergence and carries no "
            "information."
        )
    exploded = [d for d in latents.order if not latents.kl[d] < EXPLODED_KL]
    if exploded and not MODEL_CATALOGUE[config.model.name].fitted:
        yield (
            f"The KL divergence has exploded: {_names(exploded)} "
            f"{'has' if len(exploded) == 1 else 'have up to'} {latents.kl[exploded].max():,.0f} "
            "nats, while ten already distinguish thousands of values. Samples from the prior will "
            "not look like the images. Raise the weight of the KL divergence, or lower the "
            "learning rate."
        )


def _shared_factors(latents: Latents) -> Iterator[str]:
    for factor, holders in latents.holders(with_category=True).items():
        if not holders:
            continue
        found = [carriers(latents, factor)[0][1], *(h for _, h in rivals(latents, factor))]
        if found == holders[:1]:
            continue
        if set(found) <= set(holders):
            shares = [percent(latents.share_of(h, factor)) for h in found[:_NAMED]]
            yield (
                f"{factor} is spread over {counted(len(found), latents.noun)}: {_names(found)} "
                f"({listed(shares)} of its entropy)."
            )
        else:
            # The latent of another factor may carry as much, or more.
            parts = [
                f"{_with_factor(latents, h)} {percent(latents.share_of(h, factor))}"
                for h in dict.fromkeys([*found, *holders[:1]])
            ]
            yield (
                f"{factor} is spread over several {latents.noun}s, which carry these shares of its "
                f"entropy: {listed(parts[:_NAMED])}."
            )


def _lost_factors(latents: Latents) -> Iterator[str]:
    if not len(latents.active):
        return
    for factor, holders in latents.holders(with_category=True).items():
        if not holders:
            share, best = carriers(latents, factor)[0]
            yield (
                f"No {latents.noun} holds {factor}. The best, {_with_factor(latents, best)}, "
                f"carries {percent(share)} of its entropy."
            )


def _with_factor(latents: Latents, holder: Holder) -> str:
    factor = None if holder == CATEGORY else latents.factor_of(int(holder))
    name = holder_name(holder)
    return name if factor is None else f"{name} (which holds {factor})"


def _names(holders: Sequence[Holder]) -> str:
    names = [holder_name(holder) for holder in holders[:_NAMED]]
    if len(holders) > _NAMED:
        names.append(f"{len(holders) - _NAMED} more")
    return listed(names)
