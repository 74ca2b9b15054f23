"""Reads the file that describes a study."""

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from keras_devae.checks import run_name, shown, usable_path
from keras_devae.errors import UsageError, unknown_name
from keras_devae.files import is_there
from keras_devae.files.reading import check_size, read_text, reason_of
from keras_devae.studies.sweep import Settings, expand

_TABLES = ("name", "settings", "sweep")
#: Limits of a study file: its size, its depth, and the number of entries on one level.
_MOST_BYTES, _MOST_LEVELS, _MOST_ENTRIES = 2**22, 32, 100_000
_TOO_DEEP = f"it is nested deeper than {_MOST_LEVELS} levels"


def read_study_file(path: str | Path) -> tuple[str, list[Settings]]:
    """Reads the name of a study, and the flat settings of each run in the file's order.

    The file ends in `.toml`, `.yaml` or `.yml` and has three parts: `name`, by default the file's
    name; `settings`, which every run has; and `sweep`, see `keras_devae.studies.sweep.expand`,
    whose settings take precedence. Any other file raises `UsageError`.
    """
    file = usable_path("The study file", path)
    content = _parse(file)
    if not content:
        raise UsageError(f"{file} is empty: it must hold the tables `settings` and `sweep`.")
    if not isinstance(content, dict):
        raise UsageError(f"{file} must hold the tables `settings` and `sweep`.")
    for name in content:
        if name not in _TABLES:
            raise unknown_name("part of a study file", name, _TABLES)
    settings = content.get("settings", {})
    if not isinstance(settings, dict):
        raise UsageError(f"`settings` must be a table of settings. Received: {shown(settings)}.")
    runs = [{**settings, **run} for run in expand(content.get("sweep", {}))]
    return run_name("`name` of a study", content.get("name", file.stem)), runs


def _parse(path: Path) -> Any:
    if path.suffix not in _READERS:
        raise UsageError(f"A study file ends in .toml, .yaml or .yml. Received: {path}.")
    if not is_there(path):
        raise UsageError(f"There is no study file {path}.")
    try:
        content = _READERS[path.suffix](read_text(path, _MOST_BYTES))
        check_size(content, _MOST_LEVELS, _MOST_ENTRIES)
        return content
    except RecursionError:
        raise UsageError(f"{path} cannot be read: {_TOO_DEEP}.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}.") from None


def _yaml(text: str) -> Any:
    # YAML 1.2, in which 1e-4 is a number and `off` a text, unlike in YAML 1.1.
    from ruamel.yaml import YAML, YAMLError

    try:
        _check_events(YAML(typ="safe", pure=True).parse(text))
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where else ""
        raise ValueError(f"{getattr(error, 'problem', error)}{line}") from None
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        # Raised by the constructors of values if an explicit tag does not fit.
        raise ValueError(f"a value does not fit its tag ({error})") from None


_READERS: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".yaml": _yaml, ".yml": _yaml}


def _check_events(events: Iterable[Any]) -> None:
    """Raises a `ValueError` for YAML that would take long to read, as early as possible."""
    from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for number, event in enumerate(events):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MOST_LEVELS:
            raise ValueError(_TOO_DEEP)
        if number > _MOST_ENTRIES:
            raise ValueError(f"it has more than {_MOST_ENTRIES:,} entries")
