import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from keras_devae.errors import UsageError
from keras_devae.metrics import dci, pairwise_entanglement
from keras_devae.metrics.estimators.importance import (
    completeness_of,
    completeness_per_factor,
    disentanglement_of,
    disentanglement_per_code,
)


def test_scores_of_matrices_equal_disentanglement_lib(reference, reference_inputs):
    matrices = reference_inputs("matrices")
    for name, stored in reference("matrices").items():
        known, matrix = stored["values"], matrices[name]
        for key, function in (
            ("dci_disentanglement", disentanglement_of),
            ("dci_per_code", disentanglement_per_code),
            ("dci_completeness", completeness_of),
            ("dci_per_factor", completeness_per_factor),
        ):
            values = np.asarray(known[key], dtype=float)
            if np.all(np.isfinite(values)):
                np.testing.assert_allclose(function(matrix), values, atol=1e-6, err_msg=name)


def test_one_factor_or_one_code_is_whether_there_is_importance():
    np.testing.assert_array_equal(disentanglement_per_code([[0.4], [0.0]]), [1.0, 0.0])
    np.testing.assert_array_equal(completeness_per_factor([[0.4, 0.0]]), [1.0, 0.0])
    assert disentanglement_of([[0.4], [0.0]]) == 1.0 and completeness_of([[0.4, 0.0]]) == 1.0


@pytest.mark.parametrize("shape", [(3, 2), (1, 2), (2, 1), (0, 2)])
def test_no_importance_is_zero(shape):
    assert disentanglement_of(np.zeros(shape)) == 0.0 and completeness_of(np.zeros(shape)) == 0.0


def together(matrix, threshold):
    """Pairs of factors that SciPy finds in one component of the graph without lesser edges."""
    kept = np.where(matrix >= threshold, matrix, 0)
    codes, factors = matrix.shape
    graph = np.zeros((codes + factors,) * 2)
    graph[:codes, codes:] = kept
    _, labels = connected_components(csr_array(graph), directed=False)
    return labels[codes:, None] == labels[codes:]


@pytest.mark.parametrize("shape", [(1, 4), (3, 2), (5, 5), (10, 6), (4, 1)])
def test_a_pair_is_entangled_up_to_the_threshold_that_parts_it(shape):
    matrix = np.random.default_rng(1).dirichlet(np.ones(shape[0]) / 2, shape[1]).T
    entanglement = pairwise_entanglement(matrix)
    np.testing.assert_array_equal(np.diag(entanglement), matrix.max(axis=0))
    np.testing.assert_array_equal(entanglement, entanglement.T)
    for i, j in itertools.combinations(range(shape[1]), 2):
        assert together(matrix, entanglement[i, j])[i, j]
        assert not together(matrix, np.nextafter(entanglement[i, j], 2))[i, j]


def test_entanglement_of_known_codes():
    shared = [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert pairwise_entanglement(shared).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    mixed = [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    assert pairwise_entanglement(mixed).tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]]
    # The first and the last share no code, and yet no threshold below 0.3 parts them.
    through = [[0.7, 0.3, 0.0], [0.3, 0.4, 0.0], [0.0, 0.3, 1.0]]
    assert pairwise_entanglement(through)[0, 2] == 0.3
    assert (pairwise_entanglement(np.zeros((2, 3))) == 0).all()


@pytest.mark.parametrize("predictor", ["lightgbm", "gradient_boosting"])
def test_trees_see_which_pair_is_entangled(predictor):
    """Factor pairs in one code, turned by 45 degrees over two codes, and each in its own."""
    factors = np.random.default_rng(0).integers(4, size=(1500, 4)).astype(int)
    first, second, third, fourth = factors.T
    turned = [first + second, first - second, third, fourth]
    shared = [4 * first + second, third, fourth]
    for codes, low, high in ((factors.T, -0.01, 0.05), (turned, 0.35, 0.55), (shared, 0.99, 1.01)):
        details = dci(np.stack(codes, 1) * 1.0, factors, predictor=predictor)["details"]
        pairs = details["pairwise_entanglement"]
        assert low < pairs.pop("factor_0,factor_1") < high
        assert len(pairs) == 5 and max(pairs.values()) < 0.05


@pytest.mark.parametrize("matrix", [[0.5, 0.5], [[-0.1, 0.5]], [[np.nan, 1.0]], np.zeros((0, 2))])
def test_entanglement_refuses_what_is_no_importance(matrix):
    with pytest.raises(UsageError, match="`importance_matrix` must"):
        pairwise_entanglement(matrix)
