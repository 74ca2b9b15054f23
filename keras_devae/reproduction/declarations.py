"""What an experiment is: its runs, its outcome, and what its paper found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_devae.reproduction.scales import Scale

#: The data sets of the DeVAE paper.
DATA_SETS = ("dsprites", "shapes3d")
#: Methods of the DeVAE paper's comparison, by their names in tables.
METHODS = {
    "beta-VAE": "beta_vae",
    "beta-TCVAE": "beta_tc_vae",
    "DynamicVAE": "dynamic_vae",
    "DeVAE": "devae",
}


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run of an experiment; the runs of a group, named in tables, differ in their seeds."""

    group: str
    settings: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A table or figure of the DeVAE paper, or a benchmark of another paper.

    Attributes:
        known: The paper's numbers or statement, or a note that they are not known.
        plans: Function that plans its runs; `None` for the experiment that trains no image models.
        outcome: Name in `reproducing.OUTCOMES` of the function that makes the table and the figure.
        seeds: Name of a scale -> number of seeds, where it differs from the scale's.
        paper: The authors and year of another paper than DeVAE's.
    """

    title: str
    known: str
    plans: Callable[[Scale, int], list[Plan]] | None
    outcome: str
    seeds: dict[str, int] = dataclasses.field(default_factory=dict)
    paper: str | None = None

    @property
    def finding(self) -> str:
        """What the paper found, with its name in front unless it is DeVAE's."""
        return f"{self.paper}: {self.known}" if self.paper else self.known
