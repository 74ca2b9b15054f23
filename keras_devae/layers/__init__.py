"""Keras layers of the models."""

from keras_devae.layers.convolution import Convolution, TransposedConvolution
from keras_devae.layers.dit_stack import DiTStack
from keras_devae.layers.gaussian_sampling import GaussianSampling
from keras_devae.layers.layer_draw import LayerDraw
from keras_devae.layers.layer_embedding import LayerEmbedding
from keras_devae.layers.linear_stack import LinearStack
from keras_devae.layers.parallel_stack import ParallelStack
from keras_devae.layers.random_state import RandomState
from keras_devae.layers.seeded import SeededLayer, derived_seeds

__all__ = [
    "Convolution",
    "DiTStack",
    "GaussianSampling",
    "LayerDraw",
    "LayerEmbedding",
    "LinearStack",
    "ParallelStack",
    "RandomState",
    "SeededLayer",
    "TransposedConvolution",
    "derived_seeds",
]
