"""The settings by name and by group, and the form in which `config.json` holds them."""

import dataclasses
import functools
import typing
from typing import Any

from keras_devae.checks import one_of, shown
from keras_devae.errors import FailureError, UsageError
from keras_devae.runs.config.declaring import Setting
from keras_devae.runs.config.settings import GROUPS

#: Number of the form that is written. The first form, of release 0.1.0, has no number; its settings
#: stand side by side, and it does not state the kind of the run.
VERSION = 2


@functools.cache
def declarations() -> dict[str, Setting]:
    """Returns every setting by the name that users give it, the model first."""
    found = {}
    for group, cls in GROUPS.items():
        hints = typing.get_type_hints(cls, include_extras=True)
        for field in dataclasses.fields(cls):
            declared: Setting = field.metadata["setting"]
            where = {"group": group, "attribute": field.name, "type": hints[field.name]}
            name = declared.name or field.name
            found[name] = dataclasses.replace(declared, name=name, **where)
    return {"model": found["model"], "model_options": found["model_options"], **found}


def grouped(settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Turns values by the users' names into the values of each group, by attribute."""
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for name, value in settings.items():
        declared = declarations()[one_of("setting", name, declarations())]
        groups[declared.group][declared.attribute] = value
    return groups


def ungrouped(groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Converts the groups' values into settings by name: the inverse of `grouped`."""
    names = {(d.group, d.attribute): name for name, d in declarations().items()}
    settings = {}
    for group, values in groups.items():
        one_of("group of settings", group, GROUPS)
        if not isinstance(values, dict):
            raise UsageError(f"`{group}` must be a table. Received: {shown(values)}.")
        for attribute, value in values.items():
            one_of(f"{group} setting", attribute, [a for g, a in names if g == group])
            settings[names[group, attribute]] = value
    return {name: settings[name] for name in declarations() if name in settings}


def in_present_form(record: dict[str, Any], path: object) -> dict[str, Any]:
    """Converts the content of a `config.json` to this version's format, with every group.

    It raises a `FailureError` if a newer version wrote it, a `UsageError` for an unknown setting.
    """
    version, settings = record.get("version", 1), record["settings"]
    if version not in (1, VERSION):
        raise FailureError(
            f"{path} has the form {version}, and this version of keras-devae reads forms up to "
            f"{VERSION}: upgrade keras-devae."
        )
    if version == 1:
        # The first version read grey pictures in colour, too.
        is_folder = str(settings.get("dataset", "")).startswith("folder:")
        channels = {"channels": 3} if is_folder else {}
        settings = {**grouped({**channels, **settings}), "kind": _kind_of(settings)}
    return {**record, "version": VERSION, "settings": {**grouped({}), **settings}}


def _kind_of(settings: dict[str, Any]) -> str:
    """Derives the kind of a run: in an annealing test, beta falls and information is read."""
    options, track = settings.get("model_options"), settings.get("track")
    beta = options.get("beta") if isinstance(options, dict) else None
    falls = isinstance(beta, dict) and beta.get("class_name") == "GeometricSchedule"
    reads = isinstance(track, list) and "sampled-information" in track
    return "annealing test" if falls and reads else "training"
