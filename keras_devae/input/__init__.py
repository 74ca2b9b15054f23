"""The input of training steps: batches, their order, and images that stay on the device."""

from keras_devae.input.batches import Batches
from keras_devae.input.pairs import Pairs

__all__ = ["Batches", "Pairs"]
