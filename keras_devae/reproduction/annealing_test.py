"""The annealing test: finds the pressures at which factors are learned, and betas from them.

It follows the test of DEFT (Wu et al. 2022), by which the DeVAE paper also chooses its betas; but
beta does not grow: it falls from where everything is collapsed, as it does where both methods use
the points. A factor's freezing point is the beta at which the model begins to be informative about
it. Since learning takes time, the points lie a little low, but less so with more steps.

Information is measured on samples of the best latent dimension. Posterior means would mislead:
under a strong pressure they are tiny but free of noise, and hold information that no sample has.
"""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae import checks, figures
from keras_devae.checks import Array, positive
from keras_devae.errors import UsageError
from keras_devae.evaluation.array_files import read_information_file
from keras_devae.files import write_json, write_table
from keras_devae.runs import Run, RunConfig, RunDirectory
from keras_devae.suggestions.freezing import (
    RULE,
    default_range,
    falling_beta,
    freezing_point,
    suggest_betas,
)

#: Least share of a factor's entropy at which it counts as known.
KNOWN_SHARE = 0.1
#: Where a factor's freezing point lies relative to the range of the test.
_ABOVE, _MEASURED, _BELOW = "above the start", "measured", "below the end"


@dataclasses.dataclass(frozen=True)
class AnnealingTest:
    """The result of an annealing test.

    `steps` `(t,)` are the steps of the readings, `betas` `(t,)` the pressures at them, and `shares`
    `(t, f)` the best dimension's information about each factor as a share of its entropy.
    """

    steps: Array
    betas: Array
    shares: Array
    factor_names: tuple[str, ...]
    beta_start: float
    beta_end: float

    @property
    def points(self) -> dict[str, float | None]:
        """Factor -> its `freezing_point`."""
        columns = zip(self.factor_names, self.shares.T, strict=True)
        return {name: freezing_point(self.betas, shares, KNOWN_SHARE) for name, shares in columns}

    @property
    def suggested(self) -> list[float]:
        """The betas for DeVAE in ascending order; empty if no point was measured."""
        points = [p for p in self.points.values() if p is not None and math.isfinite(p)]
        return suggest_betas(points, self.beta_end)

    def rows(self) -> list[dict[str, Any]]:
        """Returns `factor`, `freezing_point`, `state` and `final_share` of each factor."""
        states = {None: _BELOW, math.inf: _ABOVE}
        return [
            {
                "factor": name,
                "freezing_point": point if point is not None and math.isfinite(point) else None,
                "state": states.get(point, _MEASURED),
                "final_share": float(share),
            }
            for (name, point), share in zip(self.points.items(), self.shares[-1], strict=True)
        ]


def annealing_config(steps: int, readings: int = 50, **settings: Any) -> RunConfig:
    """Builds the configuration of the test's run, without its pressure.

    The information is read `readings` times during the `steps` from the first pressure to the last.
    """
    checks.at_least("steps", steps, 2)
    every = max(1, steps // checks.at_least("readings", readings, 2))
    tracking = {"track": ("sampled-information",), "track_every": every}
    return RunConfig(
        kind="annealing test", model="beta_vae", steps=steps, metrics=(), **tracking, **settings
    )


def with_falling_beta(
    config: RunConfig, dataset: Any, beta_start: float | None = None, beta_end: float | None = None
) -> RunConfig:
    """Adds the falling pressure to an `annealing_config`; the defaults are `default_range`.

    Raises a `UsageError` if the data set has no factors, or the pressure does not fall.
    """
    if dataset.factor_names is None:
        raise UsageError(
            "The annealing test reads the information about factors, and the data set "
            f"{dataset.name!r} has none."
        )
    start, end = default_range(dataset.image_shape)
    start = start if beta_start is None else checks.positive("beta_start", beta_start)
    end = end if beta_end is None else checks.positive("beta_end", beta_end)
    if end >= start:
        raise UsageError(f"`beta_end` must be below `beta_start`, {start:g}. Received: {end:g}.")
    beta = falling_beta(float(start), float(end), config.training.steps)
    return config.replace(model_options={"beta": beta})


def train_test(run: Run, progress: bool = True) -> AnnealingTest:
    """Trains the run of a test under the falling pressure, and reads the tracked information."""
    _range_of(run.folder, run.config)
    run.train(progress)
    return read_test(run.folder)


def read_test(run: RunDirectory) -> AnnealingTest:
    """Reads the annealing test of a run from its tracked information.

    Raises a `UsageError` if the run is not an annealing test, and a `FailureError` if the tracked
    information is missing or damaged.
    """
    config = run.read_config()
    start, end = _range_of(run, config)
    steps, information, entropies, names = read_information_file(
        run.tracking / "sampled-information.npz", "What the annealing test measured is lost."
    )
    # The first reading is of an untrained model.
    trained = steps > 0
    betas = start * (end / start) ** np.minimum(1, steps / config.training.steps)
    shares = information.max(axis=1) / entropies
    factor_names = tuple(names.tolist())
    return AnnealingTest(steps[trained], betas[trained], shares[trained], factor_names, start, end)


def _range_of(run, config):
    if config.kind != "annealing test":
        raise UsageError(
            f"The run {run.path} is not an annealing test. Train one with: keras-devae "
            f"annealing-test --dataset {config.data.dataset}"
        )
    ends = config.model.options["beta"]["config"]
    return tuple(positive(f"{name} of the betas", ends.get(name)) for name in ("start", "end"))


def write_test(test: AnnealingTest, run: RunDirectory) -> dict[str, Path]:
    """Writes the figure, the curves and the suggestion; returns the file of each."""
    files = {
        "Figure": run.figures / "freezing.png",
        "Curves": run.path / "freezing.csv",
        "Points": run.freezing_file,
    }
    points = [row["freezing_point"] for row in test.rows()]
    figure = figures.freezing_curves(
        test.betas, test.shares, test.factor_names, points, test.suggested
    )
    figures.save(figure, files["Figure"])
    columns = zip(test.steps.tolist(), test.betas.tolist(), test.shares.tolist(), strict=True)
    curves = [
        {"step": step, "beta": beta, **dict(zip(test.factor_names, shares, strict=True))}
        for step, beta, shares in columns
    ]
    write_table(files["Curves"], curves)
    write_json(files["Points"], summary(test))
    return files


def summary(test: AnnealingTest) -> dict[str, Any]:
    """Returns the points and the suggestion as a dictionary for JSON."""
    return {
        "beta_start": test.beta_start,
        "beta_end": test.beta_end,
        "factors": test.rows(),
        "suggested_betas": test.suggested,
        "rule": RULE,
    }
