"""Ctrl-C reaches the training loop even where the exception is swallowed."""

import os
import signal

import pytest

from keras_devae.experiments.interruption import Interruption, Termination


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


def test_the_inner_of_two_takes_the_signal_and_hands_it_back():
    with Interruption() as outer:
        with Interruption() as inner:
            with pytest.raises(Termination):
                os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(Termination):
                inner.check()
        outer.check()
        with pytest.raises(Termination):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
