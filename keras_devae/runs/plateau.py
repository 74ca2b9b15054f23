"""The learning-rate schedule `plateau`: warm-up, and a factor whenever improvement ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from keras_devae.backend import replicas
from keras_devae.models.averaged_weights import single_optimizers
from keras_devae.runs.config.settings import TrainingSettings
from keras_devae.runs.stopping import Watch

if TYPE_CHECKING:
    from keras_devae.runs.folder import RunDirectory


class PlateauRate:
    """Sets the learning rate of a run with the schedule `plateau`; of several optimizers, the main.

    The rate follows from the step and the run's tables alone, so that a run that resumes has the
    rate of one that was never interrupted. Keras's `ReduceLROnPlateau` begins anew in each `fit`.

    Args:
        training: The settings.
        watch: What the run watches.
        run: The run's folder.
    """

    def __init__(self, training: TrainingSettings, watch: Watch, run: RunDirectory) -> None:
        self._training, self._watch, self._run = training, watch, run
        self._reductions = 0

    def at(self, step: int) -> float:
        """Returns the rate of the step after `step` steps."""
        training = self._training
        rate = training.learning_rate * training.plateau_factor**self._reductions
        warmup = training.warmup_steps
        return rate * min(step / warmup, 1.0) if warmup else rate

    def look(self, model: keras.Model, history: Sequence[dict[str, Any]], step: int) -> None:
        """Lowers the rate if what has been measured up to a step asks for it."""
        points = self._watch.points(self._run, history, step)
        self._reductions = round(replicas.number_of_chief(len(self._watch.reductions(points))))
        self._set(model, step)

    def warm_up(self, model: keras.Model, step: int) -> None:
        """Raises the rate before each step of the warm-up, and once after it."""
        if step <= self._training.warmup_steps:
            self._set(model, step)

    def _set(self, model, step):
        single_optimizers(model.optimizer)[-1].learning_rate = self.at(step)
