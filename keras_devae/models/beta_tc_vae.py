"""beta-TCVAE."""

import keras
from keras import ops

from keras_devae.checks import at_least, finite_at_least, flag, one_of
from keras_devae.errors import UsageError
from keras_devae.losses import ESTIMATORS, decompose_kl
from keras_devae.models.images import as_source, count_images
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class BetaTCVAE(VAE):
    """beta-TCVAE (Chen et al. 2018), their equation 4.

        reconstruction + alpha * mutual information + beta * total correlation
            + gamma * dimension-wise KL

    The three terms add up to a Monte-Carlo estimate of the KL divergence; they are estimated within
    the batch, see `keras_devae.losses.decompose_kl`. `kl_loss`, shown beside them, is the closed
    form. With the weighted estimator the logged total correlation lies about
    `(latent_dim - 1) * log(dataset_size)` too high and the dimension-wise KL as much too low; a
    negative value is no fault, and the gradient does not notice.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        beta: Weight of the total correlation, at least 0; default 12. Like alpha and gamma it
            refers to sums over 64x64 pixels.
        alpha: Weight of the mutual information of images and codes, at least 0; default 1.
        gamma: Weight of the dimension-wise KL divergence, at least 0; default 1.
        estimator: `"weighted"` (default, minibatch-weighted sampling) or `"stratified"`.
        dataset_size: Number of images trained on, at least 1, or `None` (default): taken from what
            `fit` is given.
        reference_compat: With true, the stratified estimator's weights lie in the first column, as
            in the published code, in place of the diagonal; default false.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If an argument is out of range, or from `fit` and `evaluate` if the number of
            images is neither given nor to be found.
    """

    mean_over_images = False
    penalty_names = ("mutual_information", "total_correlation", "dimension_wise_kl")

    def __init__(
        self,
        encoder,
        decoder,
        beta=12.0,
        alpha=1.0,
        gamma=1.0,
        estimator="weighted",
        dataset_size=None,
        reference_compat=False,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        one_of("estimator", estimator, ESTIMATORS)
        self.beta = finite_at_least("beta", beta)
        self.alpha = finite_at_least("alpha", alpha)
        self.gamma = finite_at_least("gamma", gamma)
        self.estimator = estimator
        if dataset_size is not None:
            at_least("dataset_size", dataset_size, 1)
        self.dataset_size = dataset_size
        self.reference_compat = flag("reference_compat", reference_compat)
        # A variable, so that a compiled step sees a change and a saved model knows it.
        self.images_trained_on = self.add_weight(
            (),
            keras.initializers.Constant(dataset_size or 0),
            trainable=False,
            dtype="float32",
            name="images_trained_on",
        )

    def loss_terms(self, pixels, outputs, training):
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

    def note_images(self, images, share):
        """Takes the number of images from what `fit` is given."""
        if self.dataset_size is None:
            self.images_trained_on.assign(int(self._count(images) * share))

    def evaluate(self, x=None, *args, **kwargs):
        """Computes the losses of images, see `VAE.evaluate`."""
        if not float(ops.convert_to_numpy(self.images_trained_on)):
            self.images_trained_on.assign(self._count(as_source(x)))
        return super().evaluate(x, *args, **kwargs)

    def _count(self, images):
        count = count_images(images)
        if count is None:
            raise UsageError(
                "The estimators of the total correlation need the number of images, which cannot "
                f"be told from a {type(images).__name__}. Pass it as `dataset_size`."
            )
        return count

    def get_config(self):
        """Returns the constructor's arguments."""
        names = ("beta", "alpha", "gamma", "estimator", "dataset_size", "reference_compat")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
