"""Ctrl-C that is not lost on the way."""

import signal
import threading


class Interruption:
    """Remembers that the user pressed Ctrl-C while the block ran.

    The `KeyboardInterrupt` that Python raises can vanish: while NumPy waits for a JAX array, for
    one, it takes every exception for a failed conversion and tries another. `check`, called
    between steps, raises it again.
    """

    def __init__(self):
        self.requested = False

    def __enter__(self):
        # Where Ctrl-C is ignored (nohup) or somebody else's affair, it stays so; other threads than
        # the main one may set no handler.
        in_main_thread = threading.current_thread() is threading.main_thread()
        self._installed = (
            in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._installed:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error):
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self):
        """Raises `KeyboardInterrupt` if the user has asked for it."""
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number, frame):
        self.requested = True
        raise KeyboardInterrupt
