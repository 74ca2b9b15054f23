"""The algebra of sweeps: a nested description of many runs, and the flat settings of each."""

import itertools
import math

from keras_devae.checks import shown
from keras_devae.errors import UsageError

#: Most runs of a study; the largest published one of this field has 12,600.
MOST_RUNS = 20_000


def expand(node, where="sweep"):
    """Lists the runs that a sweep describes.

    Args:
        node: Dictionary. A key is the name of a setting, with its value, which may be a list; or
            one of three operators:

            `"product"`: a dictionary of settings and lists of values, of which every combination
            is a run; or a list of nodes, of whose runs every combination is one.
            `"zip"`: the same with equally many values or runs, of which the first go together,
            then the second, and so on.
            `"list"`: a list of nodes, whose runs follow one another.

            What stands side by side in a node is combined as in a product.
        where: What the node is called in errors; default `"sweep"`.

    Returns:
        List of dictionaries of settings. The first that is named varies slowest.

    Raises:
        UsageError: If a part has the wrong form, is empty, sets what another has set already, or
            there are more than `MOST_RUNS` runs.

    Example:
        >>> expand({"model": "vae", "product": {"seed": [0, 1]}})
        [{'model': 'vae', 'seed': 0}, {'model': 'vae', 'seed': 1}]
    """
    if not isinstance(node, dict):
        raise UsageError(f"`{where}` must be a table of settings. Received: {shown(node)}.")
    parts = [[{name: value for name, value in node.items() if name not in OPERATORS}]]
    for operator, runs_of in OPERATORS.items():
        if operator in node:
            parts.append(runs_of(node[operator], f"{where}.{operator}"))
    check_count(math.prod(map(len, parts)), f"`{where}`")
    return [_merged(parts, where) for parts in itertools.product(*parts)]


def _product(part, where):
    columns = _columns(part, where)
    check_count(math.prod(map(len, columns)), f"`{where}`")
    return [_merged(parts, where) for parts in itertools.product(*columns)]


def _zip(part, where):
    columns = _columns(part, where)
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise UsageError(
            f"What `{where}` goes through together must be equally long. Received lengths: "
            f"{', '.join(str(length) for length in lengths)}."
        )
    return [_merged(parts, where) for parts in zip(*columns, strict=True)]


def _list(part, where):
    if not isinstance(part, list) or not part:
        raise UsageError(
            f"`{where}` must be a list of tables of settings. Received: {shown(part)}."
        )
    runs = list(itertools.chain(*_runs_of_nodes(part, where)))
    check_count(len(runs), f"`{where}`")
    return runs


#: Operator -> function of what stands behind it that lists its runs.
OPERATORS = {"product": _product, "zip": _zip, "list": _list}


def _columns(part, where):
    """Returns, for each setting or node of a product or zip, the list of its alternatives."""
    if isinstance(part, list) and part:
        return _runs_of_nodes(part, where)
    if not isinstance(part, dict) or not part:
        raise UsageError(
            f"`{where}` must be a table of settings and lists of their values, or a list of "
            f"tables of settings. Received: {shown(part)}."
        )
    for name, values in part.items():
        if name in OPERATORS:
            raise UsageError(
                f"`{where}` holds settings and their values. Received: the operator {name!r}; put "
                "it beside, or make a list of tables."
            )
        if not isinstance(values, list) or not values:
            raise UsageError(
                f"`{where}.{name}` must be a list of values. Received: {shown(values)}."
            )
    return [[{name: value} for value in values] for name, values in part.items()]


def _runs_of_nodes(nodes, where):
    return [expand(node, f"{where}[{i}]") for i, node in enumerate(nodes)]


def check_count(count, where):
    """Raises a `UsageError` if there are more runs than a study may have, before they are made.

    Args:
        count: How many runs there are.
        where: What describes them, the beginning of a sentence.
    """
    if count > MOST_RUNS:
        raise UsageError(
            f"{where} describes {count:,} runs, and a study has {MOST_RUNS:,} at most. Leave out "
            "values, or make several studies."
        )


def _merged(parts, where):
    run = {}
    for part in parts:
        for name, value in part.items():
            if name in run:
                raise UsageError(
                    f"`{where}` sets `{name}` more than once for the same run: to "
                    f"{shown(run[name])} and to {shown(value)}. Leave one out."
                )
            run[name] = value
    return run
