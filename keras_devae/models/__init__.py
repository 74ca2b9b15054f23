"""The models: one file a method, each the objective and nothing else."""

from keras_devae.models.beta_vae import BetaVAE
from keras_devae.models.devae import DeVAE
from keras_devae.models.guard import TrainingGuard
from keras_devae.models.vae import VAE, LossTerms

#: Name on the command line -> class.
MODELS = {"vae": VAE, "beta_vae": BetaVAE, "devae": DeVAE}

__all__ = ["MODELS", "VAE", "BetaVAE", "DeVAE", "LossTerms", "TrainingGuard"]
