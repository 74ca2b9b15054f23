"""Sweeps: nested descriptions of many runs, expanded to the flat settings of each."""

import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from keras_devae.checks import shown
from keras_devae.errors import UsageError

#: Most runs in a study; the largest published one of this field has 12,600.
MOST_RUNS = 20_000

#: Settings of a run by name.
Settings: TypeAlias = dict[str, Any]


def expand(node: dict[str, Any], where: str = "sweep") -> list[Settings]:
    """Lists the runs that a sweep describes.

    Args:
        node: Names of settings with their values, which may be lists, and any of three operators:

            `"product"`: a dictionary from settings to lists of values, whose every combination is
            a run; or a list of nodes, where every combination of their runs is a run.
            `"zip"`: the same, but with equally many values or runs in each part; the first of all
            parts are combined, then the second, and so on.
            `"list"`: a list of nodes, whose runs follow one another.

            The entries of a node are combined as in a product.
        where: What the node is called in errors; default `"sweep"`.

    Returns:
        The settings of each run. The setting that is named first varies slowest.

    Raises:
        UsageError: If a part has the wrong form, is empty or sets what another part sets, or there
            are more than `MOST_RUNS` runs.

    Example:
        >>> expand({"model": "vae", "product": {"seed": [0, 1]}})
        [{'model': 'vae', 'seed': 0}, {'model': 'vae', 'seed': 1}]
    """
    if not isinstance(node, dict):
        raise UsageError(f"`{where}` must be a table of settings. Received: {shown(node)}.")
    plain = {name: value for name, value in node.items() if name not in OPERATORS}
    parts: list[list[Settings]] = [[plain]]
    for operator, runs_of in OPERATORS.items():
        if operator in node:
            parts.append(runs_of(node[operator], f"{where}.{operator}"))
    return _combine(parts, where)


def _combine(columns: list[list[Settings]], where: str) -> list[Settings]:
    """Returns every combination of one alternative from each column."""
    check_count(math.prod(map(len, columns)), f"`{where}`")
    return [_merge(parts, where) for parts in itertools.product(*columns)]


def _product(part: Any, where: str) -> list[Settings]:
    return _combine(_columns(part, where), where)


def _zip(part: Any, where: str) -> list[Settings]:
    columns = _columns(part, where)
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise UsageError(
            f"The parts of `{where}` must be equally long. Received lengths: "
            f"{', '.join(str(length) for length in lengths)}."
        )
    return [_merge(parts, where) for parts in zip(*columns, strict=True)]


def _list(part: Any, where: str) -> list[Settings]:
    if not isinstance(part, list) or not part:
        raise UsageError(
            f"`{where}` must be a list of tables of settings. Received: {shown(part)}."
        )
    runs = list(itertools.chain(*_expand_each(part, where)))
    check_count(len(runs), f"`{where}`")
    return runs


#: Operator -> function that lists the runs that its value describes.
OPERATORS: dict[str, Callable[[Any, str], list[Settings]]] = {
    "product": _product,
    "zip": _zip,
    "list": _list,
}


def _columns(part: Any, where: str) -> list[list[Settings]]:
    """Returns, for each setting or node of a product or zip, the list of its alternatives."""
    if isinstance(part, list) and part:
        return _expand_each(part, where)
    if not isinstance(part, dict) or not part:
        raise UsageError(
            f"`{where}` must be a table of settings and lists of their values, or a list of "
            f"tables of settings. Received: {shown(part)}."
        )
    for name, values in part.items():
        if name in OPERATORS:
            raise UsageError(
                f"`{where}` takes settings and their values. Received: the operator {name!r}; put "
                "it beside `product` or `zip`, or use a list of tables."
            )
        if not isinstance(values, list) or not values:
            raise UsageError(
                f"`{where}.{name}` must be a list of values. Received: {shown(values)}."
            )
    return [[{name: value} for value in values] for name, values in part.items()]


def _expand_each(nodes: list[Any], where: str) -> list[list[Settings]]:
    return [expand(node, f"{where}[{i}]") for i, node in enumerate(nodes)]


def check_count(count: int, where: str) -> None:
    """Raises a `UsageError` if there are more runs than a study may have."""
    if count > MOST_RUNS:
        raise UsageError(
            f"{where} describes {count:,} runs, but a study has at most {MOST_RUNS:,}. Leave out "
            "values, or split the study."
        )


def _merge(parts: Iterable[Settings], where: str) -> Settings:
    run: Settings = {}
    for part in parts:
        for name, value in part.items():
            if name in run:
                raise UsageError(
                    f"`{where}` sets `{name}` more than once for the same run: to "
                    f"{shown(run[name])} and to {shown(value)}. Leave one out."
                )
            run[name] = value
    return run
