"""The short run under a falling beta that finds the freezing points of latent dimensions."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np

from keras_devae.data.dataset import Dataset
from keras_devae.runs import RunConfig
from keras_devae.suggestions.freezing import falling_beta, freezing_point

#: Nats on average over images above which a latent dimension counts as active.
ACTIVE_KL = 0.1
#: Times that the KL divergence is read, and images that it is read from.
READINGS, READ_IMAGES = 40, 500
LEARNING_RATE = 1e-3
#: Steps that are timed, and seconds after which timing stops.
_TIMED_STEPS, _TIMED_SECONDS = 20, 10.0


def measured_speed(config: RunConfig, dataset: Dataset) -> float:
    """Measures how many steps per second the model of a configuration trains on this machine."""
    model, complete = _built(config, dataset)
    _fit(model, complete, dataset, 1)
    began = time.perf_counter()
    _fit(model, complete, dataset, 1)
    once = max(time.perf_counter() - began, 1e-4)
    count = int(min(_TIMED_STEPS, max(1, _TIMED_SECONDS / once)))
    began = time.perf_counter()
    _fit(model, complete, dataset, count)
    return count / max(time.perf_counter() - began, 1e-4)


def latent_freezing_points(
    config: RunConfig, dataset: Dataset, start: float, end: float, steps: int
) -> list[float]:
    """Trains a beta-VAE while beta falls, and returns the freezing points of its latents.

    The point of a latent dimension is the beta at which its KL divergence rises above `ACTIVE_KL`.
    Dimensions that are active from the start, or never, have none. `config` says what else the
    model is like.
    """
    from keras_devae.callbacks import KLCallback

    config = config.replace(
        model="beta_vae",
        model_options={"beta": falling_beta(start, end, steps)},
        steps=steps,
        learning_rate=LEARNING_RATE,
    )
    model, complete = _built(config, dataset)
    every = max(1, steps // READINGS)
    reading = KLCallback(dataset, every, READ_IMAGES, seed=config.training.seed)
    with warnings.catch_warnings():
        # Under the first pressures everything is collapsed, and meant to be.
        warnings.simplefilter("ignore")
        _fit(model, complete, dataset, steps, [reading])
    rows = [row for row in reading.rows if row["step"] > 0]
    shares = np.array([row["step"] for row in rows]) / steps
    betas = start * (end / start) ** shares
    names = [name for name in rows[0] if name[0] == "z"]
    curves = (np.array([row[name] for row in rows]) for name in names)
    points = (freezing_point(betas, curve, ACTIVE_KL) for curve in curves)
    return sorted((p for p in points if p is not None and math.isfinite(p)), reverse=True)


def _built(config: RunConfig, dataset: Dataset) -> tuple[Any, RunConfig]:
    """Builds the model of a configuration without a folder, for one process and no tracking."""
    from keras_devae.runs.compute import completed_config
    from keras_devae.runs.training import build_model

    plain = config.replace(
        metrics=(),
        track=(),
        tensorboard=False,
        resident=False,
        steps_per_execution=1,
        init_from=None,
    )
    complete = completed_config(plain.resolved(dataset), dataset)
    model: Any = build_model(complete, dataset)
    # A model that is not kept has nothing to warn of: after few steps, most are collapsed.
    model.training_warnings = lambda logs: []
    return model, complete


def _fit(model, config, dataset, steps, callbacks=()):
    chosen = config.training
    batches = model.training_batches(
        dataset, batch_size=chosen.batch_size, steps=steps, seed=chosen.seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(batches, verbose=0, callbacks=list(callbacks))
