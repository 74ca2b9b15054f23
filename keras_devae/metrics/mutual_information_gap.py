"""The mutual information gap."""

import warnings
from collections.abc import Iterable

import numpy as np

from keras_devae.errors import UsageError
from keras_devae.metrics.inputs import (
    MetricWarning,
    check_codes,
    check_factor_names,
    check_factors,
    check_same_length,
)
from keras_devae.metrics.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.results import result

NAMED_CODES = 10


def mig(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
    factor_names: Iterable[str] | None = None,
    seed: int | None = None,
) -> dict:
    """Mutual information gap (Chen et al. 2018), as computed by disentanglement_lib.

    For each factor, the gap between the two codes that tell most about it, divided by the factor's
    entropy; the score is the mean over factors, in `[0, 1]`. Binning limits it: with 20 bins a
    perfect code scores 1.000 on the factors of Shapes3D but 0.902 on those of dSprites, whose
    40-valued and 32-valued factors do not fit in 20 bins.

    Constant factors are dropped and constant codes count as uninformative, each with a
    `MetricWarning`; where every code is constant the score is 0. With one code the second best is
    taken as 0.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        bins: Number of equal-width bins a code; the field's results are with 20.
        discretizer: `"histogram"` (default), or `"identity"` for integer codes.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        seed: The seed that the samples were drawn with, to be recorded; nothing here is random.

    Returns:
        `mig.score` and `mig.<factor name>` for each factor that varies. `details`: `gaps` and
        `entropies` (nats) and `most_informative_codes` by factor name, `mutual_information` `(d,
        varying factors)` in nats as nested lists, `constant_codes`. `settings`: `metric`,
        `package_version`, `numpy_version`, `bins` (`None` with `"identity"`), `discretizer`,
        `sample_count`, `code_count`, `factor_names`, `dropped_factors`, `seed`.

    Raises:
        UsageError: If the arrays are malformed, not finite, or of different lengths; if real codes
            meet `"identity"`; if no factor varies; if a setting is wrong.
    """
    codes, factors = check_codes(codes), check_factors(factors)
    check_same_length(codes, factors)
    names = check_factor_names(factor_names, factors.shape[1])
    factors, kept, dropped = _drop_constant_factors(factors, names)
    constant_codes = _find_constant_codes(codes)

    information = mutual_information_matrix(codes, factors, bins=bins, discretizer=discretizer)
    entropies = entropy(factors)
    gaps = _gaps(information, entropies)
    by_name = {name: float(gap) for name, gap in zip(kept, gaps, strict=True)}
    details = {
        "gaps": by_name,
        "entropies": dict(zip(kept, entropies.tolist(), strict=True)),
        "most_informative_codes": dict(zip(kept, information.argmax(axis=0).tolist(), strict=True)),
        "mutual_information": information.tolist(),
        "constant_codes": constant_codes,
    }
    settings = {
        "bins": int(bins) if discretizer == "histogram" else None,
        "discretizer": discretizer,
        "sample_count": len(codes),
        "code_count": codes.shape[1],
        "factor_names": list(names),
        "dropped_factors": dropped,
        "seed": seed,
    }
    return result("mig", {"score": gaps.mean(), **by_name}, details, settings)


def _gaps(information, entropies):
    no_code = np.zeros((1, information.shape[1]))
    ranked = np.sort(np.concatenate([information, no_code]), axis=0)
    return np.minimum(1.0, (ranked[-1] - ranked[-2]) / entropies)


def _drop_constant_factors(factors, names):
    varies = np.any(factors != factors[0], axis=0)
    dropped = [name for name, varied in zip(names, varies, strict=True) if not varied]
    if len(dropped) == len(names):
        raise UsageError(
            f"At least one factor must take two values. Received: {len(factors)} samples in which "
            f"{', '.join(dropped)} never vary; pass more samples."
        )
    if dropped:
        message = f"Dropped factors with a single value in these samples: {', '.join(dropped)}."
        warnings.warn(message, MetricWarning, stacklevel=3)
    kept = [name for name, varied in zip(names, varies, strict=True) if varied]
    return factors[:, varies], kept, dropped


def _find_constant_codes(codes):
    constant = np.flatnonzero(np.all(codes == codes[0], axis=0)).tolist()
    if len(constant) == codes.shape[1]:
        message = f"There is no active latent dimension: all {len(constant)} codes are constant."
        warnings.warn(message, MetricWarning, stacklevel=3)
    elif constant:
        named = ", ".join(map(str, constant[:NAMED_CODES]))
        more = ", ..." if len(constant) > NAMED_CODES else ""
        message = (
            f"{len(constant)} of {codes.shape[1]} codes are constant and carry no information: "
            f"{named}{more}."
        )
        warnings.warn(message, MetricWarning, stacklevel=3)
    return constant
