"""DIP-VAE."""

from typing import Any

import keras

from keras_devae.checks import Tensor
from keras_devae.losses import dip_penalties
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class DIPVAE(VAE):
    """DIP-VAE I and II (Kumar et al. 2018), their equations 6 and 7.

        reconstruction + KL + lambda_od * sum_{i != j} C_ij^2 + lambda_d * sum_i (C_ii - 1)^2

    C is the covariance of the posterior means over the batch (kind I), or the covariance of the
    codes, which adds the mean of the posterior variances to the diagonal (kind II).

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        kind: `"i"` (default) or `"ii"`.
        lambda_od: Weight off the diagonal, at least 0; default 10. Like `lambda_d`, it is meant
            for sums over 64x64 pixels.
        lambda_d: Weight on the diagonal, at least 0, or `None` (default): `10 * lambda_od` for kind
            I and `lambda_od` for kind II.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.DIPVAE.for_images((32, 32, 1), kind="ii", lambda_od=2.5)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> "covariance_diagonal_loss" in history
        True
    """

    declaration = MODEL_CATALOGUE["dip_vae"]
    mean_over_images = False
    penalty_names = ("covariance_off_diagonal", "covariance_diagonal")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        kind: str = declaration.defaults["kind"],
        lambda_od: float = declaration.defaults["lambda_od"],
        lambda_d: float | None = declaration.defaults["lambda_d"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(kind=kind, lambda_od=lambda_od, lambda_d=lambda_d)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        off_diagonal, diagonal = dip_penalties(outputs["z_mean"], outputs["z_log_var"], self.kind)
        factor = 10.0 if self.kind == "i" else 1.0
        lambda_d = factor * self.lambda_od if self.lambda_d is None else self.lambda_d
        return terms.replace(
            penalties={
                **terms.penalties,
                "covariance_off_diagonal": (self.lambda_od, off_diagonal),
                "covariance_diagonal": (lambda_d, diagonal),
            }
        )
