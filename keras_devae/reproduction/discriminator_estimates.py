"""How far a discriminator's estimate of the total correlation can be trusted: table 1."""

from __future__ import annotations

import datetime
import inspect
import itertools
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend.replicas import PromptTraining
from keras_devae.checks import AnyPath, Tensor, at_least, positive, widths
from keras_devae.errors import UsageError
from keras_devae.files import write_json, write_table
from keras_devae.layers import RandomState, derived_seeds
from keras_devae.losses import (
    density_ratio_total_correlation,
    discriminator_loss,
    permute_dimensions,
)
from keras_devae.networks import discriminator
from keras_devae.runs.environment import describe_environment, environment_text
from keras_devae.runs.records import Trial, read_record

DIMENSIONS = (10, 100, 1000)
CORRELATIONS = (0.3, 0.6, 0.9)
STEPS, BATCH_SIZE, UNITS, LEARNING_RATE = 2000, 64, (1000,) * 6, 1e-4
#: Samples per batch of an estimate.
_CHUNK = 1000


def true_total_correlation(dimensions: int, correlation: float) -> float:
    """Returns the total correlation of D normal variables that are correlated in pairs, in nats.

    It is `-D/4 log(1 - rho^2)`: half that logarithm for each of the D/2 pairs.
    """
    return -dimensions / 4 * math.log1p(-(correlation**2))


