"""Overlap and multiple encoding of factors, from pairs that differ in one factor."""

from __future__ import annotations

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array, one_of
from keras_devae.metrics.arguments import check_rows_drawn, check_seed, check_share
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.scaling import standard_deviations, unit_scaled
from keras_devae.metrics.labelled import per_factor
from keras_devae.metrics.metric_warnings import caution, named, warn
from keras_devae.metrics.row_index import Pairs
from keras_devae.metrics.samplers import Sampler, as_sampler

POOLINGS = ("average", "max")

METRIC = Metric(
    "omes",
    takes="sampler",
    description="overlap and multiple encoding of factors (Dapueto et al. 2024)",
    numbers={
        "score": Number(
            "1 if changing one factor moves one latent, and no other factor moves that latent.",
            title="OMES",
        ),
        "overlap": Number("The part of it on latents that several factors move. 1: none is."),
        "multiple_encoding": Number(
            "The part of it on factors that move several latents. 1: none."
        ),
        "active_codes": Number("Number of latents that vary enough to count."),
    },
    fast={"n_pairs": 1000, "n_variance": 1000},
    place=35,
)


def omes(
    sampler: Sampler | Array,
    factors: Array | None = None,
    *,
    alpha: float = 0.5,
    pooling: str = "average",
    n_pairs: int = 10_000,
    n_variance: int = 10_000,
    threshold: float = 0.05,
    seed: int = 0,
) -> Score:
    """Overlap and multiple encoding score, OMES (Dapueto et al. 2024).

    Pairs of samples that differ in one factor and share all others show which codes that factor
    moves: `c_ij`, 1 less the absolute correlation of code i between both members of the pairs for
    factor j, is 0 if it does not move the code. Of code i and factor j the overlap score is 1 less
    the mean distance of the row `c_i` from the row in which only j moves i, and the multiple
    encoding score likewise of the column `c_j`. A factor's scores are the means over codes of these
    times `c_ij`, weighted by `c_ij`, or the largest of the products with `pooling="max"`;
    `omes.score` is alpha times the overlap and 1 - alpha times the multiple encoding, in the mean
    over factors, in `[0, 1]`. As in the authors' code, but for pairs drawn at random, with
    repetition, instead of one division of the samples into pairs.

    The other member has another value of the factor, so that a factor of n equally frequent values
    correlates its code by -1/(n - 1): a perfect code has `c = 1 - 1/(n - 1)`. A perfect code
    of a factor of two values thus scores 0, by definition, and a `MetricWarning` names the factor.

    Codes whose standard deviation is below the threshold do not count, as in the authors' code;
    where none is left, the score is 0, with a `MetricWarning`. A constant code never counts. A
    factor without any pair, in data that lack combinations, is left out with a `MetricWarning`;
    where all lack pairs, the score is 0.

    Args:
        sampler: A `CodeTable` or an `EncodedDataset`; or codes `(n, d)`, with their factors.
        factors: `(n, f)` whole-number factors, where codes are given; they make a `CodeTable`.
        alpha: Weight of the overlap, from 0 to 1; default 0.5.
        pooling: `"average"` (default) or `"max"`, over the codes.
        n_pairs: Pairs for each factor, at least 2; default 10,000.
        n_variance: Samples for the standard deviations of codes, at least 2; default 10,000.
        threshold: Standard deviation below which a code is left out; default 0.05.
        seed: Seed of everything drawn; default 0.

    Returns:
        `omes.score`, `omes.overlap`, `omes.multiple_encoding`, `omes.active_codes`. `details`:
        `per_factor`, `overlap` and `multiple_encoding` by factor name, `encoding_matrix` `(active
        codes, factors with pairs)`, c, as nested lists, `active` (indices of codes).

    Raises:
        UsageError: If a count, a weight, the threshold or the seed is out of range, or a code is
            not finite.
    """
    alpha = check_share("alpha", alpha)
    one_of("pooling", pooling, POOLINGS)
    n_pairs = int(checks.at_least("n_pairs", n_pairs, 2))
    n_variance = int(checks.at_least("n_variance", n_variance, 2))
    threshold = float(checks.finite_at_least("threshold", threshold, 0))
    check_seed(seed)
    check_rows_drawn(max(n_pairs, n_variance), "`n_pairs` and `n_variance`")
    sampler = as_sampler(sampler, factors)
    rng = np.random.default_rng(seed)
    variance_rows = sampler.index.draw(rng, n_variance)
    pairs = _draw(sampler, rng, n_pairs)
    sampler.prepare(
        np.concatenate([variance_rows, *(rows for both in pairs.values() for rows in both)])
    )
    of_scaled, exponents = standard_deviations(sampler.codes_of(variance_rows))
    with np.errstate(over="ignore", under="ignore"):
        is_active = (of_scaled > 0) & (np.ldexp(of_scaled, exponents) >= threshold)
    active = np.flatnonzero(is_active)
    moved = [
        moved_by(sampler.codes_of(both.first)[:, active], sampler.codes_of(both.second)[:, active])
        for both in pairs.values()
    ]
    matrix = np.stack(moved, axis=1) if moved else np.zeros((len(active), 0))
    if not len(active):
        warn(f"No code has a standard deviation of at least {threshold:g}, and omes is 0.")
    overlap, multiple = factor_scores(matrix, pooling)
    scores = alpha * overlap + (1 - alpha) * multiple
    by_number = {"score": scores, "overlap": overlap, "multiple_encoding": multiple}
    values = {name: found.mean() if len(found) else 0.0 for name, found in by_number.items()}
    names = list(pairs)
    details = {
        "per_factor": per_factor(names, scores),
        "overlap": per_factor(names, overlap),
        "multiple_encoding": per_factor(names, multiple),
        "encoding_matrix": matrix.tolist(),
        "active": active.tolist(),
    }
    settings = {"alpha": alpha, "pooling": pooling, "n_pairs": n_pairs, "n_variance": n_variance}
    settings |= {"threshold": threshold, "seed": seed, "code_count": len(of_scaled)}
    values["active_codes"] = len(active)
    return METRIC.score(values, details, {**settings, **sampler.settings})


