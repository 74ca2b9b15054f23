"""Ctrl-C reaches the training loop even where the exception is swallowed."""

import os
import signal

import pytest

from keras_devae.experiments.interruption import Interruption


def test_a_swallowed_interrupt_is_raised_again():
    with Interruption() as interruption:
        interruption.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_interrupt_stays_ignored():
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            interruption.check()
    finally:
        signal.signal(signal.SIGINT, previous)
