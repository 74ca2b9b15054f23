"""Keras layers of the models."""

from keras_devae.layers.batch_normalization import BatchNormalization
from keras_devae.layers.convolution import Convolution, TransposedConvolution
from keras_devae.layers.ladder import ConditionalPrior, PrecisionWeightedMerge, TopDownPass
from keras_devae.layers.latent_stacks import DiTStack, LinearStack, ParallelStack
from keras_devae.layers.layer_embedding import LayerEmbedding
from keras_devae.layers.random_layers import (
    GaussianSampling,
    LayerDraw,
    RandomState,
    SeededLayer,
    derived_seeds,
)
from keras_devae.layers.spatial_broadcast import SpatialBroadcast

__all__ = [
    "BatchNormalization",
    "ConditionalPrior",
    "Convolution",
    "DiTStack",
    "GaussianSampling",
    "LayerDraw",
    "LayerEmbedding",
    "LinearStack",
    "ParallelStack",
    "PrecisionWeightedMerge",
    "RandomState",
    "SeededLayer",
    "SpatialBroadcast",
    "TopDownPass",
    "TransposedConvolution",
    "derived_seeds",
]
