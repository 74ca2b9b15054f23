"""The file that describes a study."""

import tomllib

from keras_devae.checks import run_name, usable_path
from keras_devae.errors import UsageError, unknown_name
from keras_devae.experiments.studies.sweep import expand

_TABLES = ("name", "settings", "sweep")


def read_study_file(path):
    """Reads a study file.

    Args:
        path: A file ending in `.toml`, `.yaml` or `.yml`, of three parts: `name`, default the
            file's name; `settings`, those of every run; and `sweep`, see
            `keras_devae.experiments.studies.sweep.expand`, whose settings win.

    Returns:
        The pair of the name and the list of the flat settings of each run, in the file's order.

    Raises:
        UsageError: If there is no such file, or it cannot be read, or it has another form.
    """
    path = usable_path("The study file", path)
    content = _parsed(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path} must hold the tables `settings` and `sweep`.")
    for name in content:
        if name not in _TABLES:
            raise unknown_name("part of a study file", name, _TABLES)
    settings = content.get("settings", {})
    if not isinstance(settings, dict):
        raise UsageError(f"`settings` must be a table of settings. Received: {settings!r}.")
    runs = [{**settings, **run} for run in expand(content.get("sweep", {}))]
    return run_name("`name` of a study", content.get("name", path.stem)), runs


def _parsed(path):
    readers = {".toml": tomllib.loads, ".yaml": _yaml, ".yml": _yaml}
    if path.suffix not in readers:
        raise UsageError(f"A study file ends in .toml, .yaml or .yml. Received: {path}.")
    if not path.is_file():
        raise UsageError(f"There is no study file {path}.")
    try:
        return readers[path.suffix](path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = " ".join(str(error).split())
        raise UsageError(f"{path} cannot be read: {message}.") from None


def _yaml(text):
    # YAML 1.2, in which 1e-4 is a number and `off` a text, unlike in YAML 1.1.
    from ruamel.yaml import YAML, YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" (line {where.line + 1})" if where else ""
        raise ValueError(f"{getattr(error, 'problem', error)}{line}") from None
