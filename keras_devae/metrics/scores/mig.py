"""The mutual information gap."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae.checks import Array, one_of
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import MOST_SEED_OF_A_FIT, check_recorded_seed, check_seed
from keras_devae.metrics.base import ESTIMATORS, Metric, Number, Score
from keras_devae.metrics.continuous_factors import Continuous
from keras_devae.metrics.estimators.discretization import binning_settings
from keras_devae.metrics.estimators.importance import gap_of_best_two
from keras_devae.metrics.estimators.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.labelled import LabelledCodes, check_labelled, per_factor

METRIC = Metric(
    "mig",
    takes="labels",
    description="mutual information gap (Chen et al. 2018)",
    numbers={
        "score": Number(
            "Mutual information gap: how far the latent that is most informative about a factor is "
            "ahead of the next one, as a share of the factor's entropy. 1: each factor is in one "
            "latent.",
            title="MIG",
        )
    },
    is_binned=True,
    takes_estimator=True,
    place=10,
)


def mig(
    codes: Array,
    factors: Array,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
    estimator: str = "plug_in",
    continuous: Continuous = (),
    factor_names: Iterable[str] | None = None,
    seed: int | None = None,
) -> Score:
    """Mutual information gap (Chen et al. 2018), as computed by disentanglement_lib.

    For each factor, the gap between the two codes most informative about it, divided by the
    factor's entropy; the score is the mean over factors, in `[0, 1]`. Binning limits it: with 20
    bins a perfect code scores 1.000 on the factors of Shapes3D but 0.902 on dSprites' factors,
    whose 40-valued and 32-valued factors do not fit in 20 bins.

    Constant factors are dropped and constant codes count as uninformative, each with a
    `MetricWarning`; where every code is constant the score is 0. With one code the second best is
    taken as 0.

    A continuous factor is put into 20 bins of equal width, or, with the estimator `"knn"`, scored
    without bins: its mutual information I with a code is estimated from nearest neighbours (Kraskov
    et al. 2004, scikit-learn's `mutual_info_regression`), and the gap is between the two largest
    `1 - exp(-2 I)`, the informational coefficient of correlation (Linfoot 1957), squared: for a
    Gaussian code and factor their squared correlation. It is not divided by an entropy, since the
    entropy of a continuous factor depends on its unit.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        bins: Number of bins per code, 2 to 10,000; the field's results are with 20.
        discretizer: `"histogram"` (default, equal widths, as in the field's results), `"quantile"`
            (equal numbers of samples, which outliers do not disturb), or `"identity"` for integer
            codes.
        estimator: `"plug_in"` (default) counts in bins; `"knn"` estimates the information of
            continuous factors from nearest neighbours, and counts the other factors in bins.
        continuous: Names or column numbers of the factors that are measured quantities, see
            `score_codes`. Default: none.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        seed: Seed that the samples were drawn with; it is only recorded, as nothing here is random
            but, with `"knn"`, the noise that tells equal values apart (`None`: 0).

    Returns:
        `mig.score`. `details`: `per_factor`, `entropies` (nats) and `most_informative_codes` by
        factor name, `mutual_information` `(d, varying factors)` in nats as nested lists,
        `constant_codes`; entropies are of classes and bins. `settings`: `bins`
        is `None` with `"identity"`.

    Raises:
        UsageError: If an array or a setting is wrong, no factor varies, real codes meet
            `"identity"`, or `"knn"` is asked for and no factor is continuous.
    """
    check_recorded_seed(seed)
    one_of("estimator", estimator, ESTIMATORS)
    labelled = check_labelled(codes, factors, factor_names, continuous=continuous)
    information = mutual_information_matrix(
        labelled.codes, labelled.factors, bins=bins, discretizer=discretizer
    )
    entropies = entropy(labelled.factors)
    gaps = gap_of_best_two(information) / entropies
    settings = {**binning_settings(bins, discretizer), "seed": seed, **labelled.settings}
    libraries: tuple[str, ...] = ()
    if estimator == "knn":
        _estimate_by_neighbours(labelled, information, gaps, seed)
        settings["estimator"], libraries = estimator, ("scikit-learn",)
    elif "continuous" in settings:
        settings["continuous"] = dict.fromkeys(settings["continuous"], "binned")
    best = information.argmax(axis=0).tolist()
    details = {
        "per_factor": per_factor(labelled.names, np.minimum(1.0, gaps)),
        "entropies": per_factor(labelled.names, entropies),
        "most_informative_codes": dict(zip(labelled.names, best, strict=True)),
        "mutual_information": information.tolist(),
        "constant_codes": labelled.constant_codes,
    }
    return METRIC.score({"score": np.minimum(1.0, gaps).mean()}, details, settings, libraries)


def _estimate_by_neighbours(
    labelled: LabelledCodes, information: Array, gaps: Array, seed: int | None
) -> None:
    """Replaces the information `(d, f)` in nats and the gaps `(f,)` of continuous factors."""
    from keras_devae.metrics.estimators.regression import neighbour_information

    if "continuous" not in labelled.settings:
        raise UsageError(
            "The estimator 'knn' is for continuous factors, and none is continuous: name them in "
            "`continuous`, or use estimator='plug_in'."
        )
    seed = check_seed(seed or 0, MOST_SEED_OF_A_FIT)
    for name, values in labelled.measured.items():
        column = labelled.names.index(name)
        information[:, column] = neighbour_information(labelled.codes, values, seed)
        shares = -np.expm1(-2 * information[:, column])
        gaps[column] = gap_of_best_two(shares[:, None])[0]
