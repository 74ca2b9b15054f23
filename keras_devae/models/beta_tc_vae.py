"""beta-TCVAE."""

from typing import Any

import keras

from keras_devae.checks import Tensor
from keras_devae.losses import decompose_kl
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.decomposed_vae import DecomposedVAE
from keras_devae.models.loss_terms import LossTerms


@keras.saving.register_keras_serializable(package="keras_devae")
class BetaTCVAE(DecomposedVAE):
    """beta-TCVAE (Chen et al. 2018), their equation 4.

        reconstruction + alpha * mutual information + beta * total correlation
            + gamma * dimension-wise KL

    The three terms add up to a Monte-Carlo estimate of the KL divergence; they are estimated within
    the batch, see `keras_devae.losses.decompose_kl`. `kl_loss`, logged next to them, is the closed
    form. With the weighted estimator the logged total correlation is too high by about
    `(latent_dim - 1) * log(dataset_size)`, and the dimension-wise KL too low by as much; negative
    values are not an error, and the gradient is not affected.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        beta: Weight of the total correlation, at least 0; default 12. Like alpha and gamma, it
            is meant for sums over 64x64 pixels.
        alpha: Weight of the mutual information between images and codes, at least 0; default 1.
        gamma: Weight of the dimension-wise KL divergence, at least 0; default 1.
        estimator: `"weighted"` (default, minibatch-weighted sampling), `"stratified"` or
            `"bias_corrected"`.
        dataset_size: Number of training images, at least 1, or `None` (default) to count the
            images given to `fit`.
        reference_compat: If true, the stratified estimator's weights are in the first column, as
            in the published code, instead of on the diagonal; default false.

    Raises:
        UsageError: If an argument is out of range; also from `fit` and `evaluate` if the number of
            images is neither given nor can be counted.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.BetaTCVAE.for_images((32, 32, 1), latent_dim=10, beta=3.0)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> "total_correlation_loss" in history
        True
    """

    declaration = MODEL_CATALOGUE["beta_tc_vae"]
    penalty_names = ("mutual_information", "total_correlation", "dimension_wise_kl")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        beta: float = declaration.defaults["beta"],
        alpha: float = declaration.defaults["alpha"],
        gamma: float = declaration.defaults["gamma"],
        estimator: str = declaration.defaults["estimator"],
        dataset_size: int | None = None,
        reference_compat: bool = declaration.defaults["reference_compat"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, dataset_size, **kwargs)
        self.set_options(**self.declared(locals()))

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        parts = decompose_kl(
            outputs["z"],
            outputs["z_mean"],
            outputs["z_log_var"],
            self.number_of_images,
            self.estimator,
            self.reference_compat,
        )
        return self.with_parts(terms, (self.alpha, self.beta, self.gamma), parts)
