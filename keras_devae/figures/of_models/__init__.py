"""The figures of a trained model: functions of a model and a data set that return a figure."""

from keras_devae import checks
from keras_devae.errors import UsageError
from keras_devae.figures.of_models.factor_information import (
    factor_scatter_figure,
    information_map_figure,
    information_over_layers_figure,
    kl_figure,
)
from keras_devae.figures.of_models.images import reconstruction_figure, sample_figure
from keras_devae.figures.of_models.traversals import (
    traversal_animation,
    traversal_figure,
    traversed,
)

__all__ = [
    "NEED_FACTORS",
    "PICTURES",
    "check_picture",
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
PICTURES = {
    "traversal": traversal_figure,
    "reconstructions": reconstruction_figure,
    "samples": sample_figure,
    "information-map": information_map_figure,
    "information-over-layers": information_over_layers_figure,
    "factor-scatter": factor_scatter_figure,
    "kl": kl_figure,
}
#: Names of those that compare latent dimensions with factors.
NEED_FACTORS = ("information-map", "information-over-layers", "factor-scatter")


def check_picture(name, dataset=None):
    """Checks the name of a figure.

    Args:
        name: The name.
        dataset: The data set that it is to be drawn from, or `None` (default) if not known yet.

    Raises:
        UsageError: If it is unknown, or needs factors that the data set lacks.
    """
    checks.one_of("figure", name, PICTURES)
    if dataset is not None:
        checks.check_dataset(dataset)
    if name in NEED_FACTORS and dataset is not None and dataset.factor_names is None:
        others = ", ".join(other for other in PICTURES if other not in NEED_FACTORS)
        raise UsageError(
            f"The figure {name!r} needs factors, and the data set {dataset.name!r} has none. "
            f"Without factors there are: {others}."
        )
