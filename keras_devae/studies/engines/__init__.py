"""Engines, which execute the runs of a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras_devae.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from keras_devae.studies.engines.base import Engine

ENGINES = ("local", "inline", "ray")


def make_engine(
    name: str, workers: int | None = None, ray_options: Mapping[str, Any] | None = None
) -> Engine:
    """Builds the engine with a name in `ENGINES`, or raises an error that says why it cannot.

    `workers` is the number of runs at a time; `None` means 1, or as many as the Ray cluster has
    room for. `ray_options` are arguments of `RayEngine`, `None` if not given.
    """
    given = {name: value for name, value in (ray_options or {}).items() if value is not None}
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    if name == "ray":
        from keras_devae.studies.engines.ray_engine import RayEngine

        address = given.pop("ray_address", None)
        return RayEngine(address, workers=workers, **given)
    if given:
        options = ", ".join(f"--{option.replace('_', '-')}" for option in given)
        raise UsageError(f"{options} needs --engine ray. Received: --engine {name}.")
    if name == "inline":
        from keras_devae.studies.engines.inline_engine import InlineEngine

        if workers not in (None, 1):
            raise UsageError(f"--engine inline carries out one run at a time. Received: {workers}.")
        return InlineEngine()
    from keras_devae.studies.engines.processes import ProcessEngine

    return ProcessEngine(1 if workers is None else workers)
