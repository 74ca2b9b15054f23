"""How far models trained alike agree on their codes: a ranking without factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.linear_model import Lasso

from keras_devae import checks
from keras_devae.checks import Array, flag, listed, one_of
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.arrays import check_codes, numeric_array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.fitting import run_quietly
from keras_devae.metrics.estimators.scaling import standardized
from keras_devae.metrics.metric_warnings import caution_of_few, warn

KINDS = ("spearman", "lasso")

# Not in `METRICS`, because it compares several models.
METRIC = Metric(
    "udr",
    takes="models",
    description="agreement of models trained alike (Duan et al. 2020)",
    numbers={"score": Number("How far models agree on their latents, to compare models with.")},
)


def udr(
    codes: Array | Sequence[Array],
    kl: Array | Sequence[Array],
    *,
    kind: str = "spearman",
    kl_threshold: float = 0.01,
    lasso_alpha: float = 0.1,
    pooled: bool = False,
    seed: int | None = 0,
) -> Score:
    """Unsupervised disentanglement ranking (Duan et al. 2020), as in disentanglement_lib.

    Two models of the same images agree if each informative latent of one goes with a single latent
    of the other, up to order, sign and scale. A pair's score is `relative_strength` of the matrix
    of its absolute correlations, a model's score the median over its pairs. Scores compare models
    with each other; a score has no meaning of its own.

    Only informative latents count: those whose mean KL divergence is above the threshold and whose
    codes vary. (disentanglement_lib can also keep the others, which then have no rank correlation
    and take others down with them.) A model without any scores 0, with a `MetricWarning`.

    Args:
        codes: Codes of m >= 2 models for the same n images: an array `(m, n, d)`, or a list of m
            arrays `(n, d_i)`.
        kl: For each model, the mean KL divergence of each of its latents: `(d_i,)`, in nats, e.g.
            from `kl_per_dimension`.
        kind: `"spearman"` (default): absolute rank correlations, in `[0, 1]`. `"lasso"`: absolute
            coefficients of a lasso regression of one model's standardised codes on the other's.
        kl_threshold: Latents with a mean KL divergence up to this are uninformative.
        lasso_alpha: Penalty of the lasso.
        pooled: Whether a pair's score is the mean over the latents of both models together, not the
            mean of the two models' means (default). They differ for models with different numbers
            of informative latents.
        seed: Seed that the samples were drawn with; it is only recorded, as nothing here is random.

    Returns:
        `udr.score`, the mean of the models' scores. `details`: `model_scores`, a list of m;
        `pairwise_scores`, m lists of m with 0 for a model with itself; `informative_latents`,
        indices by model; `correlations`, for each ordered pair of models `models`, the indices, and
        `matrix`, a row for each informative latent of the first and a column for each of the
        second. For a lasso the second is predicted from the first, and a model's score is the
        median over the predictions of its codes. `settings`: `lasso_alpha` is `None` with
        `"spearman"`.

    Raises:
        UsageError: If there are fewer than two models, or an array or a setting is wrong.
    """
    one_of("kind of udr", kind, KINDS)
    flag("pooled", pooled)
    check_recorded_seed(seed)
    checks.finite_at_least("kl_threshold", kl_threshold)
    checks.positive("lasso_alpha", lasso_alpha)
    models, divergences = _check_models(codes, kl)
    caution_of_few(len(models[0]))
    informative = _informative(models, divergences, kl_threshold)
    columns = [
        standardized(model[:, kept]) for model, kept in zip(models, informative, strict=True)
    ]
    alpha = lasso_alpha if kind == "lasso" else None
    correlations, failed = run_quietly(lambda: _correlations(columns, alpha))
    if failed:
        warn("A lasso of udr did not converge; its score may be off in the third digit.")
    pairwise = np.zeros((len(models), len(models)))
    for (i, j), matrix in correlations.items():
        pairwise[i, j] = relative_strength(matrix, pooled)
    scores = [float(np.median(np.delete(pairwise[:, i], i))) for i in range(len(models))]
    details = {
        "model_scores": scores,
        "pairwise_scores": pairwise.tolist(),
        "informative_latents": [kept.tolist() for kept in informative],
        "correlations": [
            {"models": list(pair), "matrix": matrix.tolist()}
            for pair, matrix in correlations.items()
        ],
    }
    settings = {
        "kind": kind,
        "kl_threshold": float(kl_threshold),
        "lasso_alpha": None if alpha is None else float(alpha),
        "pooled": bool(pooled),
        "sample_count": len(models[0]),
        "model_count": len(models),
        "code_counts": [model.shape[1] for model in models],
        "seed": seed,
    }
    libraries = ("scipy", "scikit-learn")
    return METRIC.score({"score": np.mean(scores)}, details, settings, libraries)


def relative_strength(matrix: Array, pooled: bool = False) -> float:
    """Returns how far the absolute correlations `(a, b)` of two models' latents are one to one.

    For each row and each column the square of the largest value over the sum, 0 if the sum is 0;
    of these, the mean of the rows' mean and the columns' mean, or, if `pooled`, of all of them. It
    is 1 for a permutation matrix, 0 for an empty or zero matrix.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if not matrix.size:
        return 0.0
    rows, columns = _strengths(matrix), _strengths(matrix.T)
    if pooled:
        return float(np.concatenate([rows, columns]).mean())
    return float((rows.mean() + columns.mean()) / 2)


