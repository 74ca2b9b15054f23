"""The KL divergence of the posterior, taken apart over the aggregate posterior."""

from __future__ import annotations

import math

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_rows_drawn, check_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.aggregate_posterior import log_densities
from keras_devae.metrics.estimators.posterior import (
    check_divergences,
    check_posterior,
    kl_per_dimension,
)
from keras_devae.metrics.labelled import find_constant_codes
from keras_devae.metrics.metric_warnings import caution_of_few

METRIC = Metric(
    "elbo_decomposition",
    takes="elbo",
    description="the KL divergence as mutual information, total correlation and dimension-wise KL",
    numbers={
        "kl": Number("Nats of the code in all, on the images decomposed here.", unit="nats"),
        "mutual_information": Number(
            "The part of these nats that tells images apart, at most the logarithm of their "
            "number.",
            unit="nats",
        ),
        "total_correlation": Number(
            "The part that the latents share. Lower: they are more independent.",
            unit="nats",
            lower_is_better=True,
        ),
        "dimension_wise_kl": Number(
            "The part by which single latents differ from the prior, whatever the image.",
            unit="nats",
        ),
        "kl_sampled": Number(
            "The sum of these three parts; near the exact number if the sample was large enough.",
            unit="nats",
        ),
        "elbo": Number(
            "Lower bound of the images' log-likelihood, in nats per image. Higher is better.",
            title="ELBO",
            unit="nats",
        ),
    },
    fast={"evaluated": 500},
    fast_rows=2000,
    of_samples="divergences",
    place=160,
)


