"""Many metrics of the same codes, with their uncertainty over fresh samples."""

from collections.abc import Callable, Iterable

import numpy as np

from keras_devae import checks
from keras_devae.checks import function_or_none, one_of
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import (
    MOST_REPEATS,
    check_bins,
    check_factor_names,
    check_seed,
    check_whole,
)
from keras_devae.metrics.cautions import gathered
from keras_devae.metrics.computing import Sample, compute
from keras_devae.metrics.discretization import DISCRETIZERS
from keras_devae.metrics.inputs import check_n_train, check_same_length
from keras_devae.metrics.matrices import check_codes, check_factors, value_counts
from keras_devae.metrics.posterior import check_same_shape
from keras_devae.metrics.registry import METRICS, check_binning, check_settings, resolved_names
from keras_devae.metrics.sampling import CodeTable
from keras_devae.metrics.spread import spread_of

#: The published study's number of samples; predictors are tested on half as many more.
SAMPLES = 10_000


@gathered()
def evaluate(
    codes: np.ndarray,
    factors: np.ndarray | None = None,
    metrics: Iterable[str] | None = None,
    *,
    settings: str = "paper",
    seed: int = 0,
    repeats: int = 1,
    samples: int | None = None,
    n_train: int | None = None,
    factor_names: Iterable[str] | None = None,
    z_log_var: np.ndarray | None = None,
    workers: int | None = None,
    bins: int | None = None,
    discretizer: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Computes metrics of codes, from wherever they come.

    What metrics warn of is said once, at the end: few samples (a `FewSamplesWarning`), factors that
    look continuous, codes whose outliers empty the histogram.

    Args:
        codes: `(n, d)` codes, e.g. posterior means.
        factors: `(n, f)` whole-number factors, or `None`.
        metrics: Names of metrics, keys of `METRICS`; `["all"]` for all that can be computed;
            `None` for those of `DEFAULT_METRICS` that can.
        settings: `"paper"` (default) or `"fast"`.
        seed: Seed of everything random; default 0.
        repeats: Number of repeats, each on rows drawn afresh; default 1.
        samples: Rows of a repeat. Default: all of them in their order for one repeat; for several,
            half of them, drawn without repetition, at most 15,000.
        n_train: Rows that train a predictor, the rest test it; default two thirds. Where a repeat
            has fewer rows than there are, so many of them as keep the proportion.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        z_log_var: `(n, d)` log-variances of the posterior whose means the codes are, or `None`.
        workers: Threads of `dci`; default see there. The numbers do not depend on it.
        bins: Number of bins a code of the metrics that put codes into bins; `None` for 20.
        discretizer: Their bins: `"histogram"` (equal widths), `"quantile"` (equal numbers of
            samples) or `"identity"` (integer codes); `None` for `"histogram"`.
        progress: Called with the name of each metric before it is computed.

    Returns:
        Dictionary that `json.dump` takes: flat keys such as `mig.score`; with several repeats these
        are means, and beside each stand `mig.score.std` (the standard deviation over repeats) and
        `mig.score.low`, `mig.score.high` (the 95 % interval of the mean by Student's t).
        `details`: by metric, see each; those of the first repeat, but for `per_factor`, which is
        the mean. `settings`: by metric, likewise of the first.
        `repeats`: the flat keys of each repeat, where there are several.

    Raises:
        UsageError: If a name or a setting is wrong, settings of bins meet no metric that has some,
            or the arrays are malformed.

    Example:
        >>> random = np.random.default_rng(0)
        >>> factors = random.integers(0, 4, (2000, 2))
        >>> codes = factors + random.normal(0, 0.1, (2000, 2))
        >>> scores = kd.metrics.evaluate(codes, factors, ["mig"], repeats=5)
        >>> [round(scores[key], 3) for key in ("mig.score", "mig.score.low", "mig.score.high")]
        [0.987, 0.986, 0.989]
    """
    check_evaluation(settings, repeats, seed, workers, progress)
    present = {
        "has_factors": factors is not None,
        "has_posterior": z_log_var is not None,
        "has_images": False,
    }
    names = resolved_names(metrics, **present)
    options = given_options(names, bins, discretizer, workers)
    source = _ArraySource(codes, factors, factor_names, z_log_var)
    drawn = _samples(len(source.codes), samples, n_train, seed, repeats)
    results = [
        {n: compute(n, source, sample, settings, options[n], progress) for n in names}
        for sample in drawn
    ]
    return combined(results)


def check_evaluation(
    settings: str, repeats: int, seed: int, workers: int | None, progress: Callable | None
) -> None:
    """Checks the arguments that `evaluate` of codes and of models share.

    Raises:
        UsageError: If one of them is wrong.
    """
    check_settings(settings)
    check_whole("repeats", repeats, 1, MOST_REPEATS)
    check_seed(seed)
    if workers is not None:
        checks.at_least("workers", workers, 1)
    function_or_none("progress", progress)


def given_options(
    names: Iterable[str], bins: int | None, discretizer: str | None, workers: int | None
) -> dict[str, dict]:
    """Returns the arguments that a user chose for metrics, by name.

    Args:
        names: Names of metrics, keys of `METRICS`.
        bins: Number of bins, or `None`.
        discretizer: A key of `DISCRETIZERS`, or `None`.
        workers: Threads of `dci`, or `None`.

    Raises:
        UsageError: If one of them is wrong, or bins are chosen for metrics that have none.
    """
    binning = {} if bins is None else {"bins": check_bins(bins)}
    if discretizer is not None:
        binning["discretizer"] = one_of("discretizer", discretizer, DISCRETIZERS)
    check_binning(names, binning)
    options = {name: dict(binning) if METRICS[name].is_binned else {} for name in names}
    if "dci" in options:
        options["dci"]["workers"] = workers
    return options


def combined(repeats: list[dict[str, dict]]) -> dict:
    """Puts the results of metrics together.

    Args:
        repeats: For each repeat, the result of each metric by name.

    Returns:
        The dictionary that `evaluate` returns.
    """
    flat = [{k: v for result in r.values() for k, v in scores_of(result).items()} for r in repeats]
    scores = dict(flat[0]) if len(flat) == 1 else {}
    for key in [] if len(flat) == 1 else flat[0]:
        scores.update(_spread(key, [values[key] for values in flat if key in values]))
    first = repeats[0]
    return {
        **scores,
        "details": {name: _details([r[name]["details"] for r in repeats]) for name in first},
        "settings": {name: result["settings"] for name, result in first.items()},
        **({"repeats": flat} if len(flat) > 1 else {}),
    }


def scores_of(result: dict) -> dict[str, float]:
    """Returns the flat keys of a result."""
    return {k: v for k, v in result.items() if k not in ("details", "settings", "repeats")}


def draw_sample(
    row_count: int, images: int, seed: int, repeat: int = 0, repeats: int = 1
) -> Sample:
    """Draws the rows of one repeat from a large table.

    Args:
        row_count: Rows of the table.
        images: Rows that train, and rows for the metrics that train nothing; half as many more
            test. If there are fewer, all are used, two thirds of them to train.
        seed: Seed of the draw.
        repeat: Number of the repeat.
        repeats: Number of them in all. Several draw at most half of the rows each, so that they are
            not all the same.

    Returns:
        The `Sample`.
    """
    checks.at_least("images", images, 2)
    checks.at_least("seed", seed, 0)
    if repeats > 1:
        images = min(images, max(2, row_count // 2))
    rng = np.random.default_rng(seed if repeat == 0 else [seed, repeat])
    plain = (
        np.arange(row_count)
        if images >= row_count
        else rng.choice(row_count, images, replace=False)
    )
    tested = images // 2
    if images + tested <= row_count:
        others = np.delete(np.arange(row_count), plain)
        rows = np.concatenate([plain, rng.choice(others, tested, replace=False)])
        n_train = images
    else:
        rows, n_train = rng.permutation(row_count), 2 * row_count // 3
    return Sample(rows, n_train, plain, _seed_of(seed, repeat))


def _samples(row_count, samples, n_train, seed, repeats):
    if samples is None:
        samples = row_count if repeats == 1 else min(SAMPLES * 3 // 2, max(2, row_count // 2))
    checks.at_least("samples", samples, 2)
    samples = min(samples, row_count)
    n_train = check_n_train(n_train, row_count) * samples // row_count
    n_train = check_n_train(n_train, samples)
    drawn = []
    for repeat in range(repeats):
        rows = np.arange(row_count)
        if samples < row_count:
            rng = np.random.default_rng([seed, repeat])
            rows = rng.choice(row_count, samples, replace=False)
        drawn.append(Sample(rows, n_train, rows, _seed_of(seed, repeat)))
    return drawn


def _seed_of(seed, repeat):
    """The seed of a repeat's metrics; the first has the one given, as far as they take it."""
    if repeat == 0 and seed < 2**31:
        return seed
    return int(np.random.default_rng([seed, repeat]).integers(2**31))


def _details(repeats):
    """Those of the first repeat, with the mean scores of the factors that all repeats have."""
    first = repeats[0]
    if len(repeats) == 1 or "per_factor" not in first:
        return first
    common = [name for name in first["per_factor"] if all(name in r["per_factor"] for r in repeats)]
    means = {name: float(np.mean([r["per_factor"][name] for r in repeats])) for name in common}
    return {**first, "per_factor": means}


def _spread(key, values):
    spread = spread_of(values)
    return {
        key: spread.mean,
        f"{key}.std": spread.std,
        f"{key}.low": spread.low,
        f"{key}.high": spread.high,
    }


class _ArraySource:
    """Codes and factors in memory."""

    negative_log_likelihood = None

    def __init__(self, codes, factors, factor_names, z_log_var):
        self.codes = check_codes(codes)
        self.factors = self.z_log_var = self.factor_names = self.factor_sizes = None
        if factors is not None:
            self.factors = check_factors(factors)
            check_same_length(self.codes, self.factors)
            self.factor_names = check_factor_names(factor_names, self.factors.shape[1])
            self.factor_sizes = tuple(len(value_counts(column)) for column in self.factors.T)
        elif factor_names is not None:
            raise UsageError(
                "`factor_names` name the columns of `factors`. Received: names without factors."
            )
        if z_log_var is not None:
            self.z_log_var = check_codes(z_log_var, "z_log_var")
            check_same_shape(self.codes, self.z_log_var)
        self._sampler = None

    @property
    def sampler(self):
        if self._sampler is None:
            self._sampler = CodeTable(self.codes, self.factors, self.factor_names)
        return self._sampler

    def codes_of(self, rows):
        return self.codes[rows]

    def factors_of(self, rows):
        return self.factors[rows]

    def posterior_of(self, rows):
        return self.codes[rows], self.z_log_var[rows]
