"""Declares the models that are no variational autoencoders, without importing Keras."""

from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.options import number, weight, whole, widths

_FIT_IMAGES = {"fit_images": whole(5000, "Number of images to fit.", 2)}

OTHERS = {
    "ica": ModelDeclaration(
        "ICA",
        "independent components (scikit-learn), a linear baseline",
        "Hyvarinen and Oja 2000, Independent component analysis: algorithms and applications",
        _FIT_IMAGES,
        fitted=True,
    ),
    "pca": ModelDeclaration(
        "PCA",
        "principal components (scikit-learn), a linear baseline",
        "Tipping and Bishop 1999, Probabilistic Principal Component Analysis",
        _FIT_IMAGES,
        fitted=True,
    ),
    "predictability_minimization": ModelDeclaration(
        "PredictabilityMinimization",
        "reconstruction - predictability_weight sum_i of what others do not tell of code i",
        "Schmidhuber 1992, Learning Factorial Codes by Predictability Minimization",
        {
            "predictability_weight": weight(200.0, "Weight of the variance that is not predicted."),
            "predictor_units": widths((32, 32), "Widths of the predictors' hidden layers."),
        },
        posterior="none",
    ),
    "qlae": ModelDeclaration(
        "QLAE",
        "reconstruction of codes that take one of a few learned values in each dimension",
        "Hsu et al. 2023, Disentanglement via Latent Quantization",
        {
            "num_values": whole(10, "Values of each latent dimension.", 2),
            "quantization_weight": number(
                0.01, "Pull of the values to the codes, per mean over pixels."
            ),
            "commitment_weight": number(
                0.01, "Pull of the codes to the values, per mean over pixels."
            ),
        },
        posterior="none",
        training={"optimizer": "adamw", "weight_decay": 0.1, "learning_rate": 1e-3},
    ),
}
