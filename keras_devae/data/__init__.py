"""Image data sets with known factors: the standard ones of the field, and your own.

Nothing here needs Keras; only `Dataset.batches` imports it.
"""

from keras_devae.data import variants
from keras_devae.data.builtin.catalogue import names
from keras_devae.data.builtin.rendered import RenderedDataset
from keras_devae.data.dataset import Dataset
from keras_devae.data.describing import info, remove
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.folders.folder import from_folder
from keras_devae.data.loading import SOURCES, has_factors, load, outline
from keras_devae.data.own.array_files import from_npy, from_npz
from keras_devae.data.own.arrays import from_arrays
from keras_devae.data.own.factor_values import binned
from keras_devae.data.store.preparing import prepare, verify

__all__ = [
    "SOURCES",
    "Dataset",
    "FactorGrid",
    "RenderedDataset",
    "binned",
    "from_arrays",
    "from_folder",
    "from_npy",
    "from_npz",
    "has_factors",
    "info",
    "load",
    "names",
    "outline",
    "prepare",
    "remove",
    "variants",
    "verify",
]
