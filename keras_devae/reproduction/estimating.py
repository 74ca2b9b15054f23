"""Executes the experiments on total correlation, which train discriminators and no image models."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from keras_devae.checks import AnyPath
from keras_devae.errors import FailureError
from keras_devae.reproduction import outcomes
from keras_devae.reproduction.base import Progress, Provenance, Reproduction
from keras_devae.reproduction.discriminator_estimates import (
    BATCH_SIZE,
    LEARNING_RATE,
    STEPS,
    UNITS,
    environments_and_days_of,
    estimate_table,
)
from keras_devae.reproduction.results import days_text
from keras_devae.reproduction.scales import Scale
from keras_devae.reproduction.tables import Outcome

#: Scale -> arguments of `estimate_table`.
_ESTIMATES: dict[str, dict[str, Any]] = {
    "paper": {"trials": 10},
    "small": {"dimensions": (10, 100), "trials": 2},
    "smoke": {
        "dimensions": (4,),
        "correlations": (0.6, 0.9),
        "trials": 2,
        "steps": 20,
        "units": (16, 16),
    },
}
#: Scale -> batch sizes, learning rates, and arguments of `estimate_table`: what the paper is silent
#: about, on the rows in which its estimates and ours differ most.
_GRIDS: dict[str, tuple[Sequence[int], Sequence[float], dict[str, Any]]] = {
    "paper": ((64, 256, 1024), (1e-4, 3e-4, 1e-3), {"correlations": (0.9,), "trials": 3}),
    "small": (
        (64, 256),
        (1e-4, 3e-4, 1e-3),
        {"dimensions": (10, 100), "correlations": (0.9,), "trials": 1},
    ),
    "smoke": (
        (4, 8),
        (1e-3,),
        {**_ESTIMATES["smoke"], "dimensions": (10,), "correlations": (0.9,)},
    ),
}


class EstimatesReproduction(Reproduction):
    """Trains discriminators, with trials in `RUNS-DIR/reproduce/SCALE-NAME/`."""

    def __init__(
        self, name: str, scale: Scale, runs_dir: AnyPath = "runs", trials: int | None = None
    ) -> None:
        super().__init__(name, scale, runs_dir, f"{scale.name}-{name}")
        self._options = _ESTIMATES[scale.name] | ({"trials": trials} if trials else {})

    @property
    def setting(self) -> str:
        """The trials, and the discriminators that they train."""
        return _setting(self.scale, self._options, str(BATCH_SIZE), f"{LEARNING_RATE:g}")

    def outcome(
        self, progress: Progress | None = None, only_done: bool = False
    ) -> tuple[Outcome, Provenance]:
        """Does the trials that are not done, and makes the table and the figure."""
        rows = estimate_table(self.folder, progress=progress, only_done=only_done, **self._options)
        if not rows:
            raise FailureError(f"No trial of {self.name} is done in {self.folder}.")
        provenance = _provenance(rows, *environments_and_days_of(self.folder))
        return outcomes.estimate_outcome(rows), provenance


class SettingsReproduction(Reproduction):
    """Trains discriminators with every batch size and learning rate of a grid.

    The trials of each setting lie in `RUNS-DIR/reproduce/SCALE-NAME/SETTING/`.
    """

    def __init__(
        self, name: str, scale: Scale, runs_dir: AnyPath = "runs", trials: int | None = None
    ) -> None:
        super().__init__(name, scale, runs_dir, f"{scale.name}-{name}")
        self._batch_sizes, self._rates, options = _GRIDS[scale.name]
        self._options = options | ({"trials": trials} if trials else {})

    @property
    def setting(self) -> str:
        """The trials, and the discriminators that they train."""
        sizes = ", ".join(f"{size:,}" for size in self._batch_sizes)
        rates = ", ".join(f"{rate:g}" for rate in self._rates)
        return _setting(self.scale, self._options, sizes, rates)

    def outcome(
        self, progress: Progress | None = None, only_done: bool = False
    ) -> tuple[Outcome, Provenance]:
        """Does the trials that are not done, setting by setting, and compares with the paper."""
        rows: list[dict[str, Any]] = []
        environments: list[str] = []
        days: list[str] = []
        settings = [*itertools.product(self._batch_sizes, self._rates)]
        for position, (batch_size, rate) in enumerate(settings):
            folder = self.folder / f"batch{batch_size}-rate{rate:g}"
            given: dict[str, Any] = {"batch_size": batch_size, "learning_rate": rate}
            of_all = _progress_of_part(progress, position, len(settings))
            done = estimate_table(
                folder, progress=of_all, only_done=only_done, **self._options, **given
            )
            rows += [{**given, **row} for row in done]
            of_folder = environments_and_days_of(folder)
            environments += of_folder[0]
            days += of_folder[1]
        if not rows:
            raise FailureError(f"No trial of {self.name} is done in {self.folder}.")
        return outcomes.setting_outcome(rows), _provenance(rows, environments, days)


def _setting(scale, options, batch_sizes, rates):
    units, steps = options.get("units", UNITS), options.get("steps", STEPS)
    return (
        f"Scale {scale.name}: {options['trials']} trials; discriminators of {len(units)} layers of "
        f"{units[0]} units, {steps:,} steps of {batch_sizes} samples, Adam {rates} (0.5, 0.9)."
    )


def _progress_of_part(progress, position, parts):
    """Returns a function that tells `progress` of one of equal parts as of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress(position * total + done, parts * total)


def _provenance(rows, environments, days):
    return Provenance(
        carried_out=f"{len(rows)} trials",
        seconds=sum(row["seconds"] for row in rows),
        sources=[],
        environments=[*dict.fromkeys(environments)],
        days=days_text(days),
    )
