"""Figures: functions that take arrays and return a `matplotlib.figure.Figure`.

None of them uses pyplot: they need no display and change no global state.
"""

from keras_devae.figures.contact_sheets import contact_sheet
from keras_devae.figures.curves import learning_curves
from keras_devae.figures.latent_curves import information_diffusion, kl_per_latent
from keras_devae.figures.reconstruction_rows import reconstructions
from keras_devae.figures.saving import save
from keras_devae.figures.traversals import traversal

__all__ = [
    "contact_sheet",
    "information_diffusion",
    "kl_per_latent",
    "learning_curves",
    "reconstructions",
    "save",
    "traversal",
]
