"""Codes of a data set's images, from a model, a function, or computed elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from keras_devae.checks import Array
from keras_devae.evaluation.encoding import Encoding
from keras_devae.evaluation.function_encoder import FunctionEncoder

if TYPE_CHECKING:
    from keras_devae.data import Dataset


class KnownCodes(Encoding):
    """Codes that were computed elsewhere, a row for each image of a data set.

    Args:
        codes: Codes `(len(dataset), d)` of any framework; or a dictionary with `z_mean` and, for
            metrics of the posterior, `z_log_var`, of that shape each.
        dataset: The data set.
        name: What results and reports call them. Default: `"codes"`.

    Raises:
        UsageError: If there is not one finite row of codes per image.

    Example:
        >>> data = kd.data.from_arrays(np.zeros((64, 8, 8, 1), np.uint8))
        >>> encoding = kd.evaluation.KnownCodes(np.random.rand(64, 10), data)
        >>> encoding.codes(np.arange(4), layer=0).shape
        (4, 10)
    """

    def __init__(self, codes: Any, dataset: Dataset, name: str = "codes"):
        encoder = FunctionEncoder(_unknown, name)
        super().__init__(encoder, dataset)
        means, log_vars = encoder.read(codes, len(dataset))
        encoder.latent_dim = means.shape[1]
        rows = np.arange(len(dataset))
        self._cache.add([{"rows": rows, "means": means, "log_vars": log_vars}])


def encoding_of(model: Any, dataset: Dataset) -> Encoding:
    """Returns the encoding of a data set by a model, a function of images, or known codes."""
    if hasattr(model, "layer_posterior"):
        return Encoding(model, dataset)
    if isinstance(model, Mapping) or (hasattr(model, "__array__") and not callable(model)):
        return KnownCodes(model, dataset)
    return Encoding(FunctionEncoder(model), dataset)  # type: ignore[arg-type]


def _unknown(images: Array) -> NoReturn:
    raise NotImplementedError("Only the codes of the data set's images are known.")
