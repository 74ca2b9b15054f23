"""QLAE: an autoencoder whose latent dimensions each take one of a few learned values."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Array, Tensor
from keras_devae.layers import ScalarQuantizer
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms


@keras.saving.register_keras_serializable(package="keras_devae")
class QLAE(ImageModel):
    """Quantized-latent autoencoder (Hsu et al. 2023, Disentanglement via Latent Quantization).

        reconstruction + pixels * (quantization_weight * |stop(z) - v|^2
            + commitment_weight * |z - stop(v)|^2)

    Each latent dimension has a codebook of a few scalars. The code v is the nearest of them to the
    encoder's output z, dimension by dimension; gradients pass it as if it were z. The squared
    distances are means over the latent dimensions and, as published, weighed against the *mean* of
    the reconstruction over pixels and channels, hence the factor `pixels`, their number. Strong
    weight decay belongs to the method: train with AdamW at a decay of 0.1 and a learning rate of
    1e-3, as `keras-devae train --model qlae` does by itself. The paper has about twice as many
    latent dimensions as the data have factors.

    The codes are the representation: there is no posterior and no KL divergence. `decode` takes any
    numbers, quantized or not; `sample` draws values of the codebooks uniformly. `fit` shows
    `quantization_loss` and `commitment_loss`, the mean squared distances, equal in value.

    Args:
        encoder: See `VAE`; it returns `z_mean` alone.
        decoder: See `VAE`.
        **kwargs: Further arguments of `VAE`, such as the likelihood.
        num_values: Values of each latent dimension, at least 2; default 10.
        quantization_weight: Weight of the loss that moves the values, at least 0; default 0.01.
        commitment_weight: Weight of the loss that moves the codes, at least 0; default 0.01.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.QLAE.for_images((32, 32, 1), latent_dim=10, num_values=4)
        >>> model.compile(keras.optimizers.AdamW(1e-3, weight_decay=0.1))
        >>> history = model.fit(images, verbose=0)
        >>> all(len(np.unique(codes)) <= 4 for codes in model.encode(images).T)
        True
    """

    declaration = MODEL_CATALOGUE["qlae"]
    penalty_names = ("quantization", "commitment")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        num_values: int = declaration.defaults["num_values"],
        quantization_weight: float = declaration.defaults["quantization_weight"],
        commitment_weight: float = declaration.defaults["commitment_weight"],
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(**self.declared(locals()))
        self.quantizer = ScalarQuantizer(self.num_values)
        self.quantizer.build((None, self.latent_dim))

    @property
    def code_range(self) -> tuple[float, float]:  # type: ignore[override]  # The values move.
        """The smallest and the largest value of all codebooks."""
        values = ops.convert_to_numpy(self.quantizer.values)
        return float(values.min()), float(values.max())

    def prior_codes(self, n: int, generator: np.random.Generator) -> Array:
        """Draws codes `(n, latent_dim)`, each one of its dimension's values, all equally likely."""
        values = ops.convert_to_numpy(self.quantizer.values)
        numbers = generator.integers(self.num_values, size=(n, self.latent_dim))
        return values[np.arange(self.latent_dim), numbers]

    def posterior_of_layer(self, mean: Any, log_var: Any, layer: int) -> tuple[Any, Any]:
        """Returns the quantized codes, `(batch, latent_dim)`."""
        return self.quantizer(mean), log_var

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes and decodes, see `ImageModel.call`; `z` is what the encoder returns.

        `z_mean` are the quantized codes.
        """
        z, log_var = self.bounded(self.encoder(self.pixels(images), training=training))
        codes, _ = self.posterior_of_layer(z, log_var, 0)
        return self.with_reconstruction({"z_mean": codes, "z": z}, codes, training)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the losses of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        z = outputs["z"]
        values = self.quantizer.nearest(z)
        to_codes = ops.mean(ops.square(ops.stop_gradient(z) - values))
        to_values = ops.mean(ops.square(z - ops.stop_gradient(values)))
        count = math.prod(self.image_shape)
        return terms.replace(
            penalties={
                "quantization": (count * self.quantization_weight, to_codes),
                "commitment": (count * self.commitment_weight, to_values),
            }
        )
