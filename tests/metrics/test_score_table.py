"""Rows of a table of scores."""

from keras_devae.metrics.score_table import score_rows

LAYERS = [{"layer": n, "mig.score": n / 4, "mig.score.std": 0.1, "kl.total": 3.0} for n in (0, 1)]
DETAILS = [{"mig": {"per_factor": {"hue": n / 8}}, "kl": {"per_dimension": [1.0]}} for n in (1, 2)]


def test_factors_follow_the_numbers_of_their_metric():
    rows = [*score_rows(LAYERS, DETAILS)]
    assert rows == [
        ("mig.score", None, [0, 0.25]),
        ("mig", "hue", [0.125, 0.25]),
        ("kl.total", None, [3, 3]),
    ]


def test_details_may_be_missing_or_incomplete():
    keys = [("mig.score", None), ("kl.total", None)]
    for details in ((), DETAILS[:1], [{}, {}]):
        assert [row[:2] for row in score_rows(LAYERS, details)] == keys
    assert not [*score_rows([])]
