"""Corrects two entangled latent dimensions of a trained model with few labels."""

from __future__ import annotations

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import MOST_SEED_OF_A_FIT, check_seed
from keras_devae.metrics.arrays import check_codes, check_factors
from keras_devae.metrics.labelled import Split
from keras_devae.metrics.scores.dci import PREDICTORS


def correct_pair(
    codes: Array,
    labelled_codes: Array,
    labels: Array,
    *,
    predictor: str = "gradient_boosting",
    seed: int = 0,
) -> tuple[Array, tuple[int, int]]:
    """Puts two factors into two codes of their own by few labels (Träuble et al. 2021).

    Where two factors are correlated in the training data, a model mixes them in two latent
    dimensions. Their post-hoc correction: boosted trees, fitted to the labels, find the two most
    important dimensions; a linear regression of the two factors on these two dimensions, fitted to
    the same labels, takes their place. All other codes stay as they are.

    Departs from the paper in that the two dimensions always differ: of all pairs, the one whose
    importances for the first and the second factor have the largest sum.

    Args:
        codes: `(n, d)` codes to correct, `d` at least 2.
        labelled_codes: `(m, d)` codes of the labelled images, `m` at least 4.
        labels: `(m, 2)` whole-number values of the two factors in these images.
        predictor: Trees, `"gradient_boosting"` (default) or `"lightgbm"`, see `metrics.dci`.
        seed: Seed of the trees; default 0.

    Returns:
        float64 codes `(n, d)`, and the two columns that were replaced, of the first factor and of
        the second.

    Raises:
        UsageError: If arrays do not fit each other, or one of the two factors has a single value
            in the labels.

    Example:
        >>> random = np.random.default_rng(0)
        >>> factors = random.integers(0, 6, (500, 2))
        >>> mixed = factors @ [[1.0, 1.0], [1.0, -1.0]]
        >>> corrected, columns = kd.evaluation.correct_pair(
        ...     mixed, mixed[:100], factors[:100], predictor="lightgbm"
        ... )
        >>> bool(np.allclose(corrected[:, columns], factors))
        True
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.linear_model import LinearRegression

    from keras_devae.metrics.estimators.boosting import boost, boost_with_lightgbm

    checks.one_of("predictor", predictor, PREDICTORS)
    check_seed(seed, MOST_SEED_OF_A_FIT)
    codes, known = check_codes(codes), check_codes(labelled_codes, "labelled_codes")
    labels = check_factors(labels, "labels")
    if known.shape[1:] != codes.shape[1:] or codes.shape[1] < 2 or labels.shape != (len(known), 2):
        raise UsageError(
            "`codes` must be (n, d) with two columns or more, `labelled_codes` (m, d) and `labels` "
            f"(m, 2). Received: shapes {codes.shape}, {known.shape} and {labels.shape}."
        )
    checks.at_least("the number of labels", len(labels), 4)
    # All labels but one fit the trees, and that one tests them, which is of no use here.
    if (labels[:-1] == labels[0]).all(axis=0).any():
        raise UsageError(
            "Each of the two factors must have two values or more in the labels. Received: "
            f"{len(labels)} labels in which one has a single value; give more labels."
        )
    fit = boost if predictor == "gradient_boosting" else boost_with_lightgbm
    split = Split(known[:-1], labels[:-1], known[-1:], labels[-1:], ("first", "second"), [], {})
    importances = fit(split, seed).importances
    columns, factors = linear_sum_assignment(importances, maximize=True)
    pair = columns[np.argsort(factors)].tolist()
    fitted = LinearRegression().fit(known[:, pair], labels)
    corrected = np.array(codes, np.float64)
    corrected[:, pair] = fitted.predict(codes[:, pair])
    return corrected, (pair[0], pair[1])
