"""What every score means, in a sentence."""

from keras_devae.models.layer_advice import RECONSTRUCTION

_PREDICTORS = {
    "logistic_regression": "a logistic regression",
    "gradient_boosting": "boosted trees",
}
_SIZES = (10, 100, 1000, 10_000)


def _downstream():
    for name, words in _PREDICTORS.items():
        for size in _SIZES:
            yield (
                f"downstream_accuracy.{name}_{size}",
                f"Share of the factors' values that {words} gets right from the codes, having seen "
                f"{size:,} labelled images. Higher is better.",
            )
        yield (
            f"downstream_accuracy.{name}_sample_efficiency",
            f"Accuracy of {words} after 100 labelled images as a share of that after 10,000: near "
            "1, few labels are enough.",
        )


#: Flat key of a score -> what it means. Scores are between 0 and 1 where nothing else is said.
MEANINGS = {
    "mig.score": "Mutual information gap: how far the latent that tells most of a factor is ahead "
    "of the next one, as a share of the factor's entropy. 1: each factor is in one latent.",
    "factor_vae_score.score": "How often the factor that was held still is recognised by the "
    "latent that varies least. Higher is better; chance is one over the number of factors.",
    "factor_vae_score.train_accuracy": "The same on the votes that the classifier was made of; "
    "well above the score, it had too few.",
    "factor_vae_score.active_codes": "Latents that vary enough to take part in the votes, a count.",
    "beta_vae_score.score": "How often a linear classifier tells which factor two groups of images "
    "share. Higher is better; it is near 1 early, so differences there mean little.",
    "beta_vae_score.train_accuracy": "The same on the examples that the classifier was fitted to.",
    "beta_vae_score.chance": "What guessing would reach in the BetaVAE score.",
    "dci.disentanglement": "1 if each latent matters for one factor only.",
    "dci.completeness": "1 if each factor is predicted from one latent only.",
    "dci.informativeness_train": "Accuracy of predicting the factors from the codes, on the images "
    "that the predictor was fitted to.",
    "dci.informativeness_test": "Accuracy of predicting the factors from the codes, on other "
    "images. Higher: more of the factors is in the codes, in whatever form.",
    "sap.score": "How much better the best latent predicts a factor than the second best does. "
    "Higher is better; even a perfect code reaches about 0.5.",
    "modularity_explicitness.modularity_score": "1 if each latent tells of one factor only.",
    "modularity_explicitness.explicitness_score_train": "How well a logistic regression tells the "
    "values of the factors apart (area under the curve), on the images it was fitted to.",
    "modularity_explicitness.explicitness_score_test": "How well a logistic regression tells the "
    "values of the factors apart (area under the curve), on other images. 0.5 is chance.",
    "irs.score": "1 if nothing but its own factor moves a latent. Pure noise has about 0.3.",
    "irs.active_codes": "Latents that are not constant, a count.",
    "med.disentanglement": "1 if each latent tells of one factor only, by mutual information.",
    "med.completeness": "1 if each factor is told by one latent only, by mutual information.",
    "med.informativeness_train": "Accuracy of a logistic regression of the factors on the codes, "
    "on the images that it was fitted to.",
    "med.informativeness_test": "Accuracy of a logistic regression of the factors on the codes, on "
    "other images. Higher is better.",
    "med.top_k_disentanglement": "As med.disentanglement, of the few latents that tell most.",
    "med.top_k_completeness": "As med.completeness, of the few latents that tell most.",
    "infomec.infom": "Modularity: 1 if each latent tells of one factor only.",
    "infomec.infoe": "Explicitness: how much of the factors a linear classifier reads off the "
    "codes. 1 is all.",
    "infomec.infoc": "Compactness: 1 if each factor is told by one latent only.",
    **dict(_downstream()),
    "gaussian_total_correlation.score": "Nats that the latents share, if they were Gaussian. 0: "
    "they are uncorrelated.",
    "wasserstein_correlation.score": "How far the codes are from uncorrelated ones, in their "
    "squared units. Lower is better.",
    "wasserstein_correlation.normalized": "The same as a share of the codes' variance, which does "
    "not depend on their scale.",
    "mutual_information_score.score": "Nats that two latents share, in the mean over pairs. Lower: "
    "they are more independent.",
    "active_variables.count": "Active latents, a count: the means spread over the images by at "
    "least 1.3 standard deviations of the posterior, which is 0.5 nats of signal.",
    "active_variables.varying_means": "Latents whose means vary by more than 0.01, whatever the "
    "noise, a count (the active units of Burda et al. 2015).",
    "kl.total": "Nats of the code in all: how far its posterior is from the prior. 0: the code "
    "carries nothing.",
    "elbo_decomposition.kl": "Nats of the code in all, on the images decomposed here.",
    "elbo_decomposition.mutual_information": "The part of these nats that tells images apart, at "
    "most the logarithm of their number.",
    "elbo_decomposition.total_correlation": "The part that the latents share. Lower: they are more "
    "independent.",
    "elbo_decomposition.dimension_wise_kl": "The part by which single latents differ from the "
    "prior, whatever the image.",
    "elbo_decomposition.kl_sampled": "The sum of these three parts; near the exact number if the "
    "sample was large enough.",
    "elbo_decomposition.elbo": "Lower bound of the images' log-likelihood, in nats an image. "
    "Higher is better.",
    RECONSTRUCTION: "Nats lost in an image that is decoded from its own code. Lower is better.",
    "reconstruction_error.squared_error": "Squared difference of an image and what is decoded from "
    "its code, summed over the pixels. Lower is better.",
}


def meaning_of(key):
    """Returns what a score means, `""` for one that is not among `MEANINGS`.

    Args:
        key: Flat key, e.g. `"mig.score"`.
    """
    return MEANINGS.get(key, "")
