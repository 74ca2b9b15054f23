import numpy as np
import pytest

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
