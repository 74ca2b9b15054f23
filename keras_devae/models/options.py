"""Options of models: their kind, the values they accept, and how their defaults scale."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from keras_devae import checks
from keras_devae.data.partners import checked_count
from keras_devae.errors import UsageError

Check = Callable[[str, Any], Any]

PIXELS, STEPS, RATE = "pixels", "steps", "rate"


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a model.

    Attributes:
        kind: `"number"`, `"whole"`, `"numbers"`, `"wholes"`, `"text"`, `"texts"` or `"flag"`.
        default: The default, for 64x64 images and 300,000 steps.
        help: A description in a few words.
        check: Takes the option's name and a value; returns the value or raises `UsageError`.
        scales: What the default is proportional to: `"pixels"`, because the reconstruction is a
            sum over them; `"steps"`, the length of the run; or `"rate"`, its inverse, for
            quantities that accumulate step by step.
    """

    kind: str
    default: Any
    help: str
    check: Check
    scales: tuple[str, ...] = ()

    def scaled_default(self, factors: Mapping[str, float]) -> Any:
        """Returns the default multiplied by the factors that it scales with."""
        value = self.default
        for scale in self.scales:
            factor = factors[scale]
            value = tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value
        return max(round(value), 1) if self.scales == (STEPS,) else value


def weight(default: float, help: str, *scales: str) -> Option:
    """Declares a weight in the loss, at least 0, which scales with the pixels by default."""
    return Option("number", default, help, checks.finite_at_least, scales or (PIXELS,))


def pressures(default: tuple[float, ...], help: str) -> Option:
    """Declares a list of weights of the KL divergence, which scale with the pixels."""
    return Option("numbers", default, help, checks.pressures, (PIXELS,))


def number(default: float, help: str, check: Check = checks.finite_at_least) -> Option:
    """Declares a number that does not scale, at least 0 unless another check is given."""
    return Option("number", default, help, check)


def optional_number(help: str) -> Option:
    """Declares a number, at least 0, or `None` (the default)."""
    return Option("number", None, help, _or_none(checks.finite_at_least))


def steps(default: int, help: str, least: int = 1) -> Option:
    """Declares a number of steps, at least `least`, which scales with the length of the run."""
    return Option("whole", default, help, functools.partial(checks.at_least, least=least), (STEPS,))


def whole(default: int, help: str, least: int) -> Option:
    """Declares a whole number that does not scale."""
    return Option("whole", default, help, functools.partial(checks.at_least, least=least))


def optional_whole(help: str, least: int) -> Option:
    """Declares a whole number or `None` (the default)."""
    return Option("whole", None, help, _or_none(functools.partial(checks.at_least, least=least)))


def widths(default: tuple[int, ...], help: str, fewest: int = 0) -> Option:
    """Declares a list of layer widths, which has at least `fewest`."""

    def check(name: str, values: Any) -> tuple[int, ...]:
        checked = checks.widths(name, values)
        if len(checked) < fewest:
            raise UsageError(f"`{name}` needs at least {fewest} width. Received: none.")
        return checked

    return Option("wholes", default, help, check)


def optional_widths(help: str) -> Option:
    """Declares a list of widths or `None` (the default)."""
    return Option("wholes", None, help, _or_none(checks.widths))


def choice(help: str, *known: str) -> Option:
    """Declares a choice among a few names, the first of which is the default."""
    return Option("text", known[0], help, lambda name, value: checks.one_of(name, value, known))


def changed_factors(default: int, help: str) -> Option:
    """Declares a number of factors that differ in pairs of images, or `"random"`."""
    return Option("text", default, help, checked_count)


def names(default: tuple[str, ...], help: str, check: Check) -> Option:
    """Declares a list of names, which `check` checks."""
    return Option("texts", default, help, check)


def flag(help: str, default: bool = False) -> Option:
    """Declares a switch, off by default."""
    return Option("flag", default, help, checks.flag)


def _or_none(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


#: What all models with a decoder that is trained take besides their own options.
JACOBIAN_OPTIONS = {
    "jacobian_penalty": number(
        0.0, "Weight of the orthogonal Jacobian penalty (OroJaR) on the decoder."
    ),
    "jacobian_vectors": Option(
        "whole",
        2,
        "Random vectors that estimate the Jacobian penalty, 2 or more; 0 computes it exactly.",
        lambda name, value: checks.at_least(name, value, 2, or_zero=True),
    ),
    "jacobian_step": number(
        0.1, "Step size of the finite differences in the Jacobian penalty.", checks.positive
    ),
}


def check_jacobian_vectors(value: Any) -> Any:
    """Checks the setting `jacobian_vectors` and returns it."""
    return JACOBIAN_OPTIONS["jacobian_vectors"].check("jacobian_vectors", value)


def weight_or_schedule(name: str, value: Any) -> Any:
    """Checks a weight; leaves the configuration of a schedule for the model to check."""
    if not isinstance(value, dict):
        return checks.finite_at_least(name, value)
    if isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict):
        return value
    raise UsageError(
        f"`{name}` must be a number or the configuration of a schedule, with `class_name` and "
        f"`config`. Received: {checks.shown(value)}."
    )


