"""The FactorVAE metric: which code varies least while a factor is fixed."""

from __future__ import annotations

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_rows_drawn, check_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.scaling import standard_deviations
from keras_devae.metrics.labelled import per_factor
from keras_devae.metrics.metric_warnings import warn
from keras_devae.metrics.samplers import Sampler, as_sampler

# Codes gathered at a time.
CHUNK = 200_000
# Codes are limited to so many deviations, so that their squares are finite.
FARTHEST = 1e100

METRIC = Metric(
    "factor_vae_score",
    takes="sampler",
    description=(
        "accuracy of recognising the fixed factor by the code that varies least (Kim and Mnih 2018)"
    ),
    numbers={
        "score": Number(
            "How often the factor that was held still is recognised by the latent that varies "
            "least. Higher is better; chance is one over the number of factors.",
            title="FactorVAE score",
        ),
        "train_accuracy": Number(
            "The same on the votes that the classifier was made of; if it is well above the score, "
            "there were too few votes."
        ),
        "active_codes": Number("Number of latents that vary enough to take part in the votes."),
    },
    fast={"n_train": 1000, "n_test": 1000},
    place=20,
)


def factor_vae_score(
    sampler: Sampler | Array,
    factors: Array | None = None,
    *,
    n_train: int = 10_000,
    n_test: int = 5_000,
    n_variance: int = 10_000,
    batch_size: int = 64,
    threshold: float = 0.05,
    seed: int = 0,
) -> Score:
    """Accuracy of naming the fixed factor by the code that varies least (Kim and Mnih 2018).

    A vote is a batch of samples that share the value of one factor, drawn at random. The code whose
    variance over the batch, divided by its variance over the data, is smallest votes for that
    factor; a majority-vote classifier is counted from the training votes. Chance is one over the
    number of factors.

    Codes whose standard deviation over the data is below the threshold do not vote, as in the
    published study's configuration. The code of disentanglement_lib has a default threshold of 0,
    with which a constant code divides 0 by 0 and wins every vote. Where no code is left, the score
    is 0. A constant code never votes, whatever the threshold. Constant factors are left out with a
    `MetricWarning`.

    Args:
        sampler: A `CodeTable` or an `EncodedDataset`; or codes `(n, d)`, with their factors.
        factors: `(n, f)` whole-number factors, where codes are given; they make a `CodeTable`.
        n_train: Votes that the classifier is made of; default 10,000.
        n_test: Votes that it is tested on; default 5,000.
        n_variance: Samples for the variance over the data, at least 2; default 10,000.
        batch_size: Samples per vote, at least 2; default 64.
        threshold: Standard deviation below which a code is left out; default 0.05.
        seed: Seed of everything drawn; default 0.

    Returns:
        `factor_vae_score.score` (accuracy on the test votes, in `[0, 1]`),
        `factor_vae_score.train_accuracy`, `factor_vae_score.active_codes` (how many vote).
        `details`: `per_factor` (test accuracy by factor; a factor without test votes is left out),
        `train_votes` and `test_votes` `(factors, d)`, `active` (indices of codes),
        `standard_deviations` `(d,)`.

    Raises:
        UsageError: If a count, the threshold or the seed is out of range, or a code is not finite.
    """
    _check(n_train, n_test, n_variance, batch_size, threshold)
    check_seed(seed)
    counts = {"n_train": n_train, "n_test": n_test}
    counts |= {"n_variance": n_variance, "batch_size": batch_size}
    sampler = as_sampler(sampler, factors)
    rng = np.random.default_rng(seed)
    variance_rows = sampler.index.draw(rng, n_variance)
    held = rng.integers(sampler.index.factor_count, size=n_train + n_test)
    first = sampler.index.draw(rng, len(held))
    # Each vote's rows share the value of its factor.
    rows = sampler.index.draw_sharing(rng, first, held, batch_size)
    sampler.prepare(np.concatenate([variance_rows, rows.ravel()]))
    of_scaled, exponents = standard_deviations(sampler.codes_of(variance_rows))
    deviations = np.ldexp(of_scaled, exponents)
    active = np.flatnonzero((deviations >= threshold) & (of_scaled > 0))
    votes = np.zeros((2, sampler.index.factor_count, len(deviations)), np.int64)
    if not len(active):
        warn(
            "No code takes part in the votes: none has a standard deviation of at least "
            f"{threshold:g}, and factor_vae_score is 0."
        )
    else:
        scales = of_scaled[active], exponents[active]
        ballots = active[_least_varying(sampler, rows, active, *scales)]
        is_test = np.arange(len(ballots)) >= n_train
        np.add.at(votes, (is_test.astype(int), held, ballots), 1)
    train, test = vote_accuracies(*votes)
    values = {"score": test, "train_accuracy": train, "active_codes": len(active)}
    details = {
        "per_factor": _per_factor(sampler.names, *votes),
        "train_votes": votes[0].tolist(),
        "test_votes": votes[1].tolist(),
        "active": active.tolist(),
        "standard_deviations": deviations.tolist(),
    }
    settings = {**counts, "threshold": float(threshold), "seed": seed}
    settings |= {"code_count": len(deviations), **sampler.settings}
    return METRIC.score(values, details, settings)


