"""Few labels put two factors that a model mixes into codes of their own."""

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.evaluation import correct_pair
from keras_devae.metrics import dci


@pytest.fixture
def factors():
    return np.random.default_rng(0).integers(8, size=(3000, 3))


def mixed(factors):
    """Two factors turned by 45 degrees over two codes, a third one in its own, and noise."""
    first, second, third = factors.T
    noise = np.random.default_rng(1).normal(size=(len(factors), 2))
    columns = [noise[:, 0], first + second, third, first - second, noise[:, 1] / 10]
    return np.stack(columns, axis=1).astype(np.float32)


@pytest.mark.parametrize("labels", [100, 300])
@pytest.mark.parametrize("predictor", ["lightgbm", "gradient_boosting"])
def test_mixed_factors_are_parted_by_few_labels(factors, predictor, labels):
    codes = mixed(factors)
    known, wanted = codes[-labels:], factors[-labels:, [1, 0]]
    corrected, columns = correct_pair(codes, known, wanted, predictor=predictor)
    assert set(columns) == {1, 3}
    np.testing.assert_allclose(corrected[:, columns], factors[:, [1, 0]], atol=1e-4)
    kept = [0, 2, 4]
    np.testing.assert_array_equal(corrected[:, kept], codes[:, kept])
    np.testing.assert_array_equal(codes, mixed(factors))


def test_correction_lowers_the_entanglement_of_the_pair(factors):
    codes = mixed(factors)
    corrected, _ = correct_pair(codes, codes[:100], factors[:100, :2], predictor="lightgbm")
    before, after = (
        dci(each, factors, predictor="lightgbm")["details"]["pairwise_entanglement"]
        for each in (codes, corrected)
    )
    assert before["factor_0,factor_1"] > 0.3 and after["factor_0,factor_1"] < 0.05


def test_two_factors_in_one_code_get_two(factors):
    """One code can hold both, and cannot give both back by a line; others stay as they are."""
    codes = np.stack([factors[:, 0] + factors[:, 1], factors[:, 2]], axis=1)
    corrected, columns = correct_pair(codes, codes[:40], factors[:40, :2], predictor="lightgbm")
    assert sorted(columns) == [0, 1] and np.isfinite(corrected).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c, f: (c[:, :1], c[:50, :1], f[:50, :2]), "two columns or more"),
        (lambda c, f: (c, c[:50, :2], f[:50, :2]), "shapes"),
        (lambda c, f: (c, c[:50], f[:49, :2]), "shapes"),
        (lambda c, f: (c, c[:50], f[:50]), "shapes"),
        (lambda c, f: (c, c[:3], f[:3, :2]), "number of labels"),
        (lambda c, f: (c, c[:50], f[:50, :2] * [1, 0]), "single value"),
        (lambda c, f: (c * np.nan, c[:50], f[:50, :2]), "finite"),
    ],
)
def test_wrong_labels_are_refused(factors, change, message):
    with pytest.raises(UsageError, match=message):
        correct_pair(*change(mixed(factors), factors))
