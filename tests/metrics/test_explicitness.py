"""DCI-ES: how much capacity it takes to read factors off the codes."""

import json

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning, dci_es
from keras_devae.metrics.scores.dci_es import explicitness_of

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, [2, 3], size=(1500, 2))
CODES = FACTORS @ [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]] + 0.3 * RNG.normal(size=(1500, 3))
QUICK = {"depths": (1, 2, 4, 8), "trees": 5}


def test_a_straight_fall_has_0_and_its_extremes_1_and_minus_1():
    capacities = [1, 2, 3]
    for curve, expected in (
        ([0.5, 0.25, 0.0], 0),
        ([0.0, 0.0, 0.0], 1),
        ([0.4, 0.4, 0.4], 1),
        ([0.5, 0.5, 0.0], -0.5),
        ([0.5, 0.0, 0.0], 0.5),
    ):
        found = explicitness_of(capacities, np.array([curve]).T, np.array([0.5]))
        assert found == pytest.approx([expected])


def test_authors_code_has_the_same_numbers(reference):
    known = reference("explicitness")
    losses = np.minimum.accumulate(known["losses"], axis=0)
    found = explicitness_of(known["capacities"], losses, np.array(known["guessing"]))
    np.testing.assert_allclose(found, known["explicitness"], atol=1e-12)


def test_losses_and_importances_are_those_of_the_forests():
    measured = np.column_stack([FACTORS[:, 0], CODES @ [0.3, 0.0, 1.0]])
    score = dci_es(CODES, measured, continuous=[1], n_train=1000, seed=3, **QUICK)
    # Standardised values are equal but for rounding, by which a split may move.
    train, test = CODES[:1000].astype(np.float32), CODES[1000:].astype(np.float32)
    scores, importances = [], []
    for depth in QUICK["depths"]:
        options = {"max_depth": depth, "n_estimators": 5, "random_state": 3}
        fitted = RandomForestClassifier(**options).fit(train, measured[:1000, 0])
        values = (measured[:, 1] - measured[:1000, 1].mean()) / measured[:1000, 1].std()
        other = RandomForestRegressor(**options).fit(train, values[:1000])
        scores.append([fitted.score(test, measured[1000:, 0]), other.score(test, values[1000:])])
        importances.append([fitted.feature_importances_, other.feature_importances_])
    losses = np.minimum.accumulate(1 - np.array(scores), axis=0)
    np.testing.assert_allclose(list(score.details["losses"].values()), losses.T, atol=1e-3)
    best = int(np.mean(scores, axis=1).argmax())
    assert score.details["best_depth"] == QUICK["depths"][best]
    np.testing.assert_allclose(
        np.transpose(score.details["importance_matrix"]), importances[best], atol=1e-3
    )
    assert score["dci_es.informativeness"] == pytest.approx(np.mean(scores[best]), abs=1e-3)
    expected = explicitness_of(QUICK["depths"], losses, np.array([0.5, 1.0]))
    assert score["dci_es.explicitness"] == pytest.approx(expected.mean(), abs=1e-3)


def test_depth_beyond_the_deepest_tree_changes_nothing():
    """Forests are grown once more only while their trees are cut off."""
    codes, factors = CODES[:300], FACTORS[:300]
    with pytest.warns(MetricWarning, match="Few samples"):
        score = dci_es(codes, factors, depths=(2, 30, 31, 32), trees=3)
    deep = RandomForestClassifier(n_estimators=3, max_depth=32, random_state=0)
    deep.fit(codes[:200].astype(np.float32), factors[:200, 0])
    expected = 1 - deep.score(codes[200:].astype(np.float32), factors[200:, 0])
    last = np.minimum.accumulate(score.details["losses"]["factor_0"])[-1]
    shallow = score.details["losses"]["factor_0"][0]
    assert last == pytest.approx(min(shallow, expected))


def test_a_code_that_holds_the_factors_plainly_is_explicit():
    plain = dci_es(FACTORS * 1.0, FACTORS, depths=(2, 4, 8, 16), trees=20)
    assert plain["dci_es.explicitness"] == pytest.approx(1)
    assert plain["dci_es.informativeness"] == 1 and plain["dci_es.size"] == 1
    assert plain["dci_es.disentanglement"] > 0.9 and plain["dci_es.completeness"] > 0.9
    # Parity of many steps takes depth.
    hidden = np.column_stack([RNG.random(1500), RNG.random(1500)])
    folded = np.floor(16 * hidden).astype(int) % 2
    buried = dci_es(hidden, folded, depths=(1, 2, 4, 8, 16), trees=20)
    assert buried["dci_es.explicitness"] < plain["dci_es.explicitness"] - 0.2
    assert buried["dci_es.informativeness"] > 0.8


def test_what_nobody_wishes_for_is_finite():
    plain = dci_es(CODES, FACTORS, **QUICK)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert dci_es(CODES, FACTORS, workers=1, **QUICK).numbers == plain.numbers
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        collapsed = dci_es(np.zeros((1500, 4)), FACTORS, **QUICK)
    assert collapsed["dci_es.explicitness"] == collapsed["dci_es.disentanglement"] == 0
    assert collapsed["dci_es.size"] == 0.5 and collapsed["dci_es.informativeness"] > 0.3
    with pytest.warns(MetricWarning, match="1 of 4 codes are constant"):
        padded = dci_es(np.column_stack([CODES, np.ones(1500)]), FACTORS, **QUICK)
    assert padded["dci_es.size"] == 0.5
    padded.pop("dci_es.size")
    for key, value in padded.numbers.items():
        assert value == pytest.approx(plain[key])
    with pytest.warns(MetricWarning, match="factor_1"):
        dropped = dci_es(CODES, np.insert(FACTORS, 1, 7, axis=1), **QUICK)
    assert dropped.numbers == plain.numbers
    for scale in (1e300, 1e-300):
        scaled = dci_es(CODES * scale, FACTORS, **QUICK)
        assert scaled.numbers == pytest.approx(plain.numbers, abs=0.03)
    assert np.isfinite(list(dci_es(CODES[:, :1], FACTORS[:, :1], **QUICK).numbers.values())).all()


@pytest.mark.parametrize("depths", [(3,), (3, 3), (0, 2), (1.5, 2), (True, 2), 4, (1, 10**6)])
def test_wrong_depths_are_refused(depths):
    with pytest.raises(UsageError, match="`depths` must be"):
        dci_es(CODES, FACTORS, depths=depths)


def test_wrong_settings_are_refused():
    for given, message in (
        ({"trees": 0}, "`trees` must be"),
        ({"workers": 0}, "`workers` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"n_train": 1500}, "`n_train` must leave"),
    ):
        with pytest.raises(UsageError, match=message):
            dci_es(CODES, FACTORS, **given)
