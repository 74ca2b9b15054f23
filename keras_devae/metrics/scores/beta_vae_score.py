"""The BetaVAE metric: recognises the fixed factor from differences of codes."""

from __future__ import annotations

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_rows_drawn, check_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.scaling import scaled_down
from keras_devae.metrics.labelled import per_factor
from keras_devae.metrics.metric_warnings import warn
from keras_devae.metrics.row_index import FactorIndex
from keras_devae.metrics.samplers import Sampler, as_sampler

# Codes gathered at a time.
CHUNK = 2_000_000

METRIC = Metric(
    "beta_vae_score",
    takes="sampler",
    description="accuracy of finding the shared factor by code differences (Higgins et al. 2017)",
    numbers={
        "score": Number(
            "How often a linear classifier recognises which factor two groups of images share. "
            "Higher is better; it is near 1 early, so differences there mean little."
        ),
        "train_accuracy": Number(
            "The same score on the examples that the classifier was fitted to."
        ),
        "chance": Number("The BetaVAE score of guessing."),
    },
    fast={"n_train": 1000, "n_test": 1000},
    place=30,
)


def beta_vae_score(
    sampler: Sampler | Array,
    factors: Array | None = None,
    *,
    n_train: int = 10_000,
    n_test: int = 5_000,
    batch_size: int = 64,
    seed: int = 0,
) -> Score:
    """Accuracy of a linear classifier of the factor that pairs share (Higgins et al. 2017).

    A point is the mean over a batch of pairs of the absolute difference of their codes; the two
    samples of a pair share the value of one factor. A logistic regression (scikit-learn's
    defaults), fitted to the training points, tells that factor on the test points.

    By its definition the score saturates early, cannot see two factors merged in one code (that
    scores 1), and depends on the scale of the codes. Codes beyond 2^100 are scaled down first.
    Constant factors are left out with a `MetricWarning`; with one factor left the score is 1.

    Args:
        sampler: A `CodeTable` or an `EncodedDataset`; or codes `(n, d)`, with their factors.
        factors: `(n, f)` whole-number factors, where codes are given; they make a `CodeTable`.
        n_train: Points to fit on; default 10,000.
        n_test: Points to test on; default 5,000.
        batch_size: Pairs per point; default 64.
        seed: Seed of everything drawn; default 0.

    Returns:
        `beta_vae_score.score` (accuracy on the test points, in `[0, 1]`),
        `beta_vae_score.train_accuracy`, `beta_vae_score.chance` (one over the number of factors).
        `details`: `per_factor` (test accuracy by factor; a factor without test points is left out).

    Raises:
        UsageError: If a count or the seed is out of range, or a code is not finite.
    """
    counts = {"n_train": n_train, "n_test": n_test, "batch_size": batch_size}
    for name, value in counts.items():
        checks.at_least(name, value, 1)
    check_rows_drawn(2 * (n_train + n_test) * batch_size, "`n_train`, `n_test` and `batch_size`")
    check_seed(seed)
    sampler = as_sampler(sampler, factors)
    held, first, second = _drawn_rows(sampler.index, n_train + n_test, batch_size, seed)
    sampler.prepare(np.concatenate([first.ravel(), second.ravel()]))
    features = scaled_down(_mean_differences(sampler, first, second))
    is_right = _predictions(features, held, n_train) == held
    tested = held[n_train:]
    present = np.unique(tested)
    by_factor = [is_right[n_train:][tested == factor].mean() for factor in present]
    return METRIC.score(
        {
            "score": is_right[n_train:].mean(),
            "train_accuracy": is_right[:n_train].mean(),
            "chance": 1 / sampler.index.factor_count,
        },
        {"per_factor": per_factor([sampler.names[i] for i in present], by_factor)},
        {**counts, "seed": seed, "code_count": features.shape[1], **sampler.settings},
        libraries=("scikit-learn",),
    )


def _drawn_rows(
    index: FactorIndex, points: int, batch_size: int, seed: int
) -> tuple[Array, Array, Array]:
    """Draws each point's shared factor, and the two rows `(points, batch_size)` of its pairs."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(index.factor_count, size=points)
    first = index.draw(rng, (points, batch_size))
    held = np.repeat(factors, batch_size)
    second = index.draw_sharing(rng, first.ravel(), held, 1).reshape(first.shape)
    return factors, first, second


def mean_differences(first: Array, second: Array) -> Array:
    """Returns the mean absolute difference over the batch of two `(points, batch_size, d)`."""
    # Divided before they are subtracted and added up, even huge codes stay finite.
    count = first.shape[1]
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return np.abs(first / count - second / count).sum(axis=1)


def _mean_differences(sampler: Sampler, first: Array, second: Array) -> Array:
    width = sampler.codes_of(first[:1]).shape[-1]
    size = max(1, CHUNK // (first.shape[1] * width))
    parts = []
    for start in range(0, len(first), size):
        pairs = (sampler.codes_of(side[start : start + size]) for side in (first, second))
        parts.append(mean_differences(*pairs))
    return np.concatenate(parts)


def _predictions(features: Array, factors: Array, n_train: int) -> Array:
    from sklearn.linear_model import LogisticRegression

    from keras_devae.metrics.estimators.fitting import run_quietly

    if len(np.unique(factors[:n_train])) == 1:
        return np.full(len(factors), factors[0])
    model = LogisticRegression()
    _, stopped = run_quietly(lambda: model.fit(features[:n_train], factors[:n_train]))
    if stopped:
        warn(
            f"The logistic regression of beta_vae_score stopped after its {model.max_iter} "
            "iterations before it converged; the accuracies are those it had reached."
        )
    return model.predict(features)
