"""Trained models to start from: some come with the package, users make and publish others.

A preset is a folder that `from_preset` of the models loads, and Keras itself: `config.json`,
`metadata.json` and `model.weights.h5`. One made from a run also holds its settings, its scores, a
few codes to check against, and a card, `README.md`. Keras is not imported here.
"""

from keras_devae.presets.builtin import builtin_presets
from keras_devae.presets.finding import find_preset
from keras_devae.presets.folder import PresetFolder

__all__ = ["PresetFolder", "builtin_presets", "find_preset"]