def moved_by(first: Array, second: Array) -> Array:
    """Returns 1 less the absolute correlation of each code `(n, d)` with its counterpart, `(d,)`.

    It is 0 for a code that is constant in either part.
    """
    scaled, _ = unit_scaled(np.concatenate([first, second]))
    parts = np.split(scaled, 2)
    centred = [part - part.mean(axis=0) for part in parts]
    varies = np.all([np.any(part != part[0], axis=0) for part in parts], axis=0)
    products = np.prod([np.linalg.norm(part, axis=0) for part in centred], axis=0)
    used = varies & (products > 0)
    correlations = np.sum(centred[0] * centred[1], axis=0) / np.where(used, products, 1.0)
    return np.where(used, np.clip(1 - np.abs(correlations), 0.0, 1.0), 0.0)


def factor_scores(matrix: Array, pooling: str) -> tuple[Array, Array]:
    """Returns the overlap and the multiple encoding of each factor, `(f,)`, from c `(d, f)`."""
    # The distance from a row with 1 in one place only, and 0 elsewhere.
    overlap = 1 - (matrix.sum(axis=1, keepdims=True) + 1 - 2 * matrix) / max(1, matrix.shape[1])
    multiple = 1 - (matrix.sum(axis=0) + 1 - 2 * matrix) / max(1, matrix.shape[0])
    return _pooled(overlap, matrix, pooling), _pooled(multiple, matrix, pooling)


def _pooled(scores: Array, matrix: Array, pooling: str) -> Array:
    products = scores * matrix
    if pooling == "max":
        return products.max(axis=0, initial=0.0)
    totals = matrix.sum(axis=0)
    return np.sum(products * matrix, axis=0) / np.where(totals > 0, totals, 1.0)


def _draw(sampler: Sampler, rng: np.random.Generator, n_pairs: int) -> dict[str, Pairs]:
    """Draws pairs for each factor that has any, by name, and warns of the others."""
    drawn = {
        name: sampler.index.draw_pairs(rng, i, n_pairs) for i, name in enumerate(sampler.names)
    }
    lost = [name for name, both in drawn.items() if not len(both.first)]
    if lost:
        warn(f"omes leaves out factors that never differ alone between two samples: {named(lost)}.")
    all_sizes = zip(sampler.settings["factor_names"], sampler.settings["factor_sizes"], strict=True)
    if binary := [name for name, size in all_sizes if size == 2 and name not in lost]:
        caution(
            "By its definition, omes scores 0 where a factor of two values is encoded perfectly: "
            f"{named(binary)}."
        )
    return {name: both for name, both in drawn.items() if name not in lost}
