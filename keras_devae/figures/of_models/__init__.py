"""The figures of a trained model: functions of a model and a data set that return a figure."""

import warnings

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

__all__ = [
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
MODEL_FIGURES = {
    "traversal": traversal_figure,
    "reconstructions": reconstruction_figure,
    "samples": sample_figure,
    "information-map": information_map_figure,
    "information-over-layers": information_over_layers_figure,
    "factor-scatter": factor_scatter_figure,
    "kl": kl_figure,
}
#: Names of those that compare latent dimensions with factors.
FACTOR_FIGURES = ("information-map", "information-over-layers", "factor-scatter")


def check_model_figure(name, dataset=None):
    """Checks the name of a figure.

    Args:
        name: The name.
        dataset: The data set that it is to be drawn from, or `None` (default) if not known yet.

    Raises:
        UsageError: If it is unknown, or needs factors that the data set lacks.
    """
    checks.one_of("figure", name, MODEL_FIGURES)
    if dataset is not None:
        checks.check_dataset(dataset)
    if name in FACTOR_FIGURES and dataset is not None and dataset.factor_names is None:
        others = ", ".join(other for other in MODEL_FIGURES if other not in FACTOR_FIGURES)
        raise UsageError(
            f"The figure {name!r} needs factors, and the data set {dataset.name!r} has none. "
            f"Without factors there are: {others}."
        )


#: Names of version 0.1.0 -> those of now.
_FORMER = {
    "NEED_FACTORS": "FACTOR_FIGURES",
    "PICTURES": "MODEL_FIGURES",
    "check_picture": "check_model_figure",
}


def __getattr__(name):
    if name not in _FORMER:
        raise AttributeError(f"module 'keras_devae.figures.of_models' has no attribute {name!r}")
    warnings.warn(
        f"{name} is now {_FORMER[name]}; the old name goes with the next version.",
        DeprecationWarning,
        stacklevel=2,
    )
    return globals()[_FORMER[name]]