def vote_accuracies(train_votes: Array, test_votes: Array) -> tuple[float, float]:
    """Returns both accuracies of the majority-vote classifier, 0 without votes `(factors, d)`."""
    factor_of_code = train_votes.argmax(axis=0)
    codes = np.arange(train_votes.shape[1])
    train, test = (
        float(votes[factor_of_code, codes].sum() / max(1, votes.sum()))
        for votes in (train_votes, test_votes)
    )
    return train, test


def least_varying(batches: Array, deviations: Array, exponents: Array | int = 0) -> Array:
    """Returns the code that varies least in each batch `(d, votes, batch_size)`: int64 `(votes,)`.

    Deviations over the data, above 0, and their exponents are as from `standard_deviations`.
    """
    # NumPy's ldexp of small floats keeps their dtype, whose range is too small.
    batches = np.asarray(batches, np.float64)
    with np.errstate(over="ignore"):
        normalized = np.ldexp(batches, -np.reshape(exponents, (-1, 1, 1)))
        normalized /= deviations[:, None, None]
    np.clip(normalized, -FARTHEST, FARTHEST, out=normalized)
    normalized -= normalized.mean(axis=2, keepdims=True)
    return np.einsum("dvb,dvb->dv", normalized, normalized).argmin(axis=0)


def _least_varying(
    sampler: Sampler, rows: Array, active: Array, deviations: Array, exponents: Array
) -> Array:
    size = max(1, CHUNK // (rows.shape[1] * len(active)))
    parts = [
        least_varying(sampler.columns_of(rows[start : start + size], active), deviations, exponents)
        for start in range(0, len(rows), size)
    ]
    return np.concatenate(parts)


def _per_factor(names: tuple[str, ...], train_votes: Array, test_votes: Array) -> dict[str, float]:
    factor_of_code = train_votes.argmax(axis=0)
    is_right = factor_of_code == np.arange(len(names))[:, None]
    totals = test_votes.sum(axis=1)
    voted = np.flatnonzero(totals)
    accuracies = (test_votes * is_right).sum(axis=1)[voted] / totals[voted]
    return per_factor([names[i] for i in voted], accuracies)


def _check(n_train: int, n_test: int, n_variance: int, batch_size: int, threshold: float) -> None:
    checks.at_least("n_train", n_train, 1)
    checks.at_least("n_test", n_test, 1)
    checks.at_least("n_variance", n_variance, 2)
    checks.at_least("batch_size", batch_size, 2)
    checks.finite_at_least("threshold", threshold, 0)
    check_rows_drawn(n_variance, "`n_variance`")
    check_rows_drawn((n_train + n_test) * batch_size, "`n_train`, `n_test` and `batch_size`")
