"""Variants as texts, as typed after `--variant` and recorded in a run's configuration.

A text is the name of a variant, then a colon and its arguments, if there are any. Options come
last, after a comma (or after the colon if there is nothing else):

    colour                                  colour:seed=3
    noise                                   noise:seed=3
    background:FOLDER                       background:FOLDER,seed=3
    subset:1000                             subset:1000,seed=3
    hidden:instance                         hidden:instance,lighting
    correlated:floor_hue,wall_hue,0.2       correlated:a,b,0.2;c,d,0.4,seed=3,length=10000
    held-out:shape=2,scale=4+5              held-out:shape=2;shape=0,scale=4+5
    held-out:position_x=16..31              held-out:shape=heart,position_x=0..3+16..31
    held-out-only:shape=2,scale=4+5

In `held-out`, commas join conditions that must all hold, semicolons separate combinations, and
pluses separate values of a factor: whole numbers, ranges of them with both ends, or labels.
"""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras_devae.checks import at_least, check_dataset, path_of, texts
from keras_devae.data.dataset import Dataset
from keras_devae.data.variants.appearance import background, colour, noise
from keras_devae.data.variants.arguments import checked_combinations, checked_pairs
from keras_devae.data.variants.factors import hidden
from keras_devae.data.variants.random_numbers import checked_seed
from keras_devae.data.variants.rows import correlated, held_out, subset
from keras_devae.errors import UsageError, unknown_name

#: Most values of a factor in a range; no factor has more.
_LONGEST_RANGE = 10_000


class _Kind(NamedTuple):
    """The syntax of a variant; `usage` is an example for errors.

    `make` is called with a data set, the result of `read`, and the options (whole numbers) by name.
    `read` turns the text of the arguments into positional arguments, or raises `UsageError`.
    """

    make: Callable[..., Dataset]
    read: Callable[[str], tuple[Any, ...]]
    usage: str
    options: tuple[str, ...] = ("seed",)


class _Specification(NamedTuple):
    """A parsed specification."""

    kind: _Kind
    name: str
    arguments: tuple[Any, ...]
    options: dict[str, int]


def apply(dataset: Dataset, specifications: Sequence[str]) -> Dataset:
    """Applies variants in the order given.

    Args:
        dataset: Any data set.
        specifications: Texts as described at the top of this module, e.g.
            `["subset:1000", "colour:seed=3"]`. May be empty.

    Returns:
        The last variant, or `dataset` itself.

    Raises:
        UsageError: If a text is wrong, or does not suit the data set.
        FailureError: If a picture of a background is damaged.
    """
    check_dataset(dataset)
    for each in _parsed(specifications):
        dataset = each.kind.make(dataset, *each.arguments, **each.options)
    return dataset


def check(specifications: Sequence[str]) -> None:
    """Checks names, arguments and options, as far as possible without the data set.

    Args:
        specifications: As for `apply`.

    Raises:
        UsageError: If a variant is unknown or its text is wrong.
    """
    _parsed(specifications)


def canonical(specifications: Sequence[str]) -> tuple[str, ...]:
    """Returns the texts in a form that means the same from any working directory.

    Args:
        specifications: As for `apply`.

    Returns:
        Tuple of the texts, with folders as absolute paths.

    Raises:
        UsageError: As for `check`.
    """
    canonical_texts = []
    specifications = texts("variants", specifications)
    for text, each in zip(specifications, _parsed(specifications), strict=True):
        if each.name == "background":
            options = "".join(f",{name}={value}" for name, value in each.options.items())
            text = f"background:{each.arguments[0].resolve()}{options}"
        canonical_texts.append(text)
    return tuple(canonical_texts)


def _parsed(specifications: Sequence[str]) -> list[_Specification]:
    if isinstance(specifications, str):
        raise UsageError(
            f"Variants must be a list of texts. Received: the text {specifications!r}; put "
            "it in a list."
        )
    return [_parse(text) for text in texts("variants", specifications)]


def _parse(text: str) -> _Specification:
    name, _, rest = text.partition(":")
    if name not in VARIANTS:
        raise unknown_name("variant", name, VARIANTS)
    kind = VARIANTS[name]
    rest, options = _split_options(rest, kind.options)
    try:
        for option, value in options.items():
            checked_seed(value) if option == "seed" else at_least(option, value, 1)
        arguments = kind.read(rest)
    except UsageError as error:
        message = str(error)
        raise UsageError(
            f"The variant {text!r} is not understood: {message[0].lower()}{message[1:]} It is "
            f"written like {kind.usage!r}."
        ) from error
    return _Specification(kind, name, arguments, options)


