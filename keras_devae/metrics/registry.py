"""All metrics by name: what each takes, and its settings.

The functions and what they compute with are imported when they are asked for: lists, help texts and
the settings of a run need none of them.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from keras_devae.checks import one_of, shown
from keras_devae.errors import UsageError, unknown_name
from keras_devae.metrics.arguments import check_flag, listed

#: `"paper"`: the published study's settings, which are the functions' defaults; `"fast"`: minutes
#: become seconds, see `Metric.fast`.
SETTINGS = ("paper", "fast")
#: What is computed where nothing else is asked for: seconds in all.
DEFAULT_METRICS = ("mig", "active_variables", "kl", "reconstruction_error")

_NOTHING = MappingProxyType({})


class Metric(NamedTuple):
    """A metric, and what it is computed from.

    Attributes:
        name: Its name; its function has the same one.
        module: Module of `keras_devae.metrics` that holds the function.
        takes: `"labels"` (codes and factors), `"split"` (codes and factors, of which the rows
            before `n_train` fit a predictor), `"sampler"` (a `Sampler`), `"codes"`, `"posterior"`
            (means and log-variances), `"elbo"` (those and the reconstruction term, where it is
            known) or `"images"` (images and reconstructions).
        description: One line for lists and help texts.
        fast: Arguments of the setting `"fast"`, where they differ from the defaults.
        fast_rows: Rows that the setting `"fast"` is content with; `None` for as many as `"paper"`.
        per_factor: What `details["per_factor"]` holds, where it is not the score itself.
        is_binned: Whether it puts codes into bins, and takes `bins` and `discretizer`.
    """

    name: str
    module: str
    takes: str
    description: str
    fast: Mapping = _NOTHING
    fast_rows: int | None = None
    per_factor: str = ""
    is_binned: bool = False

    @property
    def function(self) -> Callable[..., dict]:
        """The metric itself."""
        return getattr(importlib.import_module(f"keras_devae.metrics.{self.module}"), self.name)

    @property
    def needs_factors(self) -> bool:
        """Whether it compares codes with ground-truth factors."""
        return self.takes in ("labels", "split", "sampler")


_FEW_VOTES = {"n_train": 1000, "n_test": 1000}

_DECLARED = (
    Metric(
        "mig",
        "mutual_information_gap",
        "labels",
        "mutual information gap (Chen et al. 2018)",
        is_binned=True,
    ),
    Metric(
        "factor_vae_score",
        "factor_vae",
        "sampler",
        "accuracy of telling the held factor from the least varying code (Kim and Mnih 2018)",
        fast=_FEW_VOTES,
    ),
    Metric(
        "beta_vae_score",
        "beta_vae",
        "sampler",
        "accuracy of telling the shared factor from differences (Higgins et al. 2017)",
        fast=_FEW_VOTES,
    ),
    Metric(
        "dci",
        "disentanglement_completeness_informativeness",
        "split",
        "disentanglement, completeness, informativeness (Eastwood and Williams 2018)",
        fast={"predictor": "lightgbm"},
        per_factor="completeness",
    ),
    Metric(
        "sap",
        "separated_attribute_predictability",
        "split",
        "separated attribute predictability (Kumar et al. 2018)",
    ),
    Metric(
        "modularity_explicitness",
        "modularity_and_explicitness",
        "split",
        "modularity and explicitness (Ridgeway and Mozer 2018)",
        fast_rows=2000,
        per_factor="explicitness",
        is_binned=True,
    ),
    Metric(
        "irs",
        "interventional_robustness",
        "labels",
        "interventional robustness score (Suter et al. 2019)",
    ),
    Metric(
        "med",
        "mutual_information_disentanglement",
        "split",
        "disentanglement and completeness by mutual information (Cao et al. 2022)",
        fast={"informativeness": False},
        per_factor="completeness",
        is_binned=True,
    ),
    Metric(
        "infomec",
        "info_modularity_explicitness_compactness",
        "labels",
        "modularity, explicitness, compactness by information (Hsu et al. 2023)",
        fast_rows=2000,
        per_factor="explicitness",
    ),
    Metric(
        "downstream_accuracy",
        "downstream",
        "split",
        "accuracy of predictors of the factors from few and many labels (Locatello et al. 2019)",
        fast={"predictors": ("logistic_regression",), "train_sizes": (10, 100, 1000)},
    ),
    Metric(
        "gaussian_total_correlation",
        "gaussian_correlation",
        "codes",
        "total correlation of a Gaussian fitted to the codes",
    ),
    Metric(
        "wasserstein_correlation",
        "gaussian_correlation",
        "codes",
        "Wasserstein distance of that Gaussian to its marginals",
    ),
    Metric(
        "mutual_information_score",
        "pairwise_mutual_information",
        "codes",
        "mean mutual information of pairs of codes",
        is_binned=True,
    ),
    Metric(
        "active_variables",
        "posterior",
        "posterior",
        "number of active latent dimensions, and of those that vary (Burda et al. 2015)",
    ),
    Metric(
        "kl", "posterior", "posterior", "KL divergence of the posterior from the prior, in nats"
    ),
    Metric(
        "elbo_decomposition",
        "elbo",
        "elbo",
        "the KL divergence as mutual information, total correlation and dimension-wise KL",
        fast={"evaluated": 500},
        fast_rows=2000,
    ),
    Metric(
        "reconstruction_error",
        "reconstruction",
        "images",
        "negative log-likelihood in nats and squared error of reconstructions",
    ),
)
#: Name -> `Metric`.
METRICS = {metric.name: metric for metric in _DECLARED}


def possible_metrics(
    has_factors: bool, has_posterior: bool = True, has_images: bool = True
) -> tuple[str, ...]:
    """Returns the names of the metrics that can be computed from what there is.

    Args:
        has_factors: Whether there are ground-truth factors.
        has_posterior: Whether there are log-variances beside the codes.
        has_images: Whether there are images and reconstructions.
    """
    missing = _missing(has_factors, has_posterior, has_images)
    return tuple(name for name, metric in METRICS.items() if metric.takes not in missing)


def resolved_names(names: Iterable[str] | None, **present: bool) -> tuple[str, ...]:
    """Returns the names that are meant: `None` is the default ones, `"all"` all possible ones.

    Args:
        names: Names of metrics, `("all",)`, or `None`.
        **present: The arguments of `possible_metrics`.

    Raises:
        UsageError: See `check_names`.
    """
    possible = possible_metrics(**present)
    if names is None:
        return tuple(name for name in DEFAULT_METRICS if name in possible)
    names = _as_names(names)
    if names == ("all",):
        return possible
    check_names(names, **present)
    return names


def check_names(
    names: Iterable[str], has_factors: bool, has_posterior: bool = True, has_images: bool = True
) -> None:
    """Checks that the metrics exist and that there is what they need.

    Args:
        names: Names of metrics, keys of `METRICS`, or `("all",)`.
        has_factors: Whether there are ground-truth factors.
        has_posterior: Whether there are log-variances beside the codes; default true.
        has_images: Whether there are images and reconstructions; default true.

    Raises:
        UsageError: If a name is unknown (with the close matches), or a metric needs what is not
            there (with the metrics that do not).
    """
    names = _as_names(names)
    if names == ("all",):
        return
    for name in names:
        if name not in METRICS:
            one_of("metric", name, [*METRICS, "all"])
            raise UsageError("'all' stands for all metrics; give it alone.")
    missing = _missing(has_factors, has_posterior, has_images)
    refused = [name for name in names if METRICS[name].takes in missing]
    if refused:
        reasons = sorted({missing[METRICS[name].takes] for name in refused})
        others = ", ".join(possible_metrics(has_factors, has_posterior, has_images))
        raise UsageError(
            f"Cannot compute {', '.join(refused)}: there are no {' and no '.join(reasons)}. "
            f"Metrics that can be computed: {others}."
        )


def check_settings(settings: str) -> None:
    """Raises a `UsageError` unless the name is one of `SETTINGS`."""
    one_of("settings", settings, SETTINGS)


def check_binning(names: Iterable[str], binning: Mapping[str, object]) -> None:
    """Checks settings of bins against the metrics that are to be computed with them.

    Args:
        names: Names of metrics, keys of `METRICS`.
        binning: The settings that were given, of `bins` and `discretizer`.

    Raises:
        UsageError: If there is one, and none of the metrics puts codes into bins.
    """
    if binning and not any(METRICS[name].is_binned for name in names):
        known = ", ".join(name for name, metric in METRICS.items() if metric.is_binned)
        raise UsageError(
            f"The settings {' and '.join(binning)} are for metrics that put codes into bins: "
            f"{known}. Received: {', '.join(names)}."
        )


def _as_names(names):
    names = (names,) if isinstance(names, str) else tuple(listed("metrics", names, "names"))
    for name in names:
        if not isinstance(name, str):
            raise unknown_name("metric", shown(name), [*METRICS, "all"])
    return names


def _missing(has_factors, has_posterior, has_images):
    """What takes what is not there, and its name."""
    present = {
        "has_factors": has_factors,
        "has_posterior": has_posterior,
        "has_images": has_images,
    }
    for name, value in present.items():
        check_flag(name, value)
    missing = {}
    if not has_factors:
        missing.update(dict.fromkeys(("labels", "split", "sampler"), "ground-truth factors"))
    if not has_posterior:
        missing.update(dict.fromkeys(("posterior", "elbo"), "log-variances of the posterior"))
    if not has_images:
        missing["images"] = "images"
    return missing
