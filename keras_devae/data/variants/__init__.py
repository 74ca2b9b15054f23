"""Variants: data sets made from other data sets by choosing rows or changing pixels.

Each function takes a `Dataset` and returns one, so that they can be chained in any order. Random
choices depend only on a seed and the row number, never on what was requested before.
"""

from keras_devae.data.variants.appearance import TransformedDataset, background, colour, noise
from keras_devae.data.variants.factors import hidden, select_factors
from keras_devae.data.variants.rows import SelectedDataset, correlated, held_out, subset
from keras_devae.data.variants.specification import VARIANTS, apply, canonical, check

__all__ = [
    "VARIANTS",
    "SelectedDataset",
    "TransformedDataset",
    "apply",
    "background",
    "canonical",
    "check",
    "colour",
    "correlated",
    "held_out",
    "hidden",
    "noise",
    "select_factors",
    "subset",
]
