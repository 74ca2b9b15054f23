"""The mutual information gap."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.discretization import binning_settings
from keras_devae.metrics.estimators.importance import gap_of_best_two
from keras_devae.metrics.estimators.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.labelled import check_labelled, per_factor

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
    place=10,
)


def mig(
    codes: Array,
    factors: Array,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
    factor_names: Iterable[str] | None = None,
    seed: int | None = None,
) -> Score:
    """Mutual information gap (Chen et al. 2018), as computed by disentanglement_lib.

    For each factor, the gap between the two codes most informative about it, divided by the
    factor's entropy; the score is the mean over factors, in `[0, 1]`. Binning limits it: with 20
    bins a perfect code scores 1.000 on the factors of Shapes3D but 0.902 on those of dSprites,
    whose 40-valued and 32-valued factors do not fit in 20 bins.

    Constant factors are dropped and constant codes count as uninformative, each with a
    `MetricWarning`; where every code is constant the score is 0. With one code the second best is
    taken as 0.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        bins: Number of bins per code, 2 to 10,000; the field's results are with 20.
        discretizer: `"histogram"` (default, equal widths, as in the field's results), `"quantile"`
            (equal numbers of samples, which outliers do not disturb), or `"identity"` for integer
            codes.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        seed: Seed that the samples were drawn with; it is only recorded, as nothing here is random.

    Returns:
        `mig.score`. `details`: `per_factor`, `entropies` (nats) and `most_informative_codes` by
        factor name, `mutual_information` `(d, varying factors)` in nats as nested lists,
        `constant_codes`. `settings`: `bins` is `None` with `"identity"`.

    Raises:
        UsageError: If an array or a setting is wrong, no factor varies, or real codes meet
            `"identity"`.
    """
    check_recorded_seed(seed)
    labelled = check_labelled(codes, factors, factor_names)
    information = mutual_information_matrix(
        labelled.codes, labelled.factors, bins=bins, discretizer=discretizer
    )
    entropies = entropy(labelled.factors)
    gaps = gap_of_best_two(information) / entropies
    best = information.argmax(axis=0).tolist()
    details = {
        "per_factor": per_factor(labelled.names, np.minimum(1.0, gaps)),
        "entropies": per_factor(labelled.names, entropies),
        "most_informative_codes": dict(zip(labelled.names, best, strict=True)),
        "mutual_information": information.tolist(),
        "constant_codes": labelled.constant_codes,
    }
    settings = {**binning_settings(bins, discretizer), "seed": seed, **labelled.settings}
    return METRIC.score({"score": np.minimum(1.0, gaps).mean()}, details, settings)
