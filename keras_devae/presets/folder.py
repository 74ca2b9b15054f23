"""The folder of a preset: the names of its files, what they say, and whether they are intact."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import importlib.metadata
import re
from pathlib import Path
from typing import Any

from keras_devae.errors import FailureError
from keras_devae.files import file_hash, is_there, read_json, write_json
from keras_devae.files.reading import reason_of
from keras_devae.version import __version__

#: Files that every preset has, under Keras's names for them.
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
#: Files of a preset made from a run: its settings, scores and history, some codes, and the card.
RUN, SCORES, HISTORY = "run.json", "scores.json", "history.csv"
CODES, CARD = "codes.json", "README.md"
#: Files that `metadata.json` vouches for. People add to the card and its pictures.
_CHECKED = (CONFIG, WEIGHTS, RUN, SCORES, HISTORY, CODES)
#: The lines with which the card tells a model hub about itself.
_FRONT_MATTER = re.compile(r"\A---\n.*?^---\n\s*", re.DOTALL | re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class PresetFolder:
    """The folder of a preset, read on first use.

    Args:
        path: The folder.

    Example:
        >>> model = kd.VAE.for_images((16, 16, 1), network="mlp", network_units=(8,))
        >>> model.save_to_preset("mine")
        >>> kd.presets.PresetFolder(Path("mine")).metadata["class_name"]
        'VAE'
    """

    path: Path

    @staticmethod
    def is_at(path: Path) -> bool:
        """Tells whether there is a preset: a model of Keras in a folder, not in an archive."""
        return all(is_there(path / name) for name in (CONFIG, METADATA, WEIGHTS))

    @functools.cached_property
    def metadata(self) -> dict[str, Any]:
        """What `metadata.json` says; Keras writes one, too, with less.

        Raises:
            FailureError: If it cannot be read.
        """
        content = read_json(self.path / METADATA)
        hashes = content.get("sha256", {}) if isinstance(content, dict) else None
        if not isinstance(hashes, dict):
            raise self._damaged(METADATA, "it does not describe a preset")
        return content

    @property
    def name(self) -> str:
        """The name of the preset: the one it was made under, else the folder's."""
        name = self.metadata.get("name")
        is_one = isinstance(name, str) and name.isprintable()
        return str(name) if is_one else self.path.resolve().name

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The scores of each latent layer by flat name; empty without scores.

        Raises:
            FailureError: If they cannot be read.
        """
        if not is_there(self.path / SCORES):
            return []
        content = read_json(self.path / SCORES)
        return content.get("layers", []) if isinstance(content, dict) else []

    def check_intact(self) -> None:
        """Raises a `FailureError` if a file is missing or is not what it was when it was made."""
        for name, expected in self.metadata.get("sha256", {}).items():
            try:
                found = file_hash(self.path / Path(name).name)
            except OSError as error:
                raise self._damaged(name, reason_of(error)) from None
            if found != expected:
                raise self._damaged(
                    name, f"its SHA-256 begins with {found[:12]}, not with {str(expected)[:12]}"
                )

    def _damaged(self, name: str, reason: str) -> FailureError:
        return FailureError(
            f"The preset {self.path} is damaged, {name}: {reason}. Install it again."
        )

    def card(self) -> str:
        """Returns the text of the card, without the lines that are for a model hub.

        Control characters, which could move the cursor of a terminal, are left out.

        Raises:
            FailureError: If it cannot be read.
        """
        try:
            text = (self.path / CARD).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise FailureError(f"{self.path / CARD} cannot be read: {reason_of(error)}.") from None
        text = "".join(letter for letter in text if letter.isprintable() or letter == "\n")
        return _FRONT_MATTER.sub("", text)

    def size(self) -> int:
        """Returns the bytes of all its files."""
        return sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())

    def summary(self) -> dict[str, Any]:
        """Returns what lists show: `metadata` without hashes, scores of all layers, bytes, path."""
        told = {name: value for name, value in self.metadata.items() if name != "sha256"}
        size, path = self.size(), str(self.path)
        return {**told, "scores": self.scores, "bytes": size, "path": path}


def write_metadata(folder: Path, **facts: Any) -> None:
    """Writes `metadata.json` after all other files: `facts`, versions, the time, and hashes."""
    hashes = {name: file_hash(folder / name) for name in _CHECKED if is_there(folder / name)}
    written = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    versions = {
        "keras_version": importlib.metadata.version("keras"),
        "keras_devae_version": __version__,
    }
    content = {**facts, **versions, "date_saved": written, "sha256": hashes}
    write_json(folder / METADATA, content)
