"""beta-TCVAE."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor, at_least
from keras_devae.errors import UsageError
from keras_devae.losses import decompose_kl
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.images import count_images
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class BetaTCVAE(VAE):
    """beta-TCVAE (Chen et al. 2018), their equation 4.

        reconstruction + alpha * mutual information + beta * total correlation
            + gamma * dimension-wise KL

    The three terms add up to a Monte-Carlo estimate of the KL divergence; they are estimated within
    the batch, see `keras_devae.losses.decompose_kl`. `kl_loss`, logged next to them, is the closed
    form. With the weighted estimator the logged total correlation is too high by about
    `(latent_dim - 1) * log(dataset_size)`, and the dimension-wise KL too low by as much; negative
    values are not an error, and the gradient is not affected.

    Args:
        encoder, decoder, **kwargs: Arguments of `VAE`.
        beta: Weight of the total correlation, at least 0; default 12. Like alpha and gamma, it
            is meant for sums over 64x64 pixels.
        alpha: Weight of the mutual information between images and codes, at least 0; default 1.
        gamma: Weight of the dimension-wise KL divergence, at least 0; default 1.
        estimator: `"weighted"` (default, minibatch-weighted sampling) or `"stratified"`.
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
    mean_over_images = False
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
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(**self.declared(locals()))
        if dataset_size is not None:
            at_least("dataset_size", dataset_size, 1)
        self.dataset_size = dataset_size
        # A variable, so that a compiled step sees changes and a saved model keeps the value.
        self.images_trained_on = self.add_weight(
            (),
            keras.initializers.Constant(dataset_size or 0),
            trainable=False,
            dtype="float32",
            name="images_trained_on",
        )

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        parts = decompose_kl(
            outputs["z"],
            outputs["z_mean"],
            outputs["z_log_var"],
            ops.maximum(self.images_trained_on, 1.0),
            self.estimator,
            self.reference_compat,
        )
        weights = (self.alpha, self.beta, self.gamma)
        return terms.replace(
            penalties=dict(zip(self.penalty_names, zip(weights, parts, strict=True), strict=True))
        )

    def note_images(self, images: Any, share: float = 1.0, training: bool = True) -> None:
        """Notes the number of images that `fit` uses, or `evaluate` before any training."""
        if training:
            is_known = self.dataset_size is not None
        else:
            is_known = float(ops.convert_to_numpy(self.images_trained_on)) > 0
        if is_known:
            return
        count = count_images(images)
        if count is None:
            raise UsageError(
                "The estimators of the total correlation need the number of images, which cannot "
                f"be told from a {type(images).__name__}. Pass it as `dataset_size`."
            )
        self.images_trained_on.assign(int(count * share))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "dataset_size": self.dataset_size}
