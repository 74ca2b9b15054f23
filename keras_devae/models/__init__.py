"""The models: one file a method, each the objective and nothing else.

Classes are imported, and Keras with them, when they are first asked for: the declarations of models
need neither.
"""

import importlib

#: Name on the command line, which is its module -> class.
_CLASSES = {
    "annealed_vae": "AnnealedVAE",
    "beta_tc_vae": "BetaTCVAE",
    "beta_vae": "BetaVAE",
    "cascade_vae": "CascadeVAE",
    "cascade_vae_c": "CascadeVAEC",
    "control_vae": "ControlVAE",
    "deft": "DEFT",
    "devae": "DeVAE",
    "devae_linear": "DeVAELinear",
    "devae_parallel": "DeVAEParallel",
    "devae_single": "DeVAESingle",
    "dip_vae": "DIPVAE",
    "dynamic_vae": "DynamicVAE",
    "factor_vae": "FactorVAE",
    "ica": "ICA",
    "joint_vae": "JointVAE",
    "pca": "PCA",
    "vae": "VAE",
}
_MODULES = {
    **{class_name: name for name, class_name in _CLASSES.items()},
    "LossTerms": "loss_terms",
    "TrainingGuard": "training_callbacks",
}

__all__ = ["MODELS", *_MODULES]


def __getattr__(name):
    if name == "MODELS":
        # Name on the command line -> class.
        models = {model: __getattr__(class_name) for model, class_name in _CLASSES.items()}
        globals()["MODELS"] = models
        return models
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.models' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.models.{_MODULES[name]}"), name)


def __dir__():
    return sorted(__all__)
