"""Ada-GVAE: pairs of images that share factors show which latent dimensions those are."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.data.partners import batches_of_pairs
from keras_devae.input.pairs import Pairs
from keras_devae.losses import share_posteriors
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.images import images_in
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE


@keras.saving.register_keras_serializable(package="keras_devae")
class AdaGVAE(VAE):
    """Ada-GVAE (Locatello et al. 2020): learns from pairs of images that share some factors.

    Neither the factors nor which of them changed are known to the model. In the latent dimensions
    where `KL(q(z|x1) || q(z|x2))` is below half the sum of the pair's largest and smallest, the two
    posteriors are averaged, so that both images are decoded from a common code there. Minimises
    `reconstruction + beta * KL`, averaged over both images, with the KL divergence of the
    averaged posteriors (the paper's section 4). The direction of the divergence between the two
    posteriors follows the published code.

    `fit` takes pairs: an array `(n, 2, height, width, channels)`, `dataset.pairs()`, other batches
    of such arrays, or a data set with factors, from which it draws pairs as `dataset.pairs` does.
    The batch size counts pairs. Everything else takes single images, `evaluate` and validation
    included, and encodes each by itself.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        beta: Weight of the KL term, at least 0; default 1. It is meant for sums over 64x64 pixels.
            The paper chose among 1, 2, 4, 6, 8 and 16.
        averaging: `"group"` (default) averages means and variances; `"multi_level"` weights the
            means by precision, which makes the model Ada-ML-VAE.
        changed_factors: Number of factors that differ in the pairs that `fit` draws from a data
            set, or `"random"`, see `keras_devae.data.Dataset.pairs`; default 1.

    Raises:
        UsageError: If an option is out of range; by `fit`, if images are no pairs, or a data set
            has too few factors.

    Example:
        >>> data = kd.data.load("shapes3d", image_size=32, source="rendered")
        >>> model = kd.AdaGVAE.for_images(data.image_shape, likelihood="gaussian")
        >>> model.compile("adam")
        >>> history = model.fit(data.pairs(batch_size=32, steps=2), verbose=0)
        >>> model.encode(data.images(range(5))).shape
        (5, 10)
    """

    declaration = MODEL_CATALOGUE["ada_gvae"]

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        beta: float = declaration.defaults["beta"],
        averaging: str = declaration.defaults["averaging"],
        changed_factors: int | str = declaration.defaults["changed_factors"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(beta=beta, averaging=averaging, changed_factors=changed_factors)

    def training_batches(self, dataset: Any, **options: Any) -> Pairs:
        """Returns batches of pairs of a data set's images, see `keras_devae.data.Dataset.pairs`."""
        return batches_of_pairs(dataset, self.changed_factors, **options)

    def pixels(self, images: Any) -> Tensor:
        """Converts images as `VAE.pixels` does; the images of a pair follow each other.

        Args:
            images: As for `VAE`, or pairs: `(batch, 2, height, width, channels)`, or row numbers
                `(batch, 2)` while images are resident.
        """
        images = ops.convert_to_tensor(images_in(images))
        if are_pairs(images):
            images = ops.reshape(images, (-1, *images.shape[2:]))
        return super().pixels(images)

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes and decodes images as `VAE` does, or pairs of images, see `pixels`.

        Returns:
            As `VAE.call`. Of pairs, `z_mean`, `z_log_var` and all that follows from them are those
            of the averaged posteriors, `(2 * batch, ...)`.
        """
        mean, log_var = self.posterior_of(self.pixels(images), training)
        if are_pairs(images_in(images)):
            mean, log_var = self._shared(mean, log_var)
        z = self.sampling(mean, log_var) if training else mean
        return self.with_reconstruction({"z_mean": mean, "z_log_var": log_var, "z": z}, z, training)

    def _shared(self, mean, log_var):
        """Averages the posteriors `(2 * batch, latent_dim)` of pairs where these share factors."""
        pairs = [ops.reshape(part, (-1, 2, self.latent_dim)) for part in (mean, log_var)]
        first, second = (tuple(part[:, i] for part in pairs) for i in range(2))
        both = share_posteriors(first, second, self.averaging)
        return tuple(
            ops.reshape(ops.stack(parts, axis=1), (-1, self.latent_dim))
            for parts in zip(*both, strict=True)
        )

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        return terms.replace(penalties={"kl": (self.beta, terms.total_kl)})


def are_pairs(images: Tensor) -> bool:
    """Returns whether these are pairs of images, or of row numbers, as opposed to single ones."""
    return len(images.shape) in (2, 5)
