"""The forms that `config.json` has had."""

from __future__ import annotations

from typing import Any

from keras_devae.errors import FailureError
from keras_devae.runs.config.settings import grouped

#: Number of the form that is written. The first form, of release 0.1.0, has no number; its settings
#: stand side by side, and it does not state the kind of the run.
VERSION = 2


def in_present_form(record: dict[str, Any], path: object) -> dict[str, Any]:
    """Returns the content of a `config.json` as this version writes it, with every group there.

    It raises a `FailureError` if a newer version wrote it, a `UsageError` for an unknown setting.
    """
    version, settings = record.get("version", 1), record["settings"]
    if version not in (1, VERSION):
        raise FailureError(
            f"{path} has the form {version}, and this version of keras-devae reads forms up to "
            f"{VERSION}: upgrade keras-devae."
        )
    if version == 1:
        settings = {**grouped(settings), "kind": _kind_of(settings)}
    return {**record, "version": VERSION, "settings": {**grouped({}), **settings}}


def _kind_of(settings: dict[str, Any]) -> str:
    """Derives the kind of a run: in an annealing test, beta falls and information is read."""
    options, track = settings.get("model_options"), settings.get("track")
    beta = options.get("beta") if isinstance(options, dict) else None
    falls = isinstance(beta, dict) and beta.get("class_name") == "GeometricSchedule"
    reads = isinstance(track, list) and "sampled-information" in track
    return "annealing test" if falls and reads else "training"