def _strengths(matrix: Array) -> Array:
    sums = matrix.sum(axis=1)
    return np.where(sums > 0, matrix.max(axis=1) ** 2 / np.where(sums > 0, sums, 1.0), 0.0)


def _correlations(columns: list[Array], alpha: float | None) -> dict[tuple[int, int], Array]:
    """Returns a matrix for each ordered pair of models, by lasso or, without a penalty, by rank."""
    if alpha is None:
        columns = [standardized(rankdata(model, axis=0)) for model in columns]
    pairs = [(i, j) for i in range(len(columns)) for j in range(len(columns)) if i != j]
    matrices = {}
    for i, j in pairs:
        first, second = columns[i], columns[j]
        if alpha is None:
            matrices[i, j] = np.minimum(1.0, np.abs(first.T @ second) / len(first))
        elif first.size and second.size:
            coefficients = Lasso(alpha=alpha).fit(first, second).coef_
            matrices[i, j] = np.abs(coefficients).reshape(second.shape[1], first.shape[1]).T
        else:
            matrices[i, j] = np.zeros((first.shape[1], second.shape[1]))
    return matrices


def _check_models(codes: Any, kl: Any) -> tuple[list[Array], list[Array]]:
    codes = listed("codes", codes, "arrays, one a model")
    kl = listed("kl", kl, "arrays, one a model")
    models = [check_codes(model, f"codes[{i}]") for i, model in enumerate(codes)]
    lengths = sorted({len(model) for model in models})
    if len(models) < 2 or len(lengths) > 1:
        raise UsageError(
            "`codes` must be from two or more models for the same images. Received: "
            f"{len(models)} models, with {' or '.join(map(str, lengths)) or 'no'} images."
        )
    if len(kl) != len(models):
        raise UsageError(
            f"`kl` must have an entry for each of the {len(models)} models. Received: {len(kl)}."
        )
    divergences = []
    for i, (model, divergence) in enumerate(zip(models, kl, strict=True)):
        form = "a numeric array with a value for each of the model's latents"
        divergence = check_codes(
            numeric_array(divergence, f"kl[{i}]", form, axes=1)[None], f"kl[{i}]"
        )[0]
        if divergence.shape != (model.shape[1],):
            raise UsageError(
                f"`kl[{i}]` must have a value for each of the model's {model.shape[1]} latents. "
                f"Received: shape {divergence.shape}."
            )
        divergences.append(divergence)
    return models, divergences


def _informative(models: list[Array], divergences: list[Array], threshold: float) -> list[Array]:
    """Returns the indices of each model's informative latents; warns of models without any."""
    informative = [
        np.flatnonzero((divergence > threshold) & np.any(model != model[0], axis=0))
        for model, divergence in zip(models, divergences, strict=True)
    ]
    without = [str(i) for i, kept in enumerate(informative) if not len(kept)]
    if without:
        warn(
            "There is no active latent dimension in some models, which score 0 in udr: "
            f"{', '.join(without)}."
        )
    return informative
