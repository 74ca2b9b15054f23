"""Codes with their factors, checked, and divided into rows that train and rows that test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from keras_devae.checks import Array, one_of, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import check_recorded_seed, is_whole
from keras_devae.metrics.arrays import check_codes, check_finite, value_counts
from keras_devae.metrics.continuous_factors import Continuous, read_factors
from keras_devae.metrics.metric_warnings import NOTHING, caution_of_few, named, warn


class LabelledCodes(NamedTuple):
    """Checked codes with the factors that vary.

    Codes `(n, d)` are integer or float64, or as given; factors are int64 `(n, f)` with `f` names.
    `constant_codes` has the indices of codes with a single value; `settings` what every result
    records of its data, of all factors; `measured` the values `(n,)` of continuous factors by name,
    whose columns of `factors` are their bins.
    """

    codes: Array
    factors: Array
    names: tuple[str, ...]
    constant_codes: list[int]
    settings: dict[str, Any]
    measured: Mapping[str, Array] = NOTHING


class Split(NamedTuple):
    """Labelled codes in a part to fit predictors on, the first `n_train` rows, and one to test on.

    The factors are those that vary among the training rows; `settings` has `n_train` too.
    """

    train_codes: Array
    train_factors: Array
    test_codes: Array
    test_factors: Array
    names: tuple[str, ...]
    constant_codes: list[int]
    settings: dict[str, Any]
    train_measured: Mapping[str, Array] = NOTHING
    test_measured: Mapping[str, Array] = NOTHING


def check_labelled(
    codes: Array,
    factors: Array,
    factor_names: Iterable[str] | None = None,
    as_given: bool = False,
    continuous: Continuous = (),
) -> LabelledCodes:
    """Checks codes `(n, d)` and factors `(n, f)`, and leaves out factors with a single value.

    A factor without entropy has no score; a `MetricWarning` names it. Another names constant codes,
    which are kept. Also warns about few samples and factors that look continuous. Codes `as_given`
    keep their floating dtype, which saves copying a large table.
    """
    codes = check_finite(codes) if as_given else check_codes(codes)
    factors, names, measured = read_factors(factors, factor_names, continuous)
    check_same_length(codes, factors)
    counts = dict(zip(names, map(value_counts, factors.T), strict=True))
    sizes = [len(found) for found in counts.values()]
    varies = np.array(sizes) > 1
    kept, dropped = _kept_and_dropped(names, varies, "these samples")
    varying = factors if varies.all() else factors[:, varies]
    constant_codes = find_constant_codes(codes)
    caution_of_few(len(codes), {name: counts[name] for name in kept if name not in measured})
    settings = {
        "sample_count": len(codes),
        "code_count": codes.shape[1],
        "factor_names": list(names),
        "factor_sizes": sizes,
        "dropped_factors": dropped,
    }
    if measured:
        settings["continuous"] = dict.fromkeys(measured, "native")
    measured = {name: measured[name] for name in kept if name in measured}
    return LabelledCodes(codes, varying, kept, constant_codes, settings, measured)


def check_unlabelled(codes: Array, seed: int | None) -> tuple[Array, list[int], dict[str, Any]]:
    """Checks codes `(n, d)` without factors, and the seed that they were drawn with.

    Returns them, the indices of constant codes, and what a result records.
    """
    check_recorded_seed(seed)
    codes = check_codes(codes)
    caution_of_few(len(codes))
    settings = {"sample_count": len(codes), "code_count": codes.shape[1], "seed": seed}
    return codes, find_constant_codes(codes), settings


def split_rows(labelled: LabelledCodes, n_train: int | None) -> Split:
    """Divides samples: the rows before `n_train` train (`None`: two thirds), the rest test.

    Factors that do not vary among the training rows are left out.
    """
    n_train = check_n_train(n_train, len(labelled.codes))
    train = labelled.factors[:n_train]
    varies = ~_is_constant(train)
    where = f"the first {n_train} rows, which train"
    names, dropped = _kept_and_dropped(labelled.names, varies, where)
    settings = dict(labelled.settings, n_train=n_train)
    settings["dropped_factors"] = settings["dropped_factors"] + dropped
    measured = {name: labelled.measured[name] for name in names if name in labelled.measured}
    return Split(
        labelled.codes[:n_train],
        train[:, varies],
        labelled.codes[n_train:],
        labelled.factors[n_train:, varies],
        names,
        labelled.constant_codes,
        settings,
        {name: values[:n_train] for name, values in measured.items()},
        {name: values[n_train:] for name, values in measured.items()},
    )


def check_n_train(n_train: int | None, count: int) -> int:
    """Checks how many of `count` rows train a predictor; `None` is two thirds, rounded down."""
    chosen = 2 * count // 3 if n_train is None else n_train
    if not is_whole(chosen) or not 1 <= chosen < count:
        raise UsageError(
            "`n_train` must leave at least one row to train on and one to test on. Received: "
            f"n_train={shown(n_train)} for {count} rows."
        )
    return int(chosen)


def check_counted_rows(name: str, rows: str | None, n_train: int | None) -> str:
    """Checks which rows information is counted on, `"all"` or `"train"`.

    `None` is all rows unless `n_train` says which ones train. `name` is the argument's name.
    """
    if rows is None:
        return "all" if n_train is None else "train"
    return one_of(f"value of `{name}`", rows, ("all", "train"))


def find_constant_codes(codes: Array) -> list[int]:
    """Returns the indices of codes with a single value, and warns of them."""
    constant = np.flatnonzero(_is_constant(codes)).tolist()
    if len(constant) == codes.shape[1]:
        warn(f"There is no active latent dimension: all {len(constant)} codes are constant.")
    elif constant:
        warn(
            f"{len(constant)} of {codes.shape[1]} codes are constant and carry no information: "
            f"{named(constant)}."
        )
    return constant


def per_factor(names: Iterable[str], values: Iterable[float]) -> dict[str, float]:
    """Puts one number for each factor under its name, for a result's details."""
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def check_same_length(codes: Array, factors: Array) -> None:
    """Raises a `UsageError` unless both arrays have one row per sample."""
    if len(codes) != len(factors):
        raise UsageError(
            "Codes and factors must have one row for each sample. Received: "
            f"{len(codes)} rows of codes and {len(factors)} rows of factors."
        )


def _is_constant(columns: Array) -> Array:
    """Tells which columns have a single value; the first rows settle it for most of them."""
    constant = np.all(columns[:1000] == columns[0], axis=0)
    for i in np.flatnonzero(constant):
        constant[i] = np.all(columns[:, i] == columns[0, i])
    return constant


def _kept_and_dropped(
    names: tuple[str, ...], varies: Array, where: str
) -> tuple[tuple[str, ...], list[str]]:
    dropped = [name for name, varied in zip(names, varies, strict=True) if not varied]
    if len(dropped) == len(names):
        raise UsageError(
            f"At least one factor must take two values. Received: {', '.join(dropped)}, which "
            f"never vary in {where}; pass more samples."
        )
    if dropped:
        warn(f"Dropped factors with a single value in {where}: {', '.join(dropped)}.")
    return tuple(name for name, varied in zip(names, varies, strict=True) if varied), dropped
