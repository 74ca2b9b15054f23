"""The training steps of several models, computed together, and the state that they share."""

from __future__ import annotations

import abc
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from keras_devae.checks import Array


class JoinedSteps(abc.ABC):
    """The training steps of several models, computed together.

    Attributes:
        models: The models.
    """

    models: list[Any]

    @abc.abstractmethod
    def __call__(self, batches: Iterable[Sequence[Array]]) -> list[dict[str, float]]:
        """Computes one or several steps of all models.

        Args:
            batches: For each step the batch of each model: images, or numbers of resident ones.

        Returns:
            What each model shows after the last of these steps, by name.
        """

    @abc.abstractmethod
    def keep(self, positions: Sequence[int]) -> None:
        """Continues with the models at some positions alone; all get their state back."""

    @abc.abstractmethod
    def release(self) -> None:
        """Gives all models their state back, unless a step failed; the next call takes it again."""


class LazyState(Mapping[str, Any]):
    """The state of one of the models, which is taken out of the joined state when it is asked for.

    Keras's callbacks cause that when they ask for the model.

    Args:
        take: Returns the arrays of the state.
        sizes: Name of each group of variables -> their number, in the order of the arrays.
    """

    def __init__(self, take: Callable[[], Sequence[Any]], sizes: Mapping[str, int]) -> None:
        self._take, self._sizes = take, sizes
        self._groups: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        if not self._groups:
            arrays = iter(self._take())
            self._groups = {
                group: list(itertools.islice(arrays, size)) for group, size in self._sizes.items()
            }
        return self._groups[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)


def changing_variables(model: Any) -> tuple[dict[str, list[Any]], list[Any]]:
    """Returns the variables that a step changes, by Keras's name of their group.

    Second come the resident images, if there are any.
    """
    resident = [model.resident_images.variable] if model.resident_images else []
    fixed = list(model.non_trainable_variables)
    groups = {
        "trainable_variables": list(model.trainable_variables),
        "non_trainable_variables": fixed[: len(fixed) - len(resident)],
        "optimizer_variables": list(model.optimizer.variables),
        "metrics_variables": list(model.metrics_variables),
    }
    return groups, resident
