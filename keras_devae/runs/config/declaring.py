"""How a setting of a run is declared: what its type is annotated with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from keras_devae.checks import one_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a declaration says besides type, range and default.

    Attributes:
        help: What it is, for `--help` and documentation.
        default_help: The default in words, where the value does not say it.
        metavar: What stands for the value in `--help`, or `None`: the name of its type.
        name: What users call it, where the attribute has another name.
        option: The command-line option, where the name does not say it; empty: there is none.
        repeatable: Whether the option is given once for each entry of a list.
        changes_result: Whether model or scores depend on it.
        needs_training: Whether it means nothing to a model that is fitted in one go.
    """

    help: str
    default_help: str = ""
    metavar: str | None = None
    name: str | None = None
    option: str | None = None
    repeatable: bool = False
    changes_result: bool = True
    needs_training: bool = False


@dataclasses.dataclass(frozen=True)
class Check:
    """A check of a value that is given, beyond its type.

    Attributes:
        function: Takes the setting's name and the value, and raises a `UsageError`. It imports
            what it needs when it is called, so that a declaration costs nothing.
    """

    function: Callable[[str, Any], object]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Has pydantic call the function once the type is right."""
        from pydantic_core import core_schema

        def check(value, info):
            if value is not None:
                self.function(info.field_name, value)
            return value

        return core_schema.with_info_after_validator_function(check, handler(source))


def one_of_names(kind: str, names: Callable[[], Collection[str]]) -> Check:
    """Returns the check of a name.

    Args:
        kind: What the name stands for, for the message.
        names: Returns the names that are known.
    """
    return Check(lambda _, value: one_of(kind, value, names()))
