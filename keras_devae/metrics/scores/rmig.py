"""The robust mutual information gap: MIG from the posteriors instead of their means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.importance import gap_of_best_two
from keras_devae.metrics.estimators.mutual_information import entropy
from keras_devae.metrics.estimators.posterior import check_posterior
from keras_devae.metrics.labelled import check_labelled, per_factor

METRIC = Metric(
    "rmig",
    takes="labelled_posterior",
    description="robust mutual information gap, from the posteriors (Do and Tran 2020)",
    numbers={
        "score": Number(
            "As MIG, with the posterior's noise: how far the latent that is most informative about "
            "a factor is ahead of the next one, as a share of the factor's entropy.",
            title="RMIG",
        ),
        "nats": Number("The same gap in nats, not divided by the factor's entropy.", unit="nats"),
    },
    is_binned=True,
    place=12,
)


def rmig(
    z_mean: Array,
    z_log_var: Array,
    factors: Array,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
    limits: Sequence[float] | None = None,
    factor_names: Iterable[str] | None = None,
    seed: int | None = None,
) -> Score:
    """Robust mutual information gap, RMIG (Do and Tran 2020).

    For each factor y, the gap between the two largest `I(z_i, y)`, divided by the entropy of y; the
    score is the mean over factors, in `[0, 1]`. The joint distribution of a code and a factor is
    the mean over images of the probabilities that the posterior gives to each bin, so that noise
    which blurs a code counts against it; in MIG only the means count. As the deviations go to 0,
    RMIG goes to the MIG of the means with the same bins.

    The bins are the same as in `mig`: 20 of equal width over the range of each code's means, the
    outermost without an end, and edges halfway between the means on either side. The authors have
    100 bins between -4 and 4 for every code: `bins=100, limits=(-4, 4)`. They take a bin's density
    at its centre times its width; here it is its exact probability, also of posteriors narrower
    than a bin. Continuous factors are put into 20 bins.

    Constant factors are dropped and constant means count as uninformative, each with a
    `MetricWarning`; where all means are constant the score is 0, unless there are limits and the
    deviations tell. With one code the second best is taken as 0. Time grows with n x d x
    (bins + factors), memory with n x d only.

    Args:
        z_mean: Posterior means `(n, d)`, up to 10^30.
        z_log_var: Logarithms of the posterior variances `(n, d)`, between -100 and 100.
        factors: `(n, f)` whole-number factors.
        bins: Number of bins per code, 2 to 10,000; default 20.
        discretizer: `"histogram"` (default, equal widths) or `"quantile"` (equal numbers of means);
            with limits, widths are equal in any case.
        limits: Ends of the range that is divided into bins, for all codes, or `None` (default) for
            the range of each code's means.
        factor_names: As for `mig`.
        seed: As for `mig`.

    Returns:
        `rmig.score`, and `rmig.nats`, the mean gap. `details`: `per_factor`, `entropies` (nats) and
        `most_informative_codes` by factor name, `mutual_information` `(d, varying factors)` in nats
        as nested lists, `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    from keras_devae.metrics.estimators import posterior_bins

    check_recorded_seed(seed)
    limits = posterior_bins.check_limits(limits)
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    labelled = check_labelled(z_mean, factors, factor_names)
    information = posterior_bins.binned_information(
        z_mean, z_log_var, labelled.factors, bins, discretizer, limits
    ).information
    entropies = entropy(labelled.factors)
    gaps = gap_of_best_two(information)
    shares = np.minimum(1.0, gaps / entropies)
    best = information.argmax(axis=0).tolist()
    details = {
        "per_factor": per_factor(labelled.names, shares),
        "entropies": per_factor(labelled.names, entropies),
        "most_informative_codes": dict(zip(labelled.names, best, strict=True)),
        "mutual_information": information.tolist(),
        "constant_codes": labelled.constant_codes,
    }
    layout = posterior_bins.layout_settings(bins, discretizer, limits)
    settings = {**layout, "seed": seed, **labelled.settings}
    values = {"score": shares.mean(), "nats": gaps.mean()}
    return METRIC.score(values, details, settings, libraries=("scipy",))