class DiscriminatorGame(PromptTraining, keras.Model):
    """FactorVAE's discriminator, trained on samples of a known distribution.

    Every call draws new samples, and permutes the dimensions of the same samples, as the published
    code does. The rows of its input only set the number of steps.
    """

    def __init__(
        self, dimensions: int, correlation: float, batch_size: int, units: Sequence[int], seed: int
    ) -> None:
        super().__init__()
        weights_seed, draws_seed = derived_seeds(seed, 2, purpose=3)
        self.dimensions, self.correlation = dimensions, correlation
        self.batch_size = batch_size
        self.discriminator = discriminator(dimensions, units, seed=weights_seed)
        self.random = RandomState(draws_seed)
        self.built = True

    def draw(self, count: int) -> Tensor:
        """Draws samples, float32 `(count, dimensions)`; dimensions 2i and 2i + 1 are a pair."""
        seed = self.random.seed_generator
        pairs = keras.random.normal((count, self.dimensions // 2, 2), dtype="float32", seed=seed)
        first, own = pairs[..., :1], pairs[..., 1:]
        second = self.correlation * first + math.sqrt(1 - self.correlation**2) * own
        return ops.reshape(ops.concatenate([first, second], axis=-1), (count, self.dimensions))

    def call(self, steps: Tensor, training: bool = False) -> Tensor:
        """Returns logits `(2 * batch_size, 2)` of a batch and of its permuted samples."""
        del steps
        z = self.draw(self.batch_size)
        permuted = permute_dimensions(z, self.random.seed_generator)
        return self.discriminator(ops.concatenate([z, permuted], axis=0), training=training)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Returns the cross-entropy of the batch."""
        del x, y, sample_weight, training
        return discriminator_loss(y_pred[: self.batch_size], y_pred[self.batch_size :])

    def estimate(self, samples: int) -> float:
        """Returns the mean total correlation in nats over new samples, in whole thousands."""
        chunks = [
            density_ratio_total_correlation(self.discriminator(self.draw(_CHUNK)))
            for _ in range(math.ceil(samples / _CHUNK))
        ]
        return float(np.mean([ops.convert_to_numpy(chunk) for chunk in chunks]))


def estimate_total_correlation(
    dimensions: int,
    correlation: float,
    steps: int = STEPS,
    batch_size: int = BATCH_SIZE,
    samples: int = 10_000,
    seed: int = 0,
    units: Sequence[int] = UNITS,
    learning_rate: float = LEARNING_RATE,
) -> float:
    """Trains FactorVAE's discriminator on samples of known total correlation; estimates it in nats.

    Follows table 1 of the DeVAE paper. As in Kim & Mnih (2018), the optimizer is Adam with betas
    0.5 and 0.9. The paper's batch size is not known; 64 is Kim & Mnih's. The estimate uses new
    `samples`, rounded up to whole thousands.
    """
    _check_cell(dimensions, correlation)
    at_least("steps", steps, 1)
    at_least("batch_size", batch_size, 2)
    at_least("samples", samples, 1)
    widths("units", units)
    positive("learning_rate", learning_rate)
    game = DiscriminatorGame(dimensions, correlation, batch_size, units, seed)
    game.compile(keras.optimizers.Adam(learning_rate, beta_1=0.5, beta_2=0.9))
    game.fit(np.zeros((steps, 1), np.float32), batch_size=1, shuffle=False, verbose=0)
    return game.estimate(samples)


def _check_cell(dimensions, correlation):
    at_least("dimensions", dimensions, 2)
    if dimensions % 2:
        raise UsageError(
            "`dimensions` must be even, because they are correlated in pairs. Received: "
            f"{dimensions}."
        )
    if not -1 < correlation < 1:
        raise UsageError(
            f"`correlation` must lie between -1 and 1, both excluded. Received: {correlation}."
        )


def estimate_table(
    folder: AnyPath,
    dimensions: Sequence[int] = DIMENSIONS,
    correlations: Sequence[float] = CORRELATIONS,
    trials: int = 10,
    progress: Callable[[int, int], None] | None = None,
    only_done: bool = False,
    **options: Any,
) -> list[dict[str, Any]]:
    """Estimates the total correlation for all dimensions and correlations, several times each.

    Each finished trial is a file in the folder's `trials` and is not repeated: a second call
    resumes where the first ended. Processes that work on different cells may share the folder.
    `progress` is called with the number of trials done and the total; with `only_done`, no more
    are done. The options are as for `estimate_total_correlation`. The rows, also in
    `estimates.csv`, hold `dimensions`, `correlation`, `trial` (its seed), `estimate` and `truth` in
    nats, and `seconds`. A `UsageError` is raised if the folder has trials with other options.
    """
    at_least("trials", trials, 1)
    cells = list(itertools.product(dimensions, correlations))
    for cell in cells:
        _check_cell(*cell)
    work = [(*cell, seed) for cell in cells for seed in range(trials)]
    if only_done:
        work = [trial for trial in work if _trial_file(Path(folder), *trial).is_file()]
    rows: list[dict[str, Any]] = []
    for trial in work:
        rows.append(_row(*trial, _trial(Path(folder), *trial, options)))
        if progress is not None:
            progress(len(rows), len(work))
    if rows:
        write_table(Path(folder) / "estimates.csv", rows)
    return rows


def environments_and_days_of(folder: AnyPath) -> tuple[list[str], list[str]]:
    """Returns the environments of the trials of `estimate_table`, and their days if known."""
    # A process that was killed may have left a file under a temporary name.
    files = sorted((Path(folder) / "trials").glob("dimensions*.json"))
    trials = [_read_trial(file) for file in files]
    texts = [environment_text(trial["environment"]) for trial in trials]
    return texts, [trial.get("day", "") for trial in trials]


def _row(dimensions, correlation, seed, done):
    return {
        "dimensions": dimensions,
        "correlation": correlation,
        "trial": seed,
        "estimate": done["estimate"],
        "truth": true_total_correlation(dimensions, correlation),
        "seconds": round(done["seconds"], 1),
    }


def _trial_file(folder, dimensions, correlation, seed):
    name = f"dimensions{dimensions}-correlation{correlation:g}-seed{seed}.json"
    return folder / "trials" / name


def _trial(folder, dimensions, correlation, seed, options):
    """Returns the contents of a trial's file, after doing the trial if it is not done."""
    file = _trial_file(folder, dimensions, correlation, seed)
    settings = _settings(dimensions, correlation, seed, options)
    if file.is_file():
        kept = _read_trial(file)
        if kept["settings"] != settings:
            raise UsageError(
                f"{file} holds a trial with other settings: {kept['settings']}. Choose another "
                f"folder, or the same settings. Received: {settings}."
            )
        return kept
    began = time.monotonic()
    estimate = estimate_total_correlation(dimensions, correlation, seed=seed, **options)
    done = {
        "settings": settings,
        "estimate": estimate,
        "seconds": time.monotonic() - began,
        "environment": describe_environment(),
        "day": datetime.date.today().isoformat(),
    }
    write_json(file, done)
    return done


def _read_trial(file):
    return read_record(file, Trial, "Remove it, and the trial is repeated.")


def _settings(dimensions, correlation, seed, options):
    """Returns all arguments of a trial with their defaults, as read back from JSON."""
    signature = inspect.signature(estimate_total_correlation)
    arguments = signature.bind(dimensions, correlation, seed=seed, **options)
    arguments.apply_defaults()
    return {**arguments.arguments, "units": list(arguments.arguments["units"])}
