"""Parts of training as values: carried out one by one, or several models' together."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from typing import Any, TypeVar

import keras

from keras_devae.input.batches import Batches

_Result = TypeVar("_Result")


@dataclasses.dataclass
class Fit:
    """A call of a model's `fit` that is still to be made.

    Attributes:
        model: The compiled model.
        batches: The batches of each epoch.
        epochs: Number of epochs left.
        callback: The callback.
    """

    model: Any
    batches: Batches
    epochs: int
    callback: keras.callbacks.Callback

    @property
    def step(self) -> int:
        """Number of steps done before, since the beginning of training."""
        return self.batches.next_step

    def carry_out(self) -> None:
        """Trains the model."""
        how: dict[str, Any] = {"verbose": 0, "callbacks": [self.callback]}
        self.model.fit(self.batches, epochs=self.epochs, **how)


#: What trains and yields each `Fit` to whoever carries it out, and returns a result.
Parts = Generator[Fit, None, _Result]


def carried_out(parts: Parts[_Result]) -> _Result:
    """Carries out the parts of a training one after another; returns what the generator returns.

    An error of a part is raised where the generator has yielded it.
    """
    error: BaseException | None = None
    while True:
        try:
            part = next(parts) if error is None else parts.throw(error)
        except StopIteration as end:
            return end.value
        error = None
        try:
            part.carry_out()
        except BaseException as reason:
            error = reason
