"""Trains several models in step, as if each were trained alone by its own `fit`."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import keras

from keras_devae.backend import join_steps
from keras_devae.checks import Array
from keras_devae.input.resident import kept_on_device
from keras_devae.models.fitting import Fit
from keras_devae.models.training_callbacks import StepSynchronization
from keras_devae.process.interruption import Interruption

#: Makes a context in which something is done for one of the fits.
Within = Callable[[Fit], contextlib.AbstractContextManager[Any]]


def train_together(
    fits: Sequence[Fit], epochs: int, interruption: Interruption, within: Within
) -> dict[int, BaseException | None]:
    """Trains models that are at the same step, in step, for some of their epochs.

    Each model has its own batches, callbacks and history, and every callback finds the model as it
    would find it alone. A model whose training fails or stops early leaves the others. Models whose
    steps differ in more than numbers are trained one group after another.

    Args:
        fits: What to train; `epochs` of each falls by what is done.
        epochs: Number of epochs, at most what each of the fits has left.
        interruption: Checked between steps; all fits then fail with its exception.
        within: Makes the context in which the callbacks of a fit are called.

    Returns:
        For the position of each fit that has ended, its error or `None`.
    """
    members = [_Member(fit) for fit in fits]
    try:
        with contextlib.ExitStack() as stack:
            _keep_on_device(fits, stack)
            for fit in fits:
                fit.model.note_images(fit.batches)
            some = [fit.batches.of_rows(fit.batches.indices(fit.step)) for fit in fits]
            for positions, steps in join_steps([fit.model for fit in fits], some):
                _Joint([members[n] for n in positions], steps, interruption, within).train(epochs)
    except BaseException as error:
        for member in members:
            if not member.is_over():
                member.error = error
    return {n: member.error for n, member in enumerate(members) if member.is_over()}


def kind_of(fit: Fit) -> tuple | None:
    """Returns what fits that are trained together have in common; `None` for one that cannot be.

    Whether their steps differ only in numbers is seen when these are traced.
    """
    model = fit.model
    if model.run_eagerly or not model.jit_compile:
        return None
    # What happens on the host is not traced.
    told = {name: getattr(model, name) for name in model.declaration.options}
    on_host = str(told) if model.calls_host else ""
    calls = len(fit.batches), fit.batches.batch_size, model.steps_per_execution
    return type(model), model.image_shape, on_host, *calls


def _keep_on_device(fits: Sequence[Fit], stack: contextlib.ExitStack) -> None:
    """Keeps resident images on the device, once for all fits; of different data sets, none."""
    first, *others = fits
    if any(fit.batches.dataset is not first.batches.dataset for fit in others):
        for fit in fits:
            fit.batches.resident = False
    stack.enter_context(kept_on_device(first.model, first.batches, "train_function"))
    for fit in others if first.batches.resident else ():
        # `kept_on_device` finds them there and does not copy them to the device again.
        stack.callback(object.__setattr__, fit.model, "resident_images", None)
        object.__setattr__(fit.model, "resident_images", first.model.resident_images)
        stack.enter_context(kept_on_device(fit.model, fit.batches, "train_function"))


class _Member:
    """One of the models, with its callbacks."""

    def __init__(self, fit: Fit) -> None:
        self.fit, self.model = fit, fit.model
        # Only what is done here counts.
        self.model.stop_training = False
        self.error: BaseException | None = None
        self.logs: dict[str, Any] = {}
        self.callbacks = keras.callbacks.CallbackList(
            [StepSynchronization(), fit.callback],
            model=fit.model,
            epochs=fit.epochs,
            steps=len(fit.batches),
        )

    def is_over(self) -> bool:
        """Tells whether nothing is left to train."""
        return self.error is not None or self.model.stop_training or not self.fit.epochs

    def begin(self) -> None:
        """Begins what is left of the fit."""
        self.callbacks.on_train_begin()

    def begin_epoch(self) -> None:
        """Begins an epoch."""
        self.model.reset_metrics()
        self.callbacks.on_epoch_begin(0)
        self.fit.batches.on_epoch_begin()

    def end_epoch(self) -> None:
        """Ends an epoch, and training with the last one."""
        self.fit.batches.on_epoch_end()
        self.fit.epochs -= 1
        self.logs = self.model.get_metrics_result()
        self.callbacks.on_epoch_end(0, self.logs)
        if self.model.stop_training or not self.fit.epochs:
            self.callbacks.on_train_end(self.logs)


class _Joint:
    """The training of models whose steps are one program."""

    def __init__(
        self, members: list[_Member], steps: Any, interruption: Interruption, within: Within
    ) -> None:
        self._members, self._steps = members, steps
        self._interruption, self._within = interruption, within

    def train(self, epochs: int) -> None:
        """Trains all that are left for some epochs; errors are noted with those concerned."""
        try:
            self._interruption.check()
            self._each(_Member.begin)
            for _ in range(epochs):
                self._each(_Member.begin_epoch)
                self._train_epoch()
                self._steps.release()
                self._each(_Member.end_epoch)
                self._leave()
                self._interruption.check()
        except BaseException as error:
            # What stops the steps stops all: too little memory, or the wish to end.
            for member in self._members:
                member.error = error
        finally:
            self._steps.release()
            self._interruption.postponed = False

    def _train_epoch(self) -> None:
        self._leave()
        if not self._members:
            return
        total = len(self._members[0].fit.batches)
        length = self._members[0].model.steps_per_execution
        with contextlib.closing(self._fetched(total)) as fetched:
            for first in range(0, total, length):
                count = min(length, total - first)
                self._each(lambda member, begin=first: member.callbacks.on_train_batch_begin(begin))
                self._call(first + count - 1, itertools.islice(fetched, count))
                # All are at the same step, and each stops within an epoch only at its last one.
                if any(member.model.stop_training for member in self._members):
                    break
                self._leave()
                if not self._members:
                    break
                if first + count < total:
                    self._interruption.check()

    def _call(self, last: int, batches: Iterator[dict[_Member, Array]]) -> None:
        """Computes steps of all in one call, and calls the callbacks of each."""
        logs = self._steps([step[member] for member in self._members] for step in batches)
        for member, values in zip(self._members, logs, strict=True):
            member.logs = values
        self._each(lambda member: member.callbacks.on_train_batch_end(last, member.logs))
        self._interruption.postponed = True

    def _each(self, act: Callable[..., Any]) -> None:
        """Does something for each, as far as the ones before have not failed."""
        for member in self._members:
            if member.error is None:
                with self._within(member.fit):
                    try:
                        act(member)
                    except Exception as error:
                        member.error = error

    def _leave(self) -> None:
        """Continues without those that are over."""
        staying = [n for n, member in enumerate(self._members) if not member.is_over()]
        if len(staying) < len(self._members):
            self._steps.keep(staying)
            self._members = [self._members[n] for n in staying]

    def _fetched(self, total: int) -> Generator[dict[_Member, Array], None, None]:
        """Yields the batches of all for each step of an epoch, which are read one step ahead."""
        members = self._members

        def read(number: int) -> dict[_Member, Array]:
            return {member: member.fit.batches[number][0] for member in members}

        with concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="batches") as thread:
            ahead = thread.submit(read, 0)
            for number in range(total):
                batches = ahead.result()
                if number + 1 < total:
                    ahead = thread.submit(read, number + 1)
                yield batches
