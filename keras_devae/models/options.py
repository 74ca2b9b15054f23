"""Checks of models' options: of each alone, and of those that must fit together."""

import itertools

from keras_devae import checks
from keras_devae.errors import UsageError


def one_of(*known):
    """Makes the check of a text that is one of a few."""
    return lambda name, value: checks.one_of(name, value, known)


def or_none(check):
    """Makes a check that takes `None` too."""
    return lambda name, value: None if value is None else check(name, value)


def weight_or_schedule(name, value):
    """Checks a weight; the configuration of a schedule is left to the model."""
    if not isinstance(value, dict):
        return checks.finite_at_least(name, value)
    if isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict):
        return value
    raise UsageError(
        f"`{name}` must be a number or the configuration of a schedule, with `class_name` and "
        f"`config`. Received: {checks.shown(value)}."
    )


def share(name, value):
    """Checks a part of a whole, a number from 0 to 1, and returns it."""
    if checks.finite_at_least(name, value) > 1:
        raise UsageError(f"`{name}` must be a number from 0 to 1. Received: {value}.")
    return value


def check_set_point(options):
    """Checks the options of a set point's way against each other, as far as they are given."""
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


def check_limits(options):
    """Checks a controller's beta at the start and its limits, as far as they are given."""
    names = [n for n in ("beta_min", "beta_init", "beta_max") if options.get(n) is not None]
    for lower, upper in itertools.pairwise(names):
        low, high = options[lower], options[upper]
        if low > high or (low == high and (lower, upper) == ("beta_min", "beta_max")):
            raise UsageError(
                f"`{upper}` must be above `{lower}`, which is {low}. Received: {high}."
            )
