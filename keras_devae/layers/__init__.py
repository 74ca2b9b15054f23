"""Keras layers of the models."""

from keras_devae.layers.dit_stack import DiTStack
from keras_devae.layers.gaussian_sampling import GaussianSampling
from keras_devae.layers.layer_draw import LayerDraw
from keras_devae.layers.layer_embedding import LayerEmbedding
from keras_devae.layers.seeded import SeededLayer, derived_seeds

__all__ = [
    "DiTStack",
    "GaussianSampling",
    "LayerDraw",
    "LayerEmbedding",
    "SeededLayer",
    "derived_seeds",
]