def share(name: str, value: Any) -> Any:
    """Checks a share, a number from 0 to 1, and returns it."""
    if checks.finite_at_least(name, value) > 1:
        raise UsageError(f"`{name}` must be a number from 0 to 1. Received: {value}.")
    return value


def check_controller(options: Mapping[str, Any]) -> None:
    """Checks the given options of a controller against each other."""
    stairs, steps = options.get("kl_target_stairs"), options.get("kl_target_steps")
    if stairs is not None and steps is not None and stairs > steps:
        raise UsageError(
            f"`kl_target_stairs` must be at most `kl_target_steps`, which is {steps}. Received: "
            f"{stairs}."
        )
    rest = options.get("kl_target_rest", 1)
    if stairs is None and rest != 1:
        raise UsageError(
            "`kl_target_rest` is a part of each stair: set `kl_target_stairs` too. Received: "
            f"{rest}."
        )
    names = [n for n in ("beta_min", "beta_init", "beta_max") if options.get(n) is not None]
    for lower, upper in itertools.pairwise(names):
        low, high = options[lower], options[upper]
        if low > high or (low == high and (lower, upper) == ("beta_min", "beta_max")):
            raise UsageError(
                f"`{upper}` must be above `{lower}`, which is {low}. Received: {high}."
            )


def check_contrast(options: Mapping[str, Any]) -> None:
    """Checks the given options of a contrastive regularizer against each other."""
    weight = options.get("contrastive_weight")
    if weight is not None and not options.get("contrastive"):
        raise UsageError(
            f"`contrastive_weight` needs `contrastive`: set that, too. Received: {weight}."
        )


def check_contrasted_latents(options: Mapping[str, Any], latent_dim: int) -> None:
    """Checks that there are several latents, if a regularizer is to tell them apart."""
    if options.get("contrastive") and latent_dim < 2:
        raise UsageError(
            "`contrastive` tells latent dimensions apart: `latent_dim` must be at least 2. "
            f"Received: {latent_dim}."
        )


def check_groups(options: Mapping[str, Any], latent_dim: int) -> None:
    """Checks the given options of groups of latents against the number of latents."""
    count, sizes = options.get("num_groups"), options.get("group_sizes")
    if count is not None and count > latent_dim:
        raise UsageError(
            f"`num_groups` must be at most the number of latent dimensions, {latent_dim}. "
            f"Received: {count}."
        )
    if sizes is None:
        return
    sizes = checks.partition("group_sizes", sizes, latent_dim)
    if count not in (None, len(sizes)):
        raise UsageError(
            "`group_sizes` says how many groups there are: leave `num_groups` out. Received: "
            f"{len(sizes)} sizes, num_groups={count}."
        )


def check_flow(options: Mapping[str, Any]) -> None:
    """Checks the given options of a model with flows against each other."""
    units, default = options.get("flow_units"), (128, 128, 128)
    if options.get("flow", "planar") == "planar" and units not in (None, default):
        raise UsageError(
            "`flow_units` are the widths of inverse autoregressive flows: set `flow` to 'iaf' too. "
            f"Received: {units}."
        )


def layer_dims_of(options: Mapping[str, Any], latent_dim: int) -> tuple[int, ...]:
    """Returns the number of latents of each stochastic layer, as given and checked or as default.

    By default there are up to three layers in the proportions 4 : 2 : 1.
    """
    if options.get("layer_dims") is not None:
        return checks.partition("layer_dims", options["layer_dims"], latent_dim)
    top, middle = (max(round(share * latent_dim / 7), 1) for share in (1, 2))
    return (latent_dim - middle - top, middle, top) if latent_dim >= 3 else (1,) * latent_dim


def stochastic_layers(options: Mapping[str, Any], latent_dim: int) -> dict[str, int]:
    """Returns the stochastic layers by name with their numbers of latents."""
    dims = layer_dims_of(options, latent_dim)
    return {f"layer {i}": dim for i, dim in enumerate(dims, start=1)}
