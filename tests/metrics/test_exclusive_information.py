"""MIG-sup and DCIMIG: what each code tells of its best factor beyond the next one."""

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning, dcimig, mig, mig_sup

SIZES = (3, 4, 5)
GRID = np.indices(SIZES).reshape(3, -1).T.repeat(20, axis=0)


def test_a_perfect_code_scores_1_and_its_copies_do_not_matter():
    assert mig_sup(GRID, GRID)["mig_sup.score"] == pytest.approx(1)
    assert dcimig(GRID, GRID)["dcimig.score"] == pytest.approx(1)
    copied = GRID[:, [0, 0, 1, 2]]
    assert mig(copied, GRID)["mig.score"] == pytest.approx(2 / 3)
    assert mig_sup(copied, GRID)["mig_sup.score"] == pytest.approx(1)
    assert dcimig(copied, GRID)["dcimig.score"] == pytest.approx(1)


def test_a_code_of_two_factors_has_the_difference_of_their_information():
    """MIG is 1 for a code that holds everything; its supplement is not."""
    codes = np.column_stack([GRID[:, 0] * 4 + GRID[:, 1], GRID[:, 2]])
    assert mig(codes, GRID, discretizer="identity")["mig.score"] == pytest.approx(1)
    nats = np.log(SIZES)
    supplement = mig_sup(codes, GRID, discretizer="identity")
    # Both factors are told in full, so that the shares of their entropies are equal.
    assert supplement.details["per_code"] == pytest.approx([0, 1])
    exclusive = dcimig(codes, GRID, discretizer="identity")
    expected = (nats[1] - nats[0] + nats[2]) / nats.sum()
    assert exclusive["dcimig.score"] == pytest.approx(expected)
    assert exclusive.details["codes"] == {"factor_0": None, "factor_1": 0, "factor_2": 1}
    assert exclusive.details["per_code"] == pytest.approx([nats[1] - nats[0], nats[2]])


def test_other_code_has_the_same_numbers(reference, reference_inputs):
    given = reference_inputs("separability")
    with pytest.warns(MetricWarning, match="Few samples"):
        score = dcimig(given["z_mean"], given["factors"])
    known = reference("separability")
    assert score["dcimig.score"] == pytest.approx(known["carbonneau"]["dcimig"], abs=1e-9)
    balanced, expected = reference_inputs("balanced"), known["provlae"]
    with pytest.warns(MetricWarning, match="Few samples"):
        supplement = mig_sup(balanced["codes"], balanced["factors"])
        plain = mig(balanced["codes"], balanced["factors"])
    assert supplement["mig_sup.score"] == pytest.approx(expected["mig_sup"], abs=1e-9)
    assert plain["mig.score"] == pytest.approx(expected["mig"], abs=1e-9)
    counted = [i for i, gap in enumerate(supplement.details["per_code"]) if gap is not None]
    assert counted == expected["active"] and supplement["mig_sup.active_codes"] == len(counted)


def test_codes_that_hardly_vary_do_not_count():
    noise = 0.05 * np.random.default_rng(0).normal(size=(len(GRID), 2))
    codes = np.column_stack([GRID, noise])
    assert mig_sup(codes, GRID)["mig_sup.score"] == pytest.approx(1)
    assert mig_sup(codes, GRID, threshold=0)["mig_sup.active_codes"] == 5
    assert mig_sup(codes, GRID, threshold=0)["mig_sup.score"] < 0.7
    with pytest.warns(MetricWarning, match="No code has a variance above 100, and mig_sup is 0"):
        assert mig_sup(codes, GRID, threshold=100)["mig_sup.score"] == 0
    with pytest.raises(UsageError, match="`threshold` must be"):
        mig_sup(codes, GRID, threshold=-1)


def test_huge_tiny_and_collapsed_codes_are_finite():
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        collapsed = mig_sup(np.full((len(GRID), 2), 0.1), GRID)
    assert collapsed.numbers == {"mig_sup.score": 0, "mig_sup.active_codes": 0}
    assert mig_sup(GRID * 1e300, GRID).mean() == pytest.approx(1)
    with pytest.warns(MetricWarning, match="No code has a variance above 0.01"):
        assert mig_sup(GRID * 1e-300, GRID).mean() == 0
    with pytest.warns(MetricWarning, match=r"factor_3\.$"):
        padded = mig_sup(GRID, np.column_stack([GRID, np.ones(len(GRID))]))
    assert padded.mean() == pytest.approx(1)


@pytest.mark.parametrize("function", [mig_sup, dcimig])
def test_noise_scores_near_0_and_order_does_not_matter(function):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1200, 3))
    assert 0 <= function(noise, GRID).mean() < 0.05
    mixed = GRID + 0.4 * noise
    order = rng.permutation(1200)
    shuffled = function(mixed[order], GRID[order])
    assert shuffled.numbers == pytest.approx(function(mixed, GRID).numbers, abs=1e-12)
