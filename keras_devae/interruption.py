"""Ctrl-C and SIGTERM that are not lost on the way."""

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
    """

    def __init__(self):
        self.requested = None

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
        self.requested = number
        raise _ENDINGS[number]