def elbo_decomposition(
    z_mean: Array,
    z_log_var: Array,
    *,
    samples: int = 1,
    evaluated: int = 2000,
    negative_log_likelihood: float | None = None,
    dataset_size: int | None = None,
    seed: int = 0,
    divergences: Array | None = None,
) -> Score:
    """Index-code information, total correlation and dimension-wise KL (Chen et al. 2018).

    `KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || prod q(z_j)) + sum KL(q(z_j) || p(z_j))` in the mean
    over data, for diagonal Gaussian posteriors and a standard normal prior. q(z) is the mean of the
    n posteriors given: exact for these images, with neither a minibatch estimator nor its
    constants. The expectations are over draws of z. The three sum to `kl_sampled` by construction,
    and to `kl`, which is analytic, but for the error of the draws; near 0 each of them can come out
    slightly negative.

    The information is at most log(n), whatever the model knows: more images allow more. With many
    informative dimensions the n posteriors do not overlap, and the total correlation is then the
    remainder of the sum after the information.

    The time grows with evaluated x samples x n x d: about 1 s for 2000 draws, 10,000 posteriors and
    10 dimensions, 1 minute for 1024 dimensions; memory grows with n x d only.

    Posteriors that are the same for all images are named in a `MetricWarning`; they have no
    information.

    Args:
        z_mean: Posterior means `(n, d)`, up to 10^30.
        z_log_var: Logarithms of the posterior variances `(n, d)`, between -100 and 100.
        samples: Draws of z from each evaluated posterior.
        evaluated: Number of posteriors drawn from, at random without repetition, at most n. All n
            make up q(z).
        negative_log_likelihood: Mean reconstruction loss of these images, in nats, or `None`.
        dataset_size: Number of images in the data set that the n are from, to be recorded.
        seed: Seed of the draws.
        divergences: As for `keras_devae.metrics.kl`. The parts need the posterior's density, so
            with estimated divergences there are only `.kl` and `.elbo`.

    Returns:
        `elbo_decomposition.kl`, `.mutual_information`, `.total_correlation`, `.dimension_wise_kl`,
        `.kl_sampled`, in nats, and, with a negative log-likelihood, `.elbo`, minus the sum of it
        and `kl`. `details`: `dimension_wise_kl`, `kl`, lists of d; `standard_errors` of the sampled
        terms, which do not cover the choice of the n images; `mutual_information_bound`, log(n).

    Raises:
        UsageError: If the arrays are not finite matrices of one shape within those limits, the data
            set is smaller than n, or another setting is wrong.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    samples = int(checks.at_least("samples", samples, 1))
    evaluated = int(checks.at_least("evaluated", evaluated, 1))
    if dataset_size is not None:
        dataset_size = int(checks.at_least("dataset_size", dataset_size, len(z_mean)))
    drawn = samples * min(evaluated, len(z_mean)) * z_mean.shape[1]
    check_rows_drawn(drawn, "`samples` and `evaluated`")
    check_seed(seed)
    caution_of_few(len(z_mean))
    if divergences is not None:
        estimated = check_divergences(divergences, len(z_mean)).mean()
        return _of_samples(estimated, negative_log_likelihood, z_mean.shape, seed)
    per_dimension = kl_per_dimension(z_mean, z_log_var)
    # A dimension carries nothing only if both numbers of its posterior are always the same.
    fixed_mean = np.all(z_mean == z_mean[0], axis=0)
    find_constant_codes(np.where(fixed_mean, z_log_var, z_mean))
    random = np.random.default_rng(seed)
    rows = random.permutation(len(z_mean))[:evaluated]
    terms, by_dimension = _terms(z_mean, z_log_var, rows, samples, random)
    values = {"kl": per_dimension.sum(), **{name: term.mean() for name, term in terms.items()}}
    if negative_log_likelihood is not None:
        negative_log_likelihood = checks.finite("negative_log_likelihood", negative_log_likelihood)
        values["elbo"] = -(negative_log_likelihood + values["kl"])
    details = {
        "kl": per_dimension.tolist(),
        "dimension_wise_kl": by_dimension.tolist(),
        "standard_errors": {
            name: float(term.std() / math.sqrt(len(term))) for name, term in terms.items()
        },
        "mutual_information_bound": math.log(len(z_mean)),
    }
    settings = {
        "samples": samples,
        "evaluated": len(rows),
        "negative_log_likelihood": negative_log_likelihood,
        "dataset_size": dataset_size,
        "sample_count": len(z_mean),
        "code_count": z_mean.shape[1],
        "seed": seed,
    }
    return METRIC.score(values, details, settings)


def _of_samples(
    kl: float, negative_log_likelihood: float | None, shape: tuple[int, ...], seed: int
) -> Score:
    """Returns what is known without the posterior's density: the divergence and the bound."""
    values = {"kl": kl}
    if negative_log_likelihood is not None:
        negative_log_likelihood = checks.finite("negative_log_likelihood", negative_log_likelihood)
        values["elbo"] = -(negative_log_likelihood + kl)
    settings = {
        "negative_log_likelihood": negative_log_likelihood,
        "sample_count": shape[0],
        "code_count": shape[1],
        "estimated": True,
        "seed": seed,
    }
    return METRIC.score(values, {}, settings)


def _terms(
    z_mean: Array, z_log_var: Array, rows: Array, samples: int, random: np.random.Generator
) -> tuple[dict[str, Array], Array]:
    """Returns the sampled terms, a value per draw, and the mean dimension-wise KL by dimension."""
    draws = []
    for _ in range(samples):
        noise = random.normal(size=(len(rows), z_mean.shape[1]))
        found = log_densities(z_mean, z_log_var, rows, noise)
        of_prior = -0.5 * math.log(2 * math.pi) - 0.5 * np.square(found.draws)
        draws.append((found.posterior.sum(axis=1), found.aggregate, found.marginals, of_prior))
    of_posterior, of_aggregate, of_marginals, of_prior = (
        np.concatenate(parts) for parts in zip(*draws, strict=True)
    )
    terms = {
        "mutual_information": of_posterior - of_aggregate,
        "total_correlation": of_aggregate - of_marginals.sum(axis=1),
        "dimension_wise_kl": (of_marginals - of_prior).sum(axis=1),
        "kl_sampled": of_posterior - of_prior.sum(axis=1),
    }
    return terms, (of_marginals - of_prior).mean(axis=0)
