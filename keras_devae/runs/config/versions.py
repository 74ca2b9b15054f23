"""The forms that `config.json` has had."""

from __future__ import annotations

from typing import Any

from keras_devae.errors import FailureError
from keras_devae.runs.config.settings import grouped

#: Number of the form that is written. The first, of release 0.1.0, has no number in the file, its
#: settings stand side by side, and it does not say what kind of run it is.
VERSION = 2


def in_present_form(record: dict[str, Any], path: object) -> dict[str, Any]:
    """Returns the content of a `config.json` as the present version writes it.

    Args:
        record: The content.
        path: The file, for messages.

    Raises:
        FailureError: If a newer version wrote it.
        UsageError: If a setting is unknown.
    """
    version = record.get("version", 1)
    if version == VERSION:
        return record
    if version != 1:
        raise FailureError(
            f"{path} has the form {version}, and this version of keras-devae reads forms up to "
            f"{VERSION}: upgrade keras-devae."
        )
    settings = record["settings"]
    return {
        **record,
        "version": VERSION,
        "settings": {**grouped(settings), "kind": _kind_of(settings)},
    }


def _kind_of(settings: dict[str, Any]) -> str:
    """Derives the kind of a run: in an annealing test beta falls, and information is read."""
    options = settings.get("model_options")
    beta = options.get("beta") if isinstance(options, dict) else None
    falls = isinstance(beta, dict) and beta.get("class_name") == "GeometricSchedule"
    reads = "sampled-information" in (settings.get("track") or ())
    return "annealing test" if falls and reads else "training"
