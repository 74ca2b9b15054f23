"""HFVAE, the hierarchically factorised VAE."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_devae.checks import Tensor
from keras_devae.losses import decompose_kl_by_groups
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.decomposed_vae import DecomposedVAE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.networks.building_blocks import group_sizes as equal_groups


@keras.saving.register_keras_serializable(package="keras_devae")
class HFVAE(DecomposedVAE):
    """HFVAE, the hierarchically factorised VAE (Esmaeili et al. 2019).

        reconstruction + within_group_weight * total correlation within groups of latents
            + dimension_wise_weight * dimension-wise KL
            + mutual_information_weight * mutual information
            + between_group_weight * total correlation between groups

    In this order the weights are the beta_1 to beta_4 of the authors' released code; the paper
    writes gamma for the first, alpha for the third and beta for the last. A high weight between
    groups and a low one within them asks for groups that are independent of each other, whose own
    latents may depend on each other.

    The four terms add up to a Monte-Carlo estimate of the KL divergence, so with all weights 1, the
    default, the loss is an estimate of `VAE`'s. They are estimated within the batch, see
    `keras_devae.losses.decompose_kl_by_groups`; on a single batch they may be negative. `kl_loss`,
    logged next to them, is the closed form. The prior of the paper may also be categorical; here
    all latents are Gaussian.

    With one group this is `BetaTCVAE`, whose beta is `within_group_weight`; with groups of one
    latent each, its beta is `between_group_weight`.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        within_group_weight: Weight of the total correlation within groups, at least 0; default 1.
        dimension_wise_weight: Weight of the dimension-wise KL divergence, at least 0; default 1.
        mutual_information_weight: Weight of the mutual information between images and codes, at
            least 0; default 1.
        between_group_weight: Weight of the total correlation between groups, at least 0; default 1.
        num_groups: Number of groups, at least 1 and at most `latent_dim`, whose sizes differ by at
            most 1, larger ones first; `None` (default) means 2, or 1 for a single latent.
        group_sizes: Latents of each group, at least 1 each, which add up to `latent_dim`, the first
            group holding the first ones; `None` (default) leaves the sizes to `num_groups`.
        estimator: `"bias_corrected"` (default, the paper's, which gives the other images of the
            batch a weight that is `(N - 1) / (B - 1)` times the own one's), `"weighted"` or
            `"stratified"`.
        dataset_size: Number N of training images, at least 1, or `None` (default) to count the
            images given to `fit`.

    Raises:
        UsageError: If an argument is out of range, or the groups do not fit `latent_dim`; also from
            `fit` and `evaluate` if the number of images is neither given nor can be counted.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.HFVAE.for_images((32, 32, 1), group_sizes=(4, 6), between_group_weight=3.0)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> "between_group_total_correlation_loss" in history
        True
    """

    declaration = MODEL_CATALOGUE["hf_vae"]
    penalty_names = (
        "within_group_total_correlation",
        "dimension_wise_kl",
        "mutual_information",
        "between_group_total_correlation",
    )

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        within_group_weight: float = declaration.defaults["within_group_weight"],
        dimension_wise_weight: float = declaration.defaults["dimension_wise_weight"],
        mutual_information_weight: float = declaration.defaults["mutual_information_weight"],
        between_group_weight: float = declaration.defaults["between_group_weight"],
        num_groups: int | None = declaration.defaults["num_groups"],
        group_sizes: Sequence[int] | None = declaration.defaults["group_sizes"],
        estimator: str = declaration.defaults["estimator"],
        dataset_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, dataset_size, **kwargs)
        self.set_options(**self.declared(locals()))
        options = {"num_groups": self.num_groups, "group_sizes": self.group_sizes}
        self.declaration.check_latent_dim(options, self.latent_dim)

    @property
    def sizes_of_groups(self) -> tuple[int, ...]:
        """The number of latents in each group."""
        return self.group_sizes or tuple(equal_groups(self.latent_dim, self.num_groups or 2))

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        parts = decompose_kl_by_groups(
            outputs["z"],
            outputs["z_mean"],
            outputs["z_log_var"],
            self.number_of_images,
            self.sizes_of_groups,
            self.estimator,
        )
        weights = (
            self.within_group_weight,
            self.dimension_wise_weight,
            self.mutual_information_weight,
            self.between_group_weight,
        )
        return self.with_parts(terms, weights, parts)
