"""Ctrl-C and SIGTERM that are not lost on the way."""

import contextlib
import os
import signal
import threading

#: Exit statuses after Ctrl-C and after SIGTERM, as shells give them.
INTERRUPTED = 130
TERMINATED = 143


class Termination(KeyboardInterrupt):
    """The process was asked to end by SIGTERM, as schedulers do before they kill it."""


def exit_status(ending):
    """Returns the exit status that belongs to a `KeyboardInterrupt`: `INTERRUPTED`, `TERMINATED`.

    Args:
        ending: The exception.
    """
    return TERMINATED if isinstance(ending, Termination) else INTERRUPTED


_ENDINGS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Termination}
_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


def heed_signals():
    """Has Ctrl-C and SIGTERM end this process even where it was started so as to ignore them.

    Shells without job control start what runs in the background so, under nohup or not, and
    `kill -INT` would be lost on it. For programs of this package only: what a user's own program
    ignores stays ignored.
    """
    for number, default in _DEFAULTS.items():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


class Interruption:
    """Remembers that Ctrl-C or SIGTERM came while the block ran.

    The exception that is raised then can vanish: while NumPy waits for a JAX array, for one, it
    takes every exception for a failed conversion and tries another. `check`, called between steps,
    raises it again. One may stand inside another.

    Attributes:
        requested: The signal that came first, or `None`.
        postponed: Whether that signal is only noted, so that `check` raises its exception where
            nothing is half done; default false. A second Ctrl-C is raised at once.
        hurried: Whether that second one came: nothing more is to be done then.
    """

    def __init__(self):
        self.requested = None
        self.postponed = self.hurried = False

    def __enter__(self):
        # Where a signal is ignored (nohup) or somebody else's affair, it stays so; other threads
        # than the main one may set no handler.
        self._previous = {}
        if threading.current_thread() is threading.main_thread():
            for number, default in _DEFAULTS.items():
                previous = signal.getsignal(number)
                outer = getattr(previous, "__self__", None)
                if previous is default or isinstance(outer, Interruption):
                    self._previous[number] = previous
                    signal.signal(number, self._note)
        return self

    def __exit__(self, *error):
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def check(self):
        """Raises `KeyboardInterrupt` if Ctrl-C came, `Termination` if SIGTERM did."""
        if self.requested is not None:
            raise _ENDINGS[self.requested]

    def _note(self, number, frame):
        is_first = self.requested is None
        self.requested = self.requested or number
        # Schedulers may send SIGTERM again and again; only a person is in a hurry.
        if self.postponed and (is_first or number == signal.SIGTERM):
            if number == signal.SIGINT:
                _say("Ending with a checkpoint. Ctrl-C once more ends at once.")
            return
        self.hurried = not is_first
        raise _ENDINGS[number]


def _say(sentence):
    """Writes to the standard error, which the interrupted code may be about to write to as well."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{sentence}\n".encode())
