"""Disentanglement and completeness by mutual information, also for codes of many dimensions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array, flag
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators import importance
from keras_devae.metrics.estimators.discretization import binning_settings
from keras_devae.metrics.estimators.mutual_information import mutual_information_matrix
from keras_devae.metrics.labelled import (
    Split,
    check_counted_rows,
    check_labelled,
    per_factor,
    split_rows,
)

METRIC = Metric(
    "med",
    takes="split",
    description="disentanglement and completeness by mutual information (Cao et al. 2022)",
    numbers={
        "disentanglement": Number(
            "1 if each latent is informative about one factor only, by mutual information.",
            title="MED disentanglement",
        ),
        "completeness": Number(
            "1 if only one latent is informative about each factor, by mutual information."
        ),
        "informativeness_train": Number(
            "Accuracy of a logistic regression of the factors on the codes, on the images that it "
            "was fitted to."
        ),
        "informativeness_test": Number(
            "Accuracy of a logistic regression of the factors on the codes, on other images. "
            "Higher is better."
        ),
        "top_k_disentanglement": Number(
            "As med.disentanglement, of the few most informative latents.",
            title="top-1 MED disentanglement",
        ),
        "top_k_completeness": Number(
            "As med.completeness, of the few most informative latents.",
            title="top-1 MED completeness",
        ),
    },
    fast={"informativeness": False},
    per_factor="completeness",
    is_binned=True,
    place=80,
)


def med(
    codes: Array,
    factors: Array,
    *,
    top_k: int | None = 1,
    bins: int = 20,
    discretizer: str = "histogram",
    informativeness: bool = True,
    importance_rows: str | None = None,
    n_train: int | None = None,
    factor_names: Iterable[str] | None = None,
    seed: int | None = 0,
) -> Score:
    """Mutual information based entropy disentanglement (Cao et al. 2022).

    DCI's disentanglement and completeness, with the mutual information of codes and factors in
    place of the importances of a predictor: nothing is fitted, and it takes seconds for 1000 codes.
    Each factor's information is divided by its sum over codes. With `top_k`, both scores are also
    given for fewer codes: each code belongs to the factor about which it is most informative, and
    each factor keeps the k most disentangled ones. Their importances are not divided by a new sum.

    Finite samples give every code a little information, so many dead codes lower both scores;
    `top_k` is for that. Constant codes are left out and count neither as codes nor in the base of
    completeness; where every code is constant both scores are 0.

    Informativeness is the accuracy of a logistic regression from all standardised codes to each
    factor. With 1000 codes that takes most of the time; `informativeness=False` leaves it out.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        top_k: Number of codes to keep for each factor, default 1; `None` for no top-k scores.
        bins: As for `mig`.
        discretizer: As for `mig`.
        factor_names: As for `mig`.
        seed: As for `mig`.
        informativeness: Whether to compute informativeness.
        importance_rows: Rows that information is counted on, `"all"` or `"train"`; `None` for all
            if `n_train` is `None`, and the training rows (as the authors' code does) otherwise.
        n_train: Number of rows that train, the first ones; `None` for two thirds.

    Returns:
        `med.disentanglement`, `med.completeness`; unless it was left out,
        `med.informativeness_train`, `med.informativeness_test`; with `top_k`,
        `med.top_k_disentanglement`, `med.top_k_completeness`. `details`: `importance_matrix` `(d,
        varying factors)` and `per_code` as lists, `per_factor` by name, `constant_codes`,
        `top_k_codes` (`None` without `top_k`), and `informativeness_train` and
        `informativeness_test` by name.

    Raises:
        UsageError: If an array or a setting is wrong, no factor varies, or real codes meet
            `"identity"`.
    """
    importance_rows = check_counted_rows("importance_rows", importance_rows, n_train)
    flag("informativeness", informativeness)
    check_recorded_seed(seed)
    top_k = None if top_k is None else int(checks.at_least("top_k", top_k, 1))
    labelled = check_labelled(codes, factors, factor_names)
    splits = informativeness or importance_rows == "train"
    split = split_rows(labelled, n_train) if splits else None
    counted = (labelled.codes, labelled.factors, labelled.names)
    if split is not None and importance_rows == "train":
        counted = (split.train_codes, split.train_factors, split.names)
    matrix = _importances(*counted[:2], bins, discretizer)
    values, details = importance.importance_scores(matrix, counted[2], labelled.constant_codes)
    details["top_k_codes"] = None
    if top_k is not None:
        varying = np.delete(np.arange(len(matrix)), labelled.constant_codes)
        picked = varying[top_k_codes(matrix[varying], top_k)].tolist()
        values["top_k_disentanglement"] = importance.disentanglement_of(matrix[picked])
        values["top_k_completeness"] = importance.completeness_of(matrix[picked])
        details["top_k_codes"] = picked
    if split is not None and informativeness:
        accuracies = _accuracies(split)
        values.update({key: float(np.mean(list(by.values()))) for key, by in accuracies.items()})
        details.update(accuracies)
    settings = {
        **binning_settings(bins, discretizer),
        "top_k": top_k,
        "importance_rows": importance_rows,
        "predictor": "logistic_regression" if informativeness else None,
        "n_train": None,
        "seed": seed,
        **(split or labelled).settings,
    }
    libraries = ("scikit-learn",) if informativeness else ()
    return METRIC.score(values, details, settings, libraries)


def top_k_codes(matrix: Array, k: int) -> list[int]:
    """Picks, for each factor, the k most disentangled of the codes most informative about it.

    Importances are `(d, f)`; among equal codes the first ones are picked. Returns sorted indices of
    rows; a factor that is no code's most important one has none.
    """
    best = np.argmax(matrix, axis=1)
    ranked = np.argsort(-importance.disentanglement_per_code(matrix), kind="stable")
    picked = [ranked[best[ranked] == factor][:k] for factor in range(matrix.shape[1])]
    return sorted(np.concatenate(picked).tolist())


def _importances(codes: Array, factors: Array, bins: int, discretizer: str) -> Array:
    """Returns each factor's information divided by its sum over codes, `(d, f)`."""
    information = mutual_information_matrix(codes, factors, bins=bins, discretizer=discretizer)
    totals = information.sum(axis=0)
    return information / np.where(totals > 0, totals, 1.0)


def _accuracies(split: Split) -> dict[str, dict[str, float]]:
    """Returns the accuracy by factor name, on the training and on the test rows."""
    from keras_devae.metrics.estimators.fitting import fit_factors

    fitted = fit_factors(split, "med")
    parts = {
        "informativeness_train": (fitted.train, split.train_factors),
        "informativeness_test": (fitted.test, split.test_factors),
    }
    accuracies = {}
    for key, (codes, factors) in parts.items():
        found = zip(fitted.models, factors.T, strict=True)
        rights = [np.mean(model.predict(codes) == column) for model, column in found]
        accuracies[key] = per_factor(split.names, rights)
    return accuracies
