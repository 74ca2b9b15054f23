"""Ends the input pipelines of Keras on TensorFlow when training ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class PromptStrategy:
    """The strategy of one device, for Keras, with input pipelines that end when they are done.

    The thread with which tf.data tunes a pipeline sleeps 10 ms, then twice as long, up to a minute,
    and a pipeline that is deleted waits for it: `fit` would return up to a minute late. Pipelines
    that already say whether to be tuned stay as they are. `make_options` is `tf.data.Options`.
    """

    def __init__(self, strategy: Any, make_options: Callable[[], Any]) -> None:
        self._strategy, self._make_options = strategy, make_options

    def experimental_distribute_dataset(self, dataset: Any) -> Any:
        """Returns the data set without tuning."""
        if dataset.options().autotune.enabled is None:
            options = self._make_options()
            options.autotune.enabled = False
            dataset = dataset.with_options(options)
        return self._strategy.experimental_distribute_dataset(dataset)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._strategy, name)
