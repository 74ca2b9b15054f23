"""Finds a preset by its name, its folder, or its address on the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TypeAlias, TypeGuard

from keras_devae.checks import expanded_path, require_extra, shown
from keras_devae.errors import FailureError, UsageError, unknown_name
from keras_devae.files import is_there
from keras_devae.files.reading import reason_of
from keras_devae.presets.builtin import builtin_presets
from keras_devae.presets.folder import CONFIG, METADATA, WEIGHTS, PresetFolder

#: How addresses on the Hugging Face Hub begin, as in Keras.
HUB = "hf://"
_ADDRESS = re.compile(r"hf://[\w.-]+/[\w.-]+")
#: What is fetched: the files of presets, whatever else a repository holds.
_FETCHED = ["*.json", WEIGHTS, "*.md", "*.csv"]
_LONGEST = 200
#: The folder of the runs, where the command line puts them unless told otherwise.
_RUNS = "runs"
_Source: TypeAlias = str | os.PathLike[str]


def find_preset(source: _Source) -> PresetFolder:
    """Finds a preset and checks that its files are intact.

    Args:
        source: The folder of a preset; the name of one that comes with the package; or
            `"hf://owner/name"`, a repository of the Hugging Face Hub. A folder that exists wins
            over a name.

    Returns:
        The `PresetFolder`.

    Raises:
        UsageError: If there is no such preset, or `huggingface_hub` is not installed.
        FailureError: If a file is damaged, or the repository cannot be fetched.
    """
    if is_address(source):
        preset = PresetFolder(_fetched(str(source)))
    elif is_builtin(source):
        preset = builtin_presets()[str(source)]
    else:
        preset = PresetFolder(expanded_path("A preset", source))
    if not PresetFolder.is_at(preset.path):
        raise _no_preset(source, preset.path)
    preset.check_intact()
    return preset


def is_address(source: object) -> TypeGuard[str]:
    """Tells whether a text is meant as an address on the Hugging Face Hub."""
    return isinstance(source, str) and source.startswith(HUB)


def is_builtin(source: object) -> bool:
    """Tells whether a text names a preset of the package, and no folder by that name exists."""
    return isinstance(source, str) and source in builtin_presets() and not is_there(source)


def in_place_of_run(source: _Source) -> _Source:
    """Returns what stands for a run: a folder, if it has the name of a preset, else the source.

    The folder of runs, `runs`, is looked at after the current one.
    """
    if not (isinstance(source, str) and source in builtin_presets()):
        return source
    return next((place for place in (source, f"{_RUNS}/{source}") if is_there(place)), source)


def refuse_preset(source: _Source) -> None:
    """Raises a `UsageError` if a run is asked for that can be trained, and there is a preset."""
    if is_builtin(source) or PresetFolder.is_at(Path(source)):
        raise UsageError(
            f"{source} is a preset, not a run: it is trained, and stays as it is. Begin a run with "
            f"its weights: keras-devae train --init-from {source}"
        )


def _no_preset(source, path):
    names = builtin_presets()
    if path.is_dir():
        return UsageError(
            f"There is no preset in {path}: it lacks {CONFIG}, {METADATA} or {WEIGHTS}. Name the "
            "folder of a preset, not of a run."
        )
    rest = "A preset is named so, by its folder, or as hf://owner/name."
    if not names:
        return UsageError(f"There is no preset {shown(str(source))}. {rest}")
    return UsageError(f"{unknown_name('preset', source, names)} {rest}")


def _fetched(address: str) -> Path:
    """Downloads a repository, or what has changed of it, and returns its folder on this machine."""
    check_address(address)
    import huggingface_hub

    try:
        folder = huggingface_hub.snapshot_download(
            address.removeprefix(HUB), allow_patterns=_FETCHED
        )
    except Exception as error:  # Of the network, of the hub, of the disk.
        raise hub_failure(f"{address} cannot be fetched", error) from error
    return Path(folder)


def check_address(address: str) -> None:
    """Raises a `UsageError` unless an address has its form, and `huggingface_hub` is installed."""
    if not _ADDRESS.fullmatch(address):
        raise UsageError(
            f"An address on the Hugging Face Hub is hf://owner/name. Received: {shown(address)}."
        )
    require_extra(f"The address {address}", "huggingface_hub", "hub")


def hub_failure(beginning: str, error: BaseException) -> FailureError:
    """Makes the error for what the hub or the way to it refused, in one sentence."""
    reason = reason_of(error)
    reason = reason if len(reason) <= _LONGEST else f"{reason[: _LONGEST - 3]}..."
    return FailureError(
        f"{beginning}: {type(error).__name__}: {reason.rstrip('.')}. Check the address, the "
        "network and, for what is private, `hf auth login`."
    )
