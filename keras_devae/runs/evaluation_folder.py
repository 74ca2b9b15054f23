"""The folder with the scores of an encoder that belongs to no run, and with the page about them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, cast

import numpy as np
from typing_extensions import TypedDict

from keras_devae.checks import usable_path
from keras_devae.errors import FailureError, UsageError
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.files import check_folder, is_there, leftovers, write_json
from keras_devae.files.reading import reason_of
from keras_devae.runs.layout import FIGURES, ROWS
from keras_devae.runs.records import ScoreDetails, read_record

#: Files that the folder may hold, all of which are written again.
_OWN_FILES = re.compile(r"scores\.json|report\.html|figures")
_REMEDY = "Evaluate the encoder again."


class LatentNumbers(TypedDict):
    """The numbers of a `Latents`, as lists; `kl` and `signal` are `None` without a posterior."""

    layer: int
    kl: list[float] | None
    signal: list[float] | None
    varies: list[bool]
    low: list[float]
    high: list[float]
    information: list[list[float]]
    chance: list[list[float]]
    entropies: list[float]
    factor_names: list[str]
    category_shares: list[float] | None
    representation: str


class FigureWords(TypedDict):
    """The name of a figure's PNG file without the suffix, and the words around it."""

    name: str
    title: str
    caption: str
    alt: str


class Facts(TypedDict):
    """What a page says of an encoder and its images, besides the scores."""

    dataset: str
    image_shape: list[int]
    description: str
    latents: list[LatentNumbers]
    figures: list[FigureWords]


class Evaluation(TypedDict):
    """`scores.json`: what `keras_devae.evaluation.evaluate` returned, and facts for the page."""

    layers: list[dict[str, float | None]]
    details: NotRequired[list[dict[str, ScoreDetails]]]
    settings: dict[str, Any]
    facts: Facts


class EvaluationFolder:
    """A folder with `scores.json`, `report.html` and `figures/`.

    Args:
        path: The folder.
    """

    #: As of a run's folder: a page may be written into it.
    is_preset = False

    def __init__(self, path: str | os.PathLike[str]):
        self.path: Path = usable_path("The folder of an evaluation", path)
        self.scores_file = self.path / "scores.json"
        self.report_file = self.path / "report.html"
        self.figures = self.path / "figures"

    @property
    def name(self) -> str:
        """Name of the folder, even if the path is `.`."""
        return self.path.resolve().name

    def is_there(self) -> bool:
        """Tells whether the folder holds an evaluation."""
        return is_there(self.scores_file)

    def check_free(self) -> None:
        """Raises a `UsageError` unless it is missing, empty, or holds an evaluation alone."""
        check_folder(self.path)
        if not self.path.exists():
            return
        known = {file.name for file in leftovers(self.path)}
        others = [n for n in _names_in(self.path) if n not in known and not _OWN_FILES.fullmatch(n)]
        figures = {f"{name}{rows}.png" for name in FIGURES for rows in ("", ROWS)}
        if self.figures.is_dir():
            others += [f"figures/{n}" for n in _names_in(self.figures) if n not in figures]
        if others or (_names_in(self.path) and not self.is_there()):
            raise UsageError(
                f"{self.path} exists and holds other files. Choose a new folder, or one with an "
                "earlier evaluation, which is replaced."
            )

    def write(
        self, scores: Mapping[str, Any], latents: Iterable[Latents], facts: Mapping[str, Any]
    ) -> None:
        """Writes `scores.json`; `facts` are the `Facts` without `latents`."""
        measured = [_numbers_of(one) for one in latents]
        write_json(self.scores_file, {**scores, "facts": {**facts, "latents": measured}})

    def read(self) -> Evaluation:
        """Returns the content of `scores.json`.

        Raises:
            UsageError: If there is none.
            FailureError: If it is damaged.
        """
        if not self.is_there():
            raise UsageError(f"There is no evaluation in {self.path}: it has no scores.json.")
        return cast(Evaluation, read_record(self.scores_file, Evaluation, _REMEDY))

    def settings(self, content: Evaluation) -> dict[str, Any]:
        """Returns what corresponds to settings of a run, by the same names."""
        height, width = content["facts"]["image_shape"][:2]
        encoder = content["settings"]["encoder"]
        return {
            "model": encoder["name"],
            **({"file": encoder["file"]} if "file" in encoder else {}),
            "dataset": content["facts"]["dataset"],
            "image_size": height if height == width else (height, width),
            "seed": content["settings"]["seed"],
        }

    def latents(self, facts: Facts) -> list[Latents]:
        """Returns the latents of each layer; raises a `FailureError` if they are damaged."""
        try:
            return [_latents_of(numbers) for numbers in facts["latents"]]
        except ValueError as error:
            raise FailureError(
                f"{self.scores_file} is damaged: {reason_of(error)}. {_REMEDY}"
            ) from None


def find_evaluations(folder: str | os.PathLike[str]) -> list[EvaluationFolder]:
    """Returns the evaluations in a folder, sorted by name; an empty list if it cannot be read."""
    try:
        entries = sorted(Path(folder).iterdir())
    except OSError:
        return []
    return [EvaluationFolder(e) for e in entries if is_there(e / "scores.json")]


def _names_in(folder: Path) -> Sequence[str]:
    return [entry.name for entry in folder.iterdir()]


def _numbers_of(latents: Latents) -> LatentNumbers:
    shares = latents.category_shares
    return {
        "layer": latents.layer,
        "kl": latents.kl.tolist() if latents.has_posterior else None,
        "signal": latents.signal.tolist() if latents.has_posterior else None,
        "varies": latents.is_active.tolist(),
        "low": latents.low.tolist(),
        "high": latents.high.tolist(),
        "information": latents.information.tolist(),
        "chance": latents.chance.tolist(),
        "entropies": latents.entropies.tolist(),
        "factor_names": list(latents.factor_names),
        "category_shares": None if shares is None else shares.tolist(),
        "representation": latents.representation,
    }


def _latents_of(numbers: LatentNumbers) -> Latents:
    """Returns the latents; raises a `ValueError` if lengths differ."""
    names, shares = numbers["factor_names"], numbers["category_shares"]
    shape = (len(numbers["varies"]), len(names))
    kl, signal = numbers["kl"], numbers["signal"]
    return Latents(
        layer=numbers["layer"],
        kl=np.full(shape[0], np.nan) if kl is None else np.reshape(kl, shape[0]),
        signal=np.where(numbers["varies"], np.inf, 0.0)
        if signal is None
        else np.reshape(signal, shape[0]),
        low=np.reshape(numbers["low"], shape[0]),
        high=np.reshape(numbers["high"], shape[0]),
        information=np.reshape(numbers["information"], shape),
        chance=np.reshape(numbers["chance"], shape),
        entropies=np.reshape(numbers["entropies"], shape[1]),
        factor_names=tuple(names),
        category_shares=None if shares is None else np.reshape(shares, shape[1]),
        representation=numbers["representation"],
    )
