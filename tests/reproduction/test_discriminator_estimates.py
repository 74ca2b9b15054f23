"""The discriminator's estimates of a known total correlation."""

import json
import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.reproduction.discriminator_estimates import (
    DiscriminatorGame,
    environments_and_days_of,
    estimate_table,
    estimate_total_correlation,
    true_total_correlation,
)

SMALL = {"units": (32, 32), "learning_rate": 3e-3, "samples": 5000, "batch_size": 128}


@pytest.mark.parametrize(
    ("dimensions", "correlation", "published"),
    [(10, 0.3, 0.24), (10, 0.9, 4.15), (100, 0.6, 11.16), (1000, 0.9, 415.18)],
)
def test_truth_of_the_paper(dimensions, correlation, published):
    assert true_total_correlation(dimensions, correlation) == pytest.approx(published, abs=0.006)


def test_truth_is_the_divergence_of_normal_distributions():
    covariance = np.kron(np.eye(2), [[1, -0.8], [-0.8, 1]])
    expected = -0.5 * np.linalg.slogdet(covariance)[1]
    assert true_total_correlation(4, -0.8) == pytest.approx(expected, rel=1e-12)


def test_samples_are_correlated_in_pairs():
    game = DiscriminatorGame(6, 0.6, 2, (4,), seed=0)
    z = ops.convert_to_numpy(game.draw(20_000))
    expected = np.kron(np.eye(3), [[1, 0.6], [0.6, 1]])
    np.testing.assert_allclose(np.cov(z.T), expected, atol=0.04)
    assert not np.array_equal(z, ops.convert_to_numpy(game.draw(20_000)))


@pytest.mark.parametrize(("dimensions", "correlation"), [(2, 0.9), (4, 0.9), (2, 0.0)])
def test_estimate_is_near_the_truth(dimensions, correlation):
    estimate = estimate_total_correlation(dimensions, correlation, steps=300, **SMALL)
    truth = true_total_correlation(dimensions, correlation)
    assert estimate == pytest.approx(truth, abs=0.05 + 0.15 * truth)


def test_estimate_follows_the_seed():
    estimates = [estimate_total_correlation(2, 0.9, 3, 4, seed=s, units=(4,)) for s in (1, 1, 2)]
    assert estimates[0] == estimates[1] != estimates[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dimensions": 3}, "must be even"),
        ({"dimensions": 0}, "`dimensions` must be a whole number"),
        ({"correlation": 1}, "between -1 and 1"),
        ({"correlation": float("nan")}, "between -1 and 1"),
        ({"steps": 0}, "`steps`"),
        ({"batch_size": 1}, "`batch_size`"),
        ({"samples": 0}, "`samples`"),
        ({"units": ("a",)}, "`units`"),
        ({"learning_rate": 0}, "`learning_rate`"),
    ],
)
def test_ranges(arguments, message):
    with pytest.raises(UsageError, match=message):
        estimate_total_correlation(**{"dimensions": 2, "correlation": 0.5, **arguments})


def table(folder, **changes):
    options = {"steps": 2, "batch_size": 4, "samples": 1, "units": (4,)}
    options = {"dimensions": (2, 4), "correlations": (0.5,), "trials": 2, **options, **changes}
    return estimate_table(folder, **options)


def test_table_goes_on_where_it_stopped(tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total):
        assert total == 4
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        table(tmp_path, progress=stop)
    files = {file: file.read_text() for file in (tmp_path / "trials").iterdir()}
    assert len(files) == 3
    kept = tmp_path / "trials" / "dimensions4-correlation0.5-seed0.json"
    marked = {**json.loads(kept.read_text()), "estimate": 7.5}
    kept.write_text(json.dumps(marked))
    rows = table(tmp_path)
    assert [(row["dimensions"], row["trial"]) for row in rows] == [(2, 0), (2, 1), (4, 0), (4, 1)]
    assert rows[2]["estimate"] == 7.5
    assert rows[3]["truth"] == pytest.approx(-np.log(0.75))
    assert rows[1]["estimate"] == estimate_total_correlation(2, 0.5, 2, 4, 1, seed=1, units=(4,))
    lines = (tmp_path / "estimates.csv").read_text().splitlines()
    assert lines[0] == "dimensions,correlation,trial,estimate,truth,seconds" and len(lines) == 5


def test_trials_say_what_they_ran_on(tmp_path):
    table(tmp_path)
    (tmp_path / "trials" / ".dimensions2-half-written.json").write_text("{")
    (text, *same), days = environments_and_days_of(tmp_path)
    assert set(same) <= {text} and all(re.fullmatch(r"20\d\d-\d\d-\d\d", day) for day in days)
    backend = keras.backend.backend()
    assert text.startswith(f"Keras {keras.__version__} on {backend} ") and "Python 3." in text
    trial = next((tmp_path / "trials").glob("dimensions2*.json"))
    other = json.loads(trial.read_text())
    other["environment"]["backend"] = "another"
    trial.write_text(json.dumps(other))
    assert len(set(environments_and_days_of(tmp_path)[0])) == 2


def test_table_of_other_settings(tmp_path):
    table(tmp_path)
    with pytest.raises(UsageError, match="other settings"):
        table(tmp_path, steps=3)


@pytest.mark.parametrize("changes", [{"dimensions": (2, 3)}, {"correlations": (0.5, 2)}])
def test_table_is_checked_before_it_begins(tmp_path, changes):
    with pytest.raises(UsageError):
        table(tmp_path / "new", **changes)
    assert not (tmp_path / "new").exists()
