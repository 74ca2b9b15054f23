"""The file that describes a study."""

import tomllib

from keras_devae.checks import run_name, shown, usable_path
from keras_devae.errors import UsageError, unknown_name
from keras_devae.files import is_there
from keras_devae.files.reading import check_size, read_text, reason_of
from keras_devae.studies.sweep import expand

_TABLES = ("name", "settings", "sweep")
#: How large a study file may be, how deep, and how many entries it may have on one level.
_MOST_BYTES, _MOST_LEVELS, _MOST_ENTRIES = 2**22, 32, 100_000
_TOO_DEEP = f"it is nested deeper than {_MOST_LEVELS} levels"


def read_study_file(path):
    """Reads a study file.

    Args:
        path: A file ending in `.toml`, `.yaml` or `.yml`, of three parts: `name`, default the
            file's name; `settings`, those of every run; and `sweep`, see
            `keras_devae.studies.sweep.expand`, whose settings win.

    Returns:
        The pair of the name and the list of the flat settings of each run, in the file's order.

    Raises:
        UsageError: If there is no such file, or it cannot be read, or it has another form.
    """
    path = usable_path("The study file", path)
    content = _parsed(path)
    if not content:
        raise UsageError(f"{path} is empty: it must hold the tables `settings` and `sweep`.")
    if not isinstance(content, dict):
        raise UsageError(f"{path} must hold the tables `settings` and `sweep`.")
    for name in content:
        if name not in _TABLES:
            raise unknown_name("part of a study file", name, _TABLES)
    settings = content.get("settings", {})
    if not isinstance(settings, dict):
        raise UsageError(f"`settings` must be a table of settings. Received: {shown(settings)}.")
    runs = [{**settings, **run} for run in expand(content.get("sweep", {}))]
    return run_name("`name` of a study", content.get("name", path.stem)), runs


def _parsed(path):
    readers = {".toml": tomllib.loads, ".yaml": _yaml, ".yml": _yaml}
    if path.suffix not in readers:
        raise UsageError(f"A study file ends in .toml, .yaml or .yml. Received: {path}.")
    if not is_there(path):
        raise UsageError(f"There is no study file {path}.")
    try:
        content = readers[path.suffix](read_text(path, _MOST_BYTES))
        check_size(content, _MOST_LEVELS, _MOST_ENTRIES)
        return content
    except RecursionError:
        raise UsageError(f"{path} cannot be read: {_TOO_DEEP}.") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}.") from None


def _yaml(text):
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
        # What its readers of values raise for an explicit tag that does not fit.
        raise ValueError(f"a value does not fit its tag ({error})") from None


def _check_events(events):
    """Raises a `ValueError` for YAML that takes long to read, after as little of it as can be."""
    from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

    depth = 0
    for number, event in enumerate(events):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _MOST_LEVELS:
            raise ValueError(_TOO_DEEP)
        if number > _MOST_ENTRIES:
            raise ValueError(f"it has more than {_MOST_ENTRIES:,} entries")
