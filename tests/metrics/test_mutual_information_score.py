import json
import math

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.metric_warnings import MetricWarning
from keras_devae.metrics.scores.mutual_information_score import BLOCK, mutual_information_score

KEY = "mutual_information_score.score"
VARYING = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "f_hidim64", "h_dsprites_like"]


@pytest.mark.parametrize("case", [*VARYING, "j_constant_factor", "k_nonlinear"])
def test_score_equals_disentanglement_lib(case, reference, load_case):
    codes, _ = load_case(case)
    expected = reference("supervised")[case]["unsupervised"]["values"]["mutual_info_score"]
    assert mutual_information_score(codes)[KEY] == pytest.approx(expected, abs=1e-6)


def test_mean_over_pairs_by_hand():
    first = np.repeat([0, 1], 4)
    second = np.tile([0, 1], 4)
    codes = np.stack([first, second, 1 - first], axis=1)
    scores = mutual_information_score(codes * 2.5)
    assert scores[KEY] == pytest.approx(math.log(2) / 3, abs=1e-12)
    assert mutual_information_score(codes, discretizer="identity")[KEY] == scores[KEY]
    assert json.loads(json.dumps(scores)) == scores


def test_constant_codes_count_as_uninformative():
    columns = np.tile([[0.0, 0.0, 5.0], [1.0, 1.0, 5.0]], (10, 1))
    with pytest.warns(MetricWarning, match="1 of 3 codes are constant.*: 2") as record:
        scores = mutual_information_score(columns)
    assert record[0].filename == __file__
    assert scores[KEY] == pytest.approx(math.log(2) / 3, abs=1e-12)
    assert scores["details"]["constant_codes"] == [2]


def test_more_codes_than_a_block():
    random = np.random.default_rng(0)
    bits = random.integers(0, 2, size=(64, BLOCK + 3))
    copies = np.repeat(bits[:, :1], BLOCK + 3, axis=1)
    counts = np.bincount(bits[:, 0]) / 64
    entropy = -np.sum(counts * np.log(counts))
    assert mutual_information_score(copies)[KEY] == pytest.approx(entropy, abs=1e-12)


def test_one_code_has_no_pair():
    assert mutual_information_score([[0.0], [1.0]])[KEY] == 0


def test_identity_takes_integers_only():
    with pytest.raises(UsageError, match="'identity' is for integer codes"):
        mutual_information_score([[0.5], [1.0]], discretizer="identity")
    with pytest.raises(UsageError, match="`bins`"):
        mutual_information_score([[0.5], [1.0]], bins=1)
