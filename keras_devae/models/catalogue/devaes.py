"""Declares DeVAE and its ablations, without importing Keras."""

from keras_devae.checks import positive
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.options import choice, flag, number, pressures

_OPTIONS = {
    "betas": pressures(
        (1.0, 10.0, 40.0), "Weights of the KL divergence, one for each latent layer."
    ),
    "objective": choice(
        "sampled draws one layer per step; summed adds up all layers.", "sampled", "summed"
    ),
    "layer_weight_base": number(
        1.0, "s: layer i is drawn with a probability in proportion to s^i."
    ),
}
_OF_LAYERS = {
    **_OPTIONS,
    "layer_vectors": flag("Tell the decoder which layer a code comes from.", True),
}
_PAPER = (
    "Wu et al. 2023, Variational Autoencoders with Decremental Information Bottleneck for "
    "Disentanglement"
)

DEVAES = {
    "devae": ModelDeclaration(
        "DeVAE",
        "reconstruction + beta_i KL_i of one of K layers, each a scaling of the one before",
        _PAPER,
        {
            **_OF_LAYERS,
            "scaling_learning_rate": number(
                1.0, "How much faster the scalings learn than other weights.", positive
            ),
        },
        use="You want separated latents and good reconstructions from one model: strongly "
        "regularised layers separate the latents, and layer 0 reconstructs.",
    ),
    "devae_linear": ModelDeclaration(
        "DeVAELinear",
        "as devae, with arbitrary linear maps instead of the diagonal scalings",
        f"{_PAPER}, table 2",
        _OF_LAYERS,
        use="An ablation of DeVAE: the layers may mix the latents of the layer before.",
    ),
    "devae_parallel": ModelDeclaration(
        "DeVAEParallel",
        "as devae, with independent latent spaces instead of the hierarchy",
        f"{_PAPER}, table 2",
        _OF_LAYERS,
        use="An ablation of DeVAE: every layer has a latent space of its own.",
    ),
    "devae_single": ModelDeclaration(
        "DeVAESingle",
        "reconstruction + beta_i KL of one latent space, one of K pressures drawn per step",
        f"{_PAPER}, table 2",
        _OPTIONS,
        use="An ablation of DeVAE: one latent space under changing pressures.",
    ),
}
