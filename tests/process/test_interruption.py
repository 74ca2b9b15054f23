"""Ctrl-C reaches the training loop even where the exception is swallowed."""

import os
import signal

import pytest

from keras_devae.process.interruption import Interruption, Termination, heed_signals


def test_a_swallowed_interrupt_is_raised_again():
    with Interruption() as interruption:
        interruption.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Termination)]
)
def test_a_postponed_interrupt_waits_for_the_check(number, ending, capfd):
    with Interruption() as interruption:
        interruption.postponed = True
        os.kill(os.getpid(), number)
        # Schedulers repeat themselves.
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(ending) as raised:
            interruption.check()
    assert raised.type is ending and not interruption.hurried
    assert ("Press Ctrl-C again" in capfd.readouterr().err) is (number == signal.SIGINT)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_is_not_postponed(first):
    with Interruption() as interruption:
        interruption.postponed = True
        os.kill(os.getpid(), first)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert interruption.hurried


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such processes")
def test_a_process_started_to_ignore_signals_heeds_them(fresh_python):
    code = """
import signal, sys
from keras_devae.process.interruption import heed_signals
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
heed_signals()
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""
    assert fresh_python("-c", code)[0].split() == ["True", "True"]


def test_a_handler_of_somebody_else_stays():
    def own(*_):
        pass

    previous = signal.signal(signal.SIGTERM, own)
    try:
        heed_signals()
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, previous)
