"""Handles Ctrl-C and SIGTERM so that neither is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

#: Exit statuses after Ctrl-C and after SIGTERM, as shells report them.
INTERRUPTED = 130
TERMINATED = 143


class Termination(KeyboardInterrupt):
    """SIGTERM asked the process to end, as schedulers do before they kill it."""


def exit_status(ending: BaseException) -> int:
    """Returns the exit status for a `KeyboardInterrupt`: `INTERRUPTED` or `TERMINATED`."""
    return TERMINATED if isinstance(ending, Termination) else INTERRUPTED


_ENDINGS: dict[int, type[KeyboardInterrupt]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Termination,
}
_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


def heed_signals() -> None:
    """Lets Ctrl-C and SIGTERM end this process even if it was started to ignore them.

    Shells without job control start background processes that way, with or without nohup, so that
    `kill -INT` would have no effect. Only this package's commands call it: signals that a user's
    own program ignores stay ignored.
    """
    for number, default in _DEFAULTS.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


def current_handlers() -> dict[int, Any]:
    """Returns what now handles Ctrl-C and SIGTERM, for `set_handlers`."""
    return {number: signal.getsignal(number) for number in _DEFAULTS}


def set_handlers(handlers: Mapping[int, Any]) -> None:
    """Sets what handles signals, in the main thread, the only one that may."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)


class Interruption:
    """Remembers a Ctrl-C or SIGTERM received inside a `with` block.

    The exception raised at that moment can get lost: while NumPy waits for a JAX array, for
    example, it treats every exception as a failed conversion and tries another. `check`, called
    between steps, raises it again. Interruptions can be nested.

    Attributes:
        requested: The first signal received, or `None`.
        postponed: Whether that signal is only recorded, so that `check` can raise its exception
            when nothing is half done; default false. A second Ctrl-C is raised at once.
        hurried: Whether a second one was received, after which nothing more should be done.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self.postponed = self.hurried = False

    def __enter__(self) -> Interruption:
        # A signal that is ignored (nohup) or that other code handles stays so; only the main thread
        # may set handlers.
        self._previous: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number, default in _DEFAULTS.items():
                previous = signal.getsignal(number)
                outer = getattr(previous, "__self__", None)
                if previous is default or isinstance(outer, Interruption):
                    self._previous[number] = previous
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def check(self) -> None:
        """Raises `KeyboardInterrupt` after Ctrl-C, `Termination` after SIGTERM."""
        if self.requested is not None:
            raise _ENDINGS[self.requested]

    def _note(self, number: int, frame: FrameType | None) -> None:
        is_first = self.requested is None
        self.requested = self.requested or number
        # Schedulers may send SIGTERM repeatedly; only a person is in a hurry.
        if self.postponed and (is_first or number == signal.SIGTERM):
            if number == signal.SIGINT:
                _say("Stopping after a checkpoint. Press Ctrl-C again to stop at once.")
            return
        self.hurried = not is_first
        raise _ENDINGS[number]


def _say(sentence: str) -> None:
    """Writes to the standard error past its buffer, which the interrupted code may be using."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{sentence}\n".encode())
