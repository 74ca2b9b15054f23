"""Types of the JSON files in the folder of a run or study, checked when they are read."""

import datetime
import json
import os
from pathlib import Path
from typing import Any, NotRequired

from typing_extensions import TypedDict

from keras_devae import checks
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import read_json
from keras_devae.runs.config.validation import validated


class Provenance(TypedDict, total=False):
    """Where images come from; each data set adds its own entries."""

    source: str


class Environment(TypedDict, total=False):
    """The software and machine of a run; older versions recorded less."""

    keras_devae: str | None
    python: str | None
    platform: str | None
    backend: str | None
    device: str | None
    processor: str | None
    instruction_sets: list[str] | None
    onednn: bool | None
    onednn_limit: str | None
    threads: int | None
    allocator: str | None
    accelerator: str | None
    packages: dict[str, str | None]


class RunRecord(TypedDict):
    """`config.json`; the settings are checked by `RunConfig`."""

    version: NotRequired[int]
    settings: dict[str, Any]
    data: Provenance
    validation_data: NotRequired[Provenance]
    environment: NotRequired[Environment]
    times: NotRequired[dict[str, str]]
    backends: NotRequired[list[str | None]]
    init_from: NotRequired[dict[str, str]]
    ended: NotRequired[dict[str, Any]]
    continued_from: NotRequired[int]


class ScoreSettings(TypedDict, total=False):
    """The settings of the scores that are read back."""

    model_sha256: str | None
    images: int | None


class ScoreDetails(TypedDict, total=False):
    """What of the details of a metric is read back."""

    per_factor: dict[str, float | None]


class Scores(TypedDict):
    """`metrics.json`: the scores of each latent layer."""

    layers: list[dict[str, float | None]]
    details: NotRequired[list[dict[str, ScoreDetails]]]
    settings: NotRequired[ScoreSettings]


class StudyList(TypedDict):
    """`study.json`."""

    runs: list[str]


class RunNote(TypedDict):
    """`settings.json`, what a study records about a run."""

    key: str
    settings: dict[str, Any]


class Failure(TypedDict):
    """`failure.json`, why a run failed."""

    reason: str


class Attempt(TypedDict, total=False):
    """A line of `attempts.jsonl`."""

    event: str
    seconds: float


class Trial(TypedDict):
    """The file of one trial of a discriminator."""

    settings: dict[str, Any]
    estimate: float
    seconds: float
    environment: Environment
    day: NotRequired[str]


def read_record(path: Path, kind: Any, remedy: str) -> Any:
    """Reads a JSON file of one of the types above.

    Raises:
        FailureError: If it cannot be read, or holds something else; the message ends with `remedy`,
            a sentence that says what to do.
    """
    try:
        content = read_json(path)
    except FailureError as error:
        raise FailureError(f"{error} {remedy}") from None
    try:
        validated(kind, content)
        _CHECKS.get(kind, lambda content: None)(content)
    except UsageError as error:
        raise FailureError(f"{path} is damaged: {error} {remedy}") from None
    return content


def check_same_images(run: Path, which: str, recorded: Any, found: Any) -> None:
    """Raises a `FailureError` if the provenance of a run's images differs from the recorded one."""
    found = json.loads(json.dumps(found))
    if found != recorded:
        raise FailureError(
            f"The run {run} was made with other {which}. Recorded: {recorded}. Found: {found}."
        )


def _check_times(record):
    for what, moment in record.get("times", {}).items():
        try:
            has_zone = datetime.datetime.fromisoformat(moment).tzinfo is not None
        except ValueError:
            has_zone = False
        if not has_zone:
            raise UsageError(
                f"`times.{what}` must be a time in UTC by ISO 8601. Received: {moment[:50]!r}."
            )


def _check_layers(scores):
    numbers = [layer.get("layer") for layer in scores["layers"]]
    if not numbers or not all(isinstance(n, int) and n >= 0 for n in numbers):
        raise UsageError(
            "`layers` must hold the scores of latent layers, each with the number `layer`."
        )
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"`layers` holds a layer twice. Received: {numbers}.")


_CHECKS = {RunRecord: _check_times, Scores: _check_layers}


def run_names(folder: str | os.PathLike[str]) -> list[str]:
    """Returns the names of the runs that `study.json` lists in the folder of a study.

    Raises:
        FailureError: If the list cannot be read, or a name cannot be a run's.
    """
    file = Path(folder) / "study.json"
    names = read_record(file, StudyList, "Run the study's file again.")["runs"]
    for name in names:
        try:
            checks.run_name("The name of a run", name)
        except UsageError as error:
            raise FailureError(f"{file} is damaged: {error} Run the study's file again.") from None
    return list(dict.fromkeys(names))
