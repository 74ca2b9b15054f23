"""Images with known factors: the field's data sets, and a user's own.

Nothing here needs Keras; only `Dataset.batches` leads to it.
"""

from keras_devae.data import variants
from keras_devae.data.builtin.rendered import RenderedDataset
from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.loading import SOURCES, info, load, names, outline
from keras_devae.data.outlines import has_factors
from keras_devae.data.own.arrays import from_arrays
from keras_devae.data.own.binning import binned
from keras_devae.data.own.user_files import from_folder, from_npy, from_npz
from keras_devae.data.store.preparing import prepare, remove, verify

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