def _split_options(rest: str, names: tuple[str, ...]) -> tuple[str, dict[str, int]]:
    """Splits `NAME=NUMBER` off the end, as long as there is one with a known name."""
    options: dict[str, int] = {}
    pattern = re.compile(rf"(?:(.*),)?({'|'.join(names)})=([0-9]+)", re.DOTALL)
    while names and (match := pattern.fullmatch(rest)) and match[2] not in options:
        rest = match[1] or ""
        options[match[2]] = int(match[3])
    return rest, dict(reversed(options.items()))


def _read_nothing(rest: str) -> tuple[Any, ...]:
    if rest:
        raise UsageError(f"It takes no arguments. Received: {rest!r}.")
    return ()


def _read_folder(rest: str) -> tuple[Any, ...]:
    if not rest.strip():
        raise UsageError("It needs a folder of pictures. Received: none.")
    return (path_of("folder", rest),)


def _read_count(rest: str) -> tuple[Any, ...]:
    if not re.fullmatch(r"[0-9]+", rest):
        raise UsageError(f"It needs a number of images. Received: {rest!r}.")
    return (at_least("count", int(rest), 1),)


def _read_names(rest: str) -> tuple[Any, ...]:
    names = [name.strip() for name in rest.split(",")]
    if not all(names):
        raise UsageError(f"It needs names of factors, separated by commas. Received: {rest!r}.")
    return (names,)


def _read_pairs(rest: str) -> tuple[Any, ...]:
    pairs: list[tuple[Any, ...]] = []
    for part in rest.split(";"):
        *names, last = (word.strip() for word in part.split(","))
        try:
            sigma = float(last)
        except ValueError:
            names = []
        if len(names) != 2 or not all(names):
            raise UsageError(
                f"It needs two factors and a sigma, separated by commas. Received: {part!r}."
            )
        pairs.append((*names, sigma))
    return (checked_pairs(pairs),)


def _read_combinations(rest: str) -> tuple[Any, ...]:
    return (checked_combinations([_read_combination(part) for part in rest.split(";")]),)


def _read_combination(text: str) -> dict[str, list[str]]:
    combination: dict[str, list[str]] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([^=]*[^=\s])\s*=\s*([^=+]*[^=+\s](?:\+[^=+]*[^=+\s])*)\s*", part)
        if not match or match[1] in combination:
            raise UsageError(
                f"It needs factors, each once and with values joined by a plus. Received: {text!r}."
            )
        combination[match[1]] = [
            each for value in match[2].split("+") for each in _values_of(value.strip())
        ]
    return combination


def _values_of(text: str) -> list[str]:
    """Returns the whole numbers of a range like `16..31`, or else the text alone."""
    match = re.fullmatch(r"([0-9]+)\.\.([0-9]+)", text)
    if not match:
        return [text]
    first, last = int(match[1]), int(match[2])
    if not first <= last < first + _LONGEST_RANGE:
        raise UsageError(
            f"A range goes upwards and has at most {_LONGEST_RANGE:,} values. Received: {text!r}."
        )
    return [str(value) for value in range(first, last + 1)]


_held_out_only = functools.partial(held_out, complement=True)
#: Name of a variant, as in `--variant` -> how it is made and read.
VARIANTS = {
    "colour": _Kind(colour, _read_nothing, "colour:seed=3"),
    "noise": _Kind(noise, _read_nothing, "noise:seed=3"),
    "background": _Kind(background, _read_folder, "background:FOLDER,seed=3"),
    "correlated": _Kind(
        correlated,
        _read_pairs,
        "correlated:floor_hue,wall_hue,0.2;shape,scale,0.4,seed=3",
        ("seed", "length"),
    ),
    "held-out": _Kind(held_out, _read_combinations, "held-out:shape=2,scale=4+5", ()),
    "held-out-only": _Kind(_held_out_only, _read_combinations, "held-out-only:shape=2", ()),
    "subset": _Kind(subset, _read_count, "subset:1000,seed=3"),
    "hidden": _Kind(hidden, _read_names, "hidden:instance", ()),
}
