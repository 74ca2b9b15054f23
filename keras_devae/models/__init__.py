"""The models: one file a method, each the objective and nothing else."""

from keras_devae.models.annealed_vae import AnnealedVAE
from keras_devae.models.beta_tc_vae import BetaTCVAE
from keras_devae.models.beta_vae import BetaVAE
from keras_devae.models.cascade_vae import CascadeVAE
from keras_devae.models.cascade_vae_c import CascadeVAEC
from keras_devae.models.control_vae import ControlVAE
from keras_devae.models.deft import DEFT
from keras_devae.models.devae import DeVAE
from keras_devae.models.devae_linear import DeVAELinear
from keras_devae.models.devae_parallel import DeVAEParallel
from keras_devae.models.devae_single import DeVAESingle
from keras_devae.models.dip_vae import DIPVAE
from keras_devae.models.dynamic_vae import DynamicVAE
from keras_devae.models.factor_vae import FactorVAE
from keras_devae.models.guard import TrainingGuard
from keras_devae.models.ica import ICA
from keras_devae.models.joint_vae import JointVAE
from keras_devae.models.pca import PCA
from keras_devae.models.terms import LossTerms
from keras_devae.models.vae import VAE

#: Name on the command line -> class.
MODELS = {
    "annealed_vae": AnnealedVAE,
    "beta_tc_vae": BetaTCVAE,
    "beta_vae": BetaVAE,
    "cascade_vae": CascadeVAE,
    "cascade_vae_c": CascadeVAEC,
    "control_vae": ControlVAE,
    "deft": DEFT,
    "devae": DeVAE,
    "devae_linear": DeVAELinear,
    "devae_parallel": DeVAEParallel,
    "devae_single": DeVAESingle,
    "dip_vae": DIPVAE,
    "dynamic_vae": DynamicVAE,
    "factor_vae": FactorVAE,
    "ica": ICA,
    "joint_vae": JointVAE,
    "pca": PCA,
    "vae": VAE,
}

__all__ = [
    "DEFT",
    "DIPVAE",
    "ICA",
    "MODELS",
    "PCA",
    "VAE",
    "AnnealedVAE",
    "BetaTCVAE",
    "BetaVAE",
    "CascadeVAE",
    "CascadeVAEC",
    "ControlVAE",
    "DeVAE",
    "DeVAELinear",
    "DeVAEParallel",
    "DeVAESingle",
    "DynamicVAE",
    "FactorVAE",
    "JointVAE",
    "LossTerms",
    "TrainingGuard",
]
