"""How a setting of a run is declared."""

from __future__ import annotations

import dataclasses
import pkgutil
import types
import typing
from typing import TYPE_CHECKING, Annotated, Any

from keras_devae.checks import one_of

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class Check:
    """A check of a value beyond its type and range, which pydantic makes.

    `function` is `"module:function"`, imported when the first value is checked; it takes the value
    and `arguments`, and raises a `UsageError`.
    """

    def __init__(self, function: str, **arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __call__(self, value: Any) -> Any:
        """Returns the value if it passes."""
        pkgutil.resolve_name(self.function)(value, **self.arguments)
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self, handler(source))


class Convert(Check):
    """A check whose function takes any value and returns it in its one form, of the type."""

    def __call__(self, value: Any) -> Any:
        """Returns the value in the form that settings have."""
        return pkgutil.resolve_name(self.function)(value, **self.arguments)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self)


class OneOf(Check):
    """A check of a name; `kind` is what it stands for, and `names` `"module:NAMES"`."""

    def __init__(self, kind: str, names: str) -> None:
        super().__init__(names)
        self.kind = kind

    def __call__(self, value: Any) -> Any:
        """Returns the value if it is one of the names."""
        return one_of(self.kind, value, pkgutil.resolve_name(self.function))


@dataclasses.dataclass(frozen=True)
class Setting:
    """Everything known about a setting; group, attribute and type follow from its declaration.

    Attributes:
        default_help: The default in words, where the value does not say it.
        metavar: What stands for the value in `--help`, or `None`: the name of its type.
        name: What users call it, where the attribute has another name.
        option: The command-line option, where the name does not say it; empty: there is none.
        repeatable: Whether the option is given once for each entry of a list.
        changes_result: Whether model or scores depend on it.
        needs_training: Whether it means nothing to a model that is fitted in one go.
        type: Its type, with ranges and checks.
    """

    default: Any
    help: str
    default_help: str = ""
    metavar: str | None = None
    name: str = ""
    option: str | None = None
    repeatable: bool = False
    changes_result: bool = True
    needs_training: bool = False
    group: str = ""
    attribute: str = ""
    type: Any = None

    @property
    def value_type(self) -> Any:
        """The type of a value that is given, without `None`, ranges and checks."""
        return _plain(self.type)

    @property
    def default_text(self) -> str:
        """The default in words, empty where there is nothing to say."""
        if self.default_help or self.default in (None, (), {}) or self.default is False:
            return self.default_help
        return f"{self.default:g}" if isinstance(self.default, float) else str(self.default)


def _plain(kind):
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        parts = [part for part in typing.get_args(kind) if part is not types.NoneType]
        # Several types in one, such as the size of an image, stay together.
        if len(parts) > 1:
            return kind
        (kind,) = parts
    if typing.get_origin(kind) is Annotated:
        return _plain(kind.__origin__)
    return tuple[_plain(kind.__args__[0]), ...] if typing.get_origin(kind) is tuple else kind


def setting(default: Any, *args: Any, **facts: Any) -> Any:
    """Declares a field of a group of settings; the arguments are as for `Setting`."""
    metadata = {"setting": Setting(default, *args, **facts)}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
