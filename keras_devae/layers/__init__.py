"""Keras layers of the models."""

from keras_devae.layers.batch_normalization import BatchNormalization
from keras_devae.layers.convolution import Convolution, TransposedConvolution
from keras_devae.layers.flows import (
    FLOWS,
    FlowChain,
    InverseAutoregressiveFlow,
    PlanarFlow,
    gated_flow,
    planar_flow,
)
from keras_devae.layers.ladder import ConditionalPrior, PrecisionWeightedMerge, TopDownPass
from keras_devae.layers.latent_stacks import DiTStack, LinearStack, ParallelStack
from keras_devae.layers.layer_embedding import LayerEmbedding
from keras_devae.layers.masked_networks import MADE, MaskedDense
from keras_devae.layers.moving_target import MovingTarget
from keras_devae.layers.random_layers import (
    GaussianSampling,
    LayerDraw,
    RandomState,
    SeededLayer,
    derived_seeds,
)
from keras_devae.layers.random_views import AUGMENTATIONS, RandomViews
from keras_devae.layers.scalar_quantizer import ScalarQuantizer
from keras_devae.layers.spatial_broadcast import SpatialBroadcast
from keras_devae.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "AUGMENTATIONS",
    "FLOWS",
    "MADE",
    "BatchNormalization",
    "ConditionalPrior",
    "Convolution",
    "DiTStack",
    "FlowChain",
    "GaussianSampling",
    "InverseAutoregressiveFlow",
    "LayerDraw",
    "LayerEmbedding",
    "LinearStack",
    "MaskedDense",
    "MovingTarget",
    "ParallelStack",
    "PlanarFlow",
    "PrecisionWeightedMerge",
    "RandomState",
    "RandomViews",
    "ScalarQuantizer",
    "SeededLayer",
    "SpatialBroadcast",
    "SpectralNormalization",
    "TopDownPass",
    "TransposedConvolution",
    "derived_seeds",
    "gated_flow",
    "planar_flow",
]
