"""Inference with a trained model: NumPy arrays in, NumPy arrays out, computed in chunks."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Array, Tensor, at_least, flag, shown
from keras_devae.errors import UsageError
from keras_devae.models.chunks import ImageEncoder, in_chunks
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.encoder_model import EncoderModel, build_encoder_model
from keras_devae.models.images import arrays_of, check_images
from keras_devae.models.layer_advice import layer_advice
from keras_devae.process.randomness import random_generator

#: Bound of the log-variance: a standard deviation between e^-10 and e^10.
LOG_VAR_LIMIT = 20.0


class Inference:
    """The part of every model that encodes, decodes and samples.

    Everything is deterministic unless you ask for a sample. Images or codes that do not fit the
    model, latent layers that it does not have, and what it cannot do, raise a `UsageError`.
    """

    declaration: ModelDeclaration
    encoder: keras.Model
    #: The decoder, a `keras.Model`, or `None` for a model that does not decode.
    decoder: Any
    likelihood: Any
    image_shape: tuple[int, ...]
    latent_dim: int
    pixels: Callable[[Any], Tensor]
    #: Ends of the interval that codes lie in; `None` for codes with a standard normal prior.
    code_range: tuple[float, float] | None = None
    #: Number of latent layers.
    num_layers = 1
    #: Number of categories of a categorical code beside the continuous one; 0 for none.
    num_categories = 0
    #: Names of the encoder's outputs that codes depend on.
    code_outputs: tuple[str, ...] = ("z_mean",)

    @property
    def has_posterior(self) -> bool:
        """Whether codes are means of a Gaussian whose KL divergence has a closed form."""
        return self.declaration.has_posterior

    @property
    def has_prior(self) -> bool:
        """Whether codes are made to follow a distribution: standard normal, or in an interval."""
        return self.declaration.posterior != "none" or self.code_range is not None

    @property
    def samples_posterior(self) -> bool:
        """Whether the posterior and its KL divergence are known by samples, not in closed form."""
        return self.declaration.posterior == "sampled"

    def decodes(self, image_shape: tuple[int, ...]) -> bool:
        """Tells whether codes can be decoded to images of this shape."""
        return self.declaration.decodes and tuple(image_shape) == self.image_shape

    def posterior(
        self, images: Any, layer: int | None = 0, batch_size: int = 256
    ) -> tuple[Array, Array]:
        """Returns the parameters of the posterior.

        Args:
            images: `(n, height, width, channels)`, uint8 or float; or another source of such
                arrays, see `keras_devae.models.images.arrays_of`: batches, a data set, or a
                dictionary with the entry `image`.
            layer: Number of the latent layer, default 0; or `None` for all K layers.
            batch_size: Number of images to encode at a time; default 256.

        Returns:
            Pair (means, log-variances), float32 arrays `(n, latent_dim)`, or `(K, n, latent_dim)`
            for `layer=None`.

        Raises:
            UsageError: If the codes of the model have no log-variances.
        """
        self.check_has_posterior("`posterior`")
        return self._posterior(images, layer, batch_size)

    def _posterior(self, images, layer, batch_size):
        """Returns what `posterior` does; zeros where there are no log-variances."""
        if layer is not None:
            self.check_layer(layer)
        return self.layer_posterior(*self.encoder_posterior(images, batch_size), layer)

    def check_has_posterior(self, wanted: str) -> None:
        """Raises a `UsageError` that names what is `wanted`, if codes have no log-variances."""
        if not self.has_posterior:
            raise UsageError(
                f"The codes of {type(self).__name__} have no log-variances, which {wanted} needs. "
                "Call `encode` for the codes."
            )

    def encoder_posterior(self, images: Any, batch_size: int = 256) -> tuple[Array, Array]:
        """Returns the encoder's own means and log-variances, float32 `(n, ...)`.

        `layer_posterior` computes every latent layer's posterior from them. Arguments are as in
        `posterior`. Log-variances are 0 where the encoder returns none.
        """
        outputs = self.over_images(self._encode_chunk, images, batch_size)
        if "z_log_var" not in outputs:
            return outputs["z_mean"], np.zeros_like(outputs["z_mean"])
        log_var = np.clip(outputs["z_log_var"], -LOG_VAR_LIMIT, LOG_VAR_LIMIT)
        return outputs["z_mean"], log_var

    def over_images(
        self, function: Callable[[Any], dict[str, Any]], images: Any, batch_size: int
    ) -> dict[str, Array]:
        """Checks images, applies a function to chunks of them, and joins its arrays by name."""
        at_least("batch_size", batch_size, 1)
        parts = []
        for part in arrays_of(images):
            check_images(part, self.image_shape, self.likelihood.bounded, trains=False)
            parts.append(in_chunks(function, part, batch_size))
        if not parts:
            raise UsageError(f"The {type(images).__name__} holds no images.")
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def layer_posterior(
        self, mean: Array, log_var: Array, layer: int | None = 0
    ) -> tuple[Array, Array]:
        """Computes the result of `posterior` from what `encoder_posterior` returns."""
        all_layers = self.posterior_of_layers(mean, log_var)
        means, log_vars = (ops.convert_to_numpy(tensor) for tensor in all_layers)
        return (means, log_vars) if layer is None else (means[layer], log_vars[layer])

    def encode(
        self,
        images: Any,
        layer: int | None = 0,
        sample: bool = False,
        seed: int | None = None,
        batch_size: int = 256,
    ) -> Array:
        """Returns the codes of images, the posterior means; arguments are as in `posterior`.

        With `sample` they are samples of the posterior, if there is one, drawn with the integer
        `seed` or at random.

        Returns:
            Float32 array `(n, latent_dim)`, or `(K, n, latent_dim)` for `layer=None`.
        """
        # Checked first, so that a wrong seed is reported before the encoder runs.
        flag("sample", sample)
        generator = random_generator(seed)
        if not sample:
            return self._posterior(images, layer, batch_size)[0]
        if layer is not None:
            self.check_layer(layer)
        return self.sampled_codes(images, layer, generator, batch_size)

    def sampled_codes(
        self, images: Any, layer: int | None, generator: np.random.Generator, batch_size: int
    ) -> Array:
        """Draws a code of every image from its posterior, see `encode`."""
        self.check_has_posterior("`sample=True`")
        mean, log_var = self._posterior(images, layer, batch_size)
        noise = generator.standard_normal(mean.shape, dtype=np.float32)
        return mean + np.exp(0.5 * log_var) * noise

    def decode(self, z: Any, layer: int = 0, batch_size: int = 256) -> Array:
        """Decodes codes to images.

        Args:
            z: Codes `(n, latent_dim)`, all finite.
            layer: Number of the latent layer that the codes come from; default 0.
            batch_size: Number of codes to decode at a time; default 256.

        Returns:
            Pixel means, float32 array `(n, height, width, channels)`.

        Raises:
            UsageError: If the model has no decoder.
        """
        at_least("batch_size", batch_size, 1)
        z = self.checked_codes(z, layer)
        inputs = ops.convert_to_numpy(self.decoder_inputs(z, layer))
        return self._decode_inputs(inputs, batch_size)

    def reconstruct(self, images: Any, layer: int = 0, batch_size: int = 256) -> Array:
        """Decodes the codes of images, posterior means where there are such, see `decode`."""
        self.check_decodes()
        return self.decode(self.encode(images, layer, batch_size=batch_size), layer, batch_size)

    def sample(self, n: int, layer: int = 0, seed: int | None = None) -> Array:
        """Decodes n codes drawn from the prior, with an integer seed or at random, see `decode`.

        The prior is a standard normal, or uniform within `code_range` where codes lie in an
        interval.
        """
        self.check_decodes()
        at_least("n", n, 0)
        return self.decode(self.prior_codes(n, random_generator(seed)), layer)

    def prior_codes(self, n: int, generator: np.random.Generator) -> Array:
        """Draws codes `(n, latent_dim)`: standard normal, or uniform within `code_range`."""
        if self.code_range is None:
            return generator.standard_normal((n, self.latent_dim), dtype=np.float32)
        return generator.uniform(*self.code_range, (n, self.latent_dim)).astype(np.float32)

    def layer_losses(self) -> dict[int, float]:
        """Returns the reconstruction loss of each latent layer from the last `fit` or `evaluate`.

        A dictionary of layer number -> nats per image; empty for a model with a single layer, or
        one that was loaded and not trained since.
        """
        return {}

    def export_encoder(
        self,
        path: str | Path,
        format: str = "tf_saved_model",
        layer: int = 0,
        quantize: str | None = None,
    ) -> None:
        """Exports encoder and decoder for use without this package, see `keras_devae.export`.

        Warns if another layer reconstructs clearly better according to `layer_losses`.

        Args:
            path: Folder to create; it must not exist.
            format: `"tf_saved_model"` (default), `"onnx"`, `"openvino"`, `"litert"` or `"torch"`.
            layer: Number of the latent layer that the exported functions use; default 0.
            quantize: For LiteRT, `"int8"` or `"float16"`; default `None`.
        """
        from keras_devae.export import export_model

        advice = layer_advice(self.layer_losses(), layer)
        if advice:
            warnings.warn(advice, UserWarning, stacklevel=2)
        export_model(self, path, format, layer, quantize)

    def encoder_model(self, layer: int = 0, all_outputs: bool = False) -> EncoderModel:
        """Returns the encoder as a functional `keras.Model` from images to codes.

        It takes images `(batch, height, width, channels)` as the model itself does: integers of
        0..255, which it divides by 255, or floats. It can be frozen (`trainable = False`), trained
        on, used in other models and saved with them; after `import keras_devae`,
        `keras.models.load_model` loads it. It is a copy: what you do to it does not change this
        model. Rows that this model would refuse (floats outside its range, values that are not
        finite) give NaN, and so a loss of NaN.

        A functional or `Sequential` model around it casts its input to the dtype of its own
        `keras.Input`: give that `dtype="uint8"` for uint8 images.

        Args:
            layer: Number of the latent layer; default 0.
            all_outputs: False (default) for the posterior mean alone, `(batch, latent_dim)`; true
                for a dictionary of `z_mean` and `z_log_var` and, for a model with categories,
                `category_probabilities`, `(batch, num_categories)`.

        Raises:
            UsageError: If there is no such layer.

        Example:
            >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
            >>> encoder = kd.DeVAE.for_images((32, 32, 1), latent_dim=10).encoder_model()
            >>> encoder.trainable = False
            >>> inputs = keras.Input((32, 32, 1), dtype="uint8")
            >>> head = keras.layers.Dense(3, activation="softmax")
            >>> classifier = keras.Model(inputs, head(encoder(inputs)))
            >>> classifier.predict(images, verbose=0).shape
            (64, 3)
        """
        return build_encoder_model(self, layer, all_outputs, LOG_VAR_LIMIT)

    def posterior_of_layer(self, mean: Any, log_var: Any, layer: int) -> tuple[Any, Any]:
        """Returns the posterior of one layer, `(batch, latent_dim)`; takes symbolic tensors too."""
        return mean, log_var

    def decoder_inputs(self, z: Any, layer: int) -> Tensor:
        """Returns the decoder's input for codes of one layer: here the codes themselves."""
        return z

    def posterior_of_layers(self, mean: Any, log_var: Any) -> tuple[Tensor, Tensor]:
        """Returns the posterior of all K layers, each `(K, batch, latent_dim)`, as tensors."""
        mean, log_var = self.posterior_of_layer(mean, log_var, 0)
        return ops.expand_dims(mean, 0), ops.expand_dims(log_var, 0)

    def check_layer(self, layer: int) -> None:
        """Raises a `UsageError` unless the model has a latent layer with this number."""
        whole = isinstance(layer, (int, np.integer)) and not isinstance(layer, bool)
        if not whole or layer not in range(self.num_layers):
            raise UsageError(
                f"The model has the latent layers 0 to {self.num_layers - 1}. Received: "
                f"{shown(layer, str)}."
            )

    def check_decodes(self) -> None:
        """Raises a `UsageError` if the model has no decoder."""
        self.declaration.check_decodes()

    def checked_codes(self, z: Any, layer: int) -> Array:
        """Checks codes `(n, latent_dim)` of a layer and returns them as a float32 array."""
        self.check_decodes()
        self.check_layer(layer)
        expected = f"Expected codes of shape (n, {self.latent_dim})"
        try:
            z = np.asarray(ops.convert_to_numpy(z) if hasattr(z, "shape") else z, np.float32)
        except (ValueError, TypeError, OverflowError) as error:
            raise UsageError(f"{expected}. Received: {type(z).__name__}.") from error
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise UsageError(f"{expected}. Received: {z.shape}.")
        unfit = ~np.isfinite(z).all(axis=1)
        if unfit.any():
            raise UsageError(
                f"{expected}, all finite. Received: {z[np.argmax(unfit)]} in row "
                f"{np.argmax(unfit)}."
            )
        return z

    def _decode_inputs(self, inputs, batch_size):
        return in_chunks(self._decode_chunk, inputs, batch_size)["reconstruction"]

    def _encode_chunk(self, images):
        # Keras would save a model set as an attribute as a part of this one.
        if "_image_encoder" not in self.__dict__:
            object.__setattr__(self, "_image_encoder", ImageEncoder(self))
        return self._image_encoder.predict_on_batch(images)

    def _decode_chunk(self, inputs):
        decoded = self.decoder.predict_on_batch(inputs)
        return {"reconstruction": ops.convert_to_numpy(self.likelihood.mean(decoded))}
