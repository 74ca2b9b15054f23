"""The variational autoencoder, base of all models with a posterior: forward pass and objective."""

from typing import Any

import keras
from keras import ops

from keras_devae.backend.replicas import mean_over_batch
from keras_devae.checks import Tensor
from keras_devae.layers import GaussianSampling
from keras_devae.losses import gaussian_kl
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms


@keras.saving.register_keras_serializable(package="keras_devae")
class VAE(ImageModel):
    """Variational autoencoder (Kingma & Welling 2014).

    Minimises `reconstruction + KL`, each summed over pixels or latent dimensions and averaged over
    the batch, in nats. The other models change `loss_terms` and little else.

    Images may be uint8 in 0..255, which the model divides by 255, or floats, which it uses
    unchanged. Training uses a sample of the posterior; validation and inference use its mean and
    are deterministic.

    Args:
        encoder: A functional `keras.Model` from images `(batch, height, width, channels)` to a
            dictionary of `z_mean` and `z_log_var`, `(batch, latent_dim)`.
        decoder: A functional `keras.Model` from codes to logits of the images' shape.
        likelihood: `"bernoulli"` (default), `"gaussian"`, or a likelihood object.
        seed: Integer seed of the sampling noise, or `None` (default) for a random one.
        **kwargs: `jacobian_penalty`, the weight of the orthogonal Jacobian penalty on the decoder,
            default 0, with `jacobian_vectors` and `jacobian_step`, see `ImageModel`; `name`,
            `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If encoder and decoder do not fit together, or end in an activation that cannot
            be right: the likelihood itself applies a sigmoid to the decoder's output, and the
            posterior must reach both sides of the prior. In every model, also if an argument is
            outside its documented range.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(128))
        >>> model = kd.VAE.for_images((32, 32, 1), latent_dim=10)
        >>> model.compile(optimizer=keras.optimizers.Adam(1e-4))
        >>> history = model.fit(images, epochs=3, verbose=0)
        >>> model.encode(images).shape
        (128, 10)
    """

    declaration = MODEL_CATALOGUE["vae"]

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Any = "bernoulli",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, likelihood, seed, **kwargs)
        self.sampling = GaussianSampling(seed=seed)

    # The forward pass and the objective: tensors in, tensors out.

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes and decodes images `(batch, height, width, channels)`.

        Returns:
            Dictionary of `z_mean`, `z_log_var` and `z` (a sample in training, otherwise the mean),
            all `(batch, latent_dim)`; `decoded`, the decoder's output, and `reconstruction`, the
            pixel means, both of the images' shape. The keys are the same whether training or not.
        """
        z_mean, z_log_var = self.first_layer(*self.posterior_of(self.pixels(images), training))
        z = self.sampling(z_mean, z_log_var) if training else z_mean
        posterior = {"z_mean": z_mean, "z_log_var": z_log_var, "z": z}
        return self.with_reconstruction(posterior, z, training)

    def posterior_of(self, pixels: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns the encoder's mean and log-variance for pixels, the latter clipped to +-20."""
        return self.bounded(self.encoder(pixels, training=training))

    def first_layer(self, mean: Tensor, log_var: Tensor) -> tuple[Tensor, ...]:
        """Returns the posterior of layer 0 from the encoder's mean and log-variance."""
        return tuple(layers[0] for layers in self.posterior_of_layers(mean, log_var))

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the terms of one batch's loss, whose `total` the model minimises.

        Args:
            pixels: Float32 images `(batch, height, width, channels)`.
            outputs: The outputs of `call` for these images.
            training: Whether this is a training step.
        """
        terms = super().loss_terms(pixels, outputs, training)
        kl = ops.mean(gaussian_kl(outputs["z_mean"], outputs["z_log_var"]), axis=0, keepdims=True)
        kl = mean_over_batch(kl)  # For subclasses whose loss is not linear in it.
        return terms.replace(kl=kl, penalties={"kl": (1.0, ops.sum(kl))})
