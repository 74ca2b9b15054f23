"""How long a study still takes."""

import pytest

from keras_devae.studies.estimate import seconds_left


def test_nothing_is_said_before_anything_is_known():
    assert seconds_left([], [10, 10], 1) is None
    assert seconds_left([(10, 0.0)], [10], 1) is None


def test_steps_cost_what_they_did_and_are_shared_among_the_workers():
    # Two seconds a step; 40 steps to go.
    assert seconds_left([(10, 20.0), (5, 10.0)], [10, 10, 20], 2) == pytest.approx(40)
    assert seconds_left([(10, 20.0), (99, 0.0)], [10, 10, 20], 1) == pytest.approx(80)


def test_the_last_run_is_not_shared():
    assert seconds_left([(1, 1.0)], [30], 4) == pytest.approx(30)
    assert seconds_left([(1, 1.0)], [], 4) == 0
