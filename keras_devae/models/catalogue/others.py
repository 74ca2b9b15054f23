"""Declares the models that are no variational autoencoders, without importing Keras."""

from keras_devae.models.augmentation_names import check_augmentations
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.options import (
    check_contrast,
    check_contrasted_latents,
    choice,
    flag,
    names,
    number,
    optional_number,
    share,
    steps,
    weight,
    whole,
    widths,
)

_FIT_IMAGES = {"fit_images": whole(5000, "Number of images to fit the components to.", 2)}

OTHERS = {
    "byol": ModelDeclaration(
        "BYOL",
        "2 - 2 cos of predictions and a moving-average target, summed over two views",
        "Grill et al. 2020, Bootstrap Your Own Latent: A New Approach to Self-Supervised "
        "Learning; Cao et al. 2022, An Empirical Study on "
        "Disentanglement of Negative-free Contrastive Learning",
        {
            "target_decay": number(
                0.996, "Fraction of the target network that is kept at each step.", share
            ),
            "target_schedule": choice(
                "cosine, in which the decay of the target rises to 1, or constant.",
                "cosine",
                "constant",
            ),
            "target_decay_steps": steps(
                300_000, "Steps in which the decay of the target rises to 1."
            ),
            "projector_units": widths(
                (512, 128), "Widths of the hidden layers and the output of the projector.", 1
            ),
            "predictor_units": widths((512,), "Widths of the hidden layers of the predictor."),
            "augmentations": names(
                ("brightness", "contrast", "blur", "noise"),
                "How two views of an image differ; the code loses what is in brackets: brightness, "
                "contrast, blur (sharpness), noise, erase (nothing), shift (position), crop "
                "(position, size), flip, rotate (orientation, position), hue, saturation, "
                "greyscale (hue, saturation).",
                check_augmentations,
            ),
            "augmentation_strength": number(1.0, "Strength of the augmentations, as a factor."),
        },
        posterior="none",
        decodes=False,
        progress=("loss", "spread"),
        use="You need codes but no images from them, and know which changes of an image the "
        "codes should ignore.",
    ),
    "ica": ModelDeclaration(
        "ICA",
        "independent components (scikit-learn), a linear baseline",
        "Hyvarinen and Oja 2000, Independent component analysis: algorithms and applications",
        _FIT_IMAGES,
        fitted=True,
        use="A linear baseline: how far independent components get without a neural network.",
    ),
    "info_gan": ModelDeclaration(
        "InfoGAN",
        "adversarial loss - weight of the information of images on their codes",
        "Chen et al. 2016, InfoGAN: Interpretable Representation Learning by Information "
        "Maximizing Generative Adversarial Nets; Lin et al. 2020, InfoGAN-CR and ModelCentrality: "
        "Self-supervised Model Training and Selection for Disentangling GANs",
        {
            "noise_dim": whole(
                5, "Dimensions of noise that the decoder takes beside the codes.", 0
            ),
            "information_weight": optional_number(
                "Weight of the information; without, 1, or 0.05 with contrastive."
            ),
            "contrastive": flag("Add the contrastive regularizer of InfoGAN-CR."),
            "contrastive_weight": optional_number(
                "Weight of the contrastive regularizer; without, 2."
            ),
            "contrastive_start": steps(
                268_000, "Step from which the contrastive regularizer applies.", least=0
            ),
        },
        posterior="none",
        reconstructs=False,
        progress=("generator_loss", "discriminator_loss", "information_loss"),
        training={"batch_size": 128, "learning_rate": 1e-3, "beta_1": 0.5},
        check_together=check_contrast,
        check_latent_dim=check_contrasted_latents,
        use="You want sharp generated images whose codes mean something, and no exact "
        "reconstructions.",
    ),
    "pca": ModelDeclaration(
        "PCA",
        "principal components (scikit-learn), a linear baseline",
        "Tipping and Bishop 1999, Probabilistic Principal Component Analysis",
        _FIT_IMAGES,
        fitted=True,
        use="A linear baseline: what any other model should improve on.",
    ),
    "predictability_minimization": ModelDeclaration(
        "PredictabilityMinimization",
        "reconstruction - weight sum_i of the variance of code i that the others do not predict",
        "Schmidhuber 1992, Learning Factorial Codes by Predictability Minimization",
        {
            "predictability_weight": weight(
                200.0, "Weight of the variance that the other codes do not predict."
            ),
            "predictor_units": widths((32, 32), "Widths of the hidden layers of the predictors."),
        },
        posterior="none",
        progress=("loss", "reconstruction_loss", "unpredicted_variance_loss"),
        use="You want codes between 0 and 1, at best independent and binary, and need no "
        "posterior.",
    ),
    "qlae": ModelDeclaration(
        "QLAE",
        "reconstruction from codes that take one of a few learned values in each dimension",
        "Hsu et al. 2023, Disentanglement via Latent Quantization",
        {
            "num_values": whole(10, "Number of values that each latent dimension can take.", 2),
            "quantization_weight": number(
                0.01,
                "Weight of pulling the values towards the codes, relative to a mean over pixels.",
            ),
            "commitment_weight": number(
                0.01,
                "Weight of pulling the codes towards the values, relative to a mean over pixels.",
            ),
        },
        posterior="none",
        progress=("loss", "reconstruction_loss", "quantization_loss"),
        training={"optimizer": "adamw", "weight_decay": 0.1, "learning_rate": 1e-3},
        use="You want latents that each take one of a few values. Choose about twice as many "
        "latents as the images have factors.",
    ),
}
