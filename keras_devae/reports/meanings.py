"""What every score means, in a sentence."""

from keras_devae.metrics import METRICS, meaning_of

RECONSTRUCTION = METRICS["reconstruction_error"].key()

__all__ = ["RECONSTRUCTION", "meaning_of"]
