"""Figures of a trained model: functions of a model and a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_devae import checks
from keras_devae.errors import UsageError
from keras_devae.figures.of_models.decoded_images import reconstruction_figure, sample_figure
from keras_devae.figures.of_models.factor_information import (
    factor_scatter_figure,
    information_map_figure,
    information_over_layers_figure,
    kl_figure,
)
from keras_devae.figures.of_models.latent_traversals import (
    traversal_animation,
    traversal_figure,
    traversed,
)
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.process.imports import warn_of_former_name

__all__ = [
    "DECODED_FIGURES",
    "FACTOR_FIGURES",
    "MODEL_FIGURES",
    "check_model_figure",
    "factor_scatter_figure",
    "information_map_figure",
    "information_over_layers_figure",
    "kl_figure",
    "reconstruction_figure",
    "sample_figure",
    "traversal_animation",
    "traversal_figure",
    "traversed",
]

#: Name -> function of (model, dataset, seed=, ...); most take `layer` too.
MODEL_FIGURES: dict[str, Callable[..., Any]] = {
    "traversal": traversal_figure,
    "reconstructions": reconstruction_figure,
    "samples": sample_figure,
    "information-map": information_map_figure,
    "information-over-layers": information_over_layers_figure,
    "factor-scatter": factor_scatter_figure,
    "kl": kl_figure,
}
#: Names of the figures that compare latent dimensions with factors.
FACTOR_FIGURES = ("information-map", "information-over-layers", "factor-scatter")
#: Names of the figures of decoded images.
DECODED_FIGURES = ("traversal", "reconstructions", "samples")

#: Names of version 0.1.0 -> present names.
_FORMER = {
    "NEED_FACTORS": "FACTOR_FIGURES",
    "PICTURES": "MODEL_FIGURES",
    "check_picture": "check_model_figure",
}


def check_model_figure(
    name: str, dataset: Any = None, declaration: ModelDeclaration | None = None
) -> None:
    """Checks the name of a figure.

    Args:
        name: The name, a key of `MODEL_FIGURES`.
        dataset: The data set that it will be drawn from, or `None` (default) if not known yet.
        declaration: The declaration of the model, or `None` (default) if not known yet.

    Raises:
        UsageError: If the name is unknown, or the figure needs factors that the data set lacks, or
            a decoder or a posterior that the model lacks.
    """
    checks.one_of("figure", name, MODEL_FIGURES)
    if declaration is not None and name in DECODED_FIGURES:
        declaration.check_decodes()
    if declaration is not None and name == "kl":
        declaration.check_has_posterior(f"The figure {name!r}")
    if dataset is None:
        return
    checks.check_dataset(dataset)
    if name in FACTOR_FIGURES and dataset.factor_names is None:
        others = ", ".join(other for other in MODEL_FIGURES if other not in FACTOR_FIGURES)
        raise UsageError(
            f"The figure {name!r} needs factors, and the data set {dataset.name!r} has none. "
            f"Figures without factors: {others}."
        )


def __getattr__(name: str) -> Any:
    if name not in _FORMER:
        raise AttributeError(f"module 'keras_devae.figures.of_models' has no attribute {name!r}")
    warn_of_former_name(f"{__name__}.{name}", f"{__name__}.{_FORMER[name]}")
    return globals()[_FORMER[name]]
