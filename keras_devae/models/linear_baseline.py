"""Linear baselines, fitted by scikit-learn, with the interface of the models."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches
from keras_devae.losses import GaussianLikelihood
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.images import as_source, check_images, images_in, is_array
from keras_devae.models.keras_arguments import (
    callbacks_of,
    check_keras_settings,
    check_option_names,
    refuse,
    refuses_unknown_arguments,
    validation_images,
)
from keras_devae.models.vae import VAE
from keras_devae.networks import linear_decoder, linear_encoder


class LinearBaseline(VAE):
    """Base of PCA and ICA: a linear VAE that is not trained but fitted in one go.

    Codes have mean 0 and variance 1 over the fitted images. A linear decomposition has no posterior
    variance, so the reconstruction noise is propagated through the encoder:
    `noise * sum of squares of the encoder's row`, where the noise is the mean squared error per
    pixel. For PCA this is the posterior of probabilistic PCA (Tipping & Bishop 1999) with that
    noise; they average the noise over the discarded directions instead. KL divergences and active
    variables thus mean the same as for other models.

    Args:
        encoder, decoder: Linear networks, see `for_images`.
        fit_images: Number of images to fit, at least 2; default 5,000. `fit` uses the first ones
            it is given.
        likelihood: Must be Gaussian with linear output; `None` (default) creates one.
        **kwargs: `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.
    """

    declaration = MODEL_CATALOGUE["pca"]

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        fit_images: int = declaration.defaults["fit_images"],
        likelihood: GaussianLikelihood | None = None,
        **kwargs: Any,
    ) -> None:
        if likelihood is None:
            likelihood = GaussianLikelihood(output="linear")
        if getattr(likelihood, "output", None) != "linear":
            raise UsageError(
                f"{type(self).__name__} needs a Gaussian likelihood of linear output. Leave it "
                f"out. Received: {likelihood!r}."
            )
        super().__init__(encoder, decoder, likelihood=likelihood, **kwargs)
        self.set_options(fit_images=fit_images)
        self.trainable = False

    @classmethod
    def for_images(  # type: ignore[override]  # Here `seed` comes before `network`.
        cls,
        image_shape: Sequence[int],
        latent_dim: int = 10,
        seed: int | None = None,
        likelihood: str | None = None,
        network: str | None = None,
        decoder: None = None,
        **options: Any,
    ) -> Self:
        """Builds the model, ready for `compile` and `fit`; its weights are zero until `fit`.

        Images `(height, width, channels)` may have any size; `latent_dim` is the number of
        components; `seed`, an integer or `None`, sets the decomposition's random start; `options`
        are further arguments of the class. The likelihood can only be `"gaussian"`, with linear
        output, and the network only `"linear"`, also written `None`; it has no other decoder.
        """
        check_keras_settings()
        check_option_names(cls, options)
        for value, known in ((network, "linear"), (likelihood, "gaussian")):
            if value is not None and not (isinstance(value, str) and value == known):
                raise UsageError(
                    f"{cls.__name__} is linear and has a Gaussian likelihood. Leave both out. "
                    f"Received: network={network!r}, likelihood={likelihood!r}."
                )
        if decoder is not None:
            raise UsageError(
                f"{cls.__name__} is linear and has a decoder of its own. Leave `decoder` out. "
                f"Received: {decoder!r}."
            )
        return cls(
            linear_encoder(image_shape, latent_dim),
            linear_decoder(latent_dim, image_shape),
            seed=seed,
            **options,
        )

    def encoder_posterior(self, images: Any, batch_size: int = 256) -> tuple[Array, Array]:
        """Returns the encoder's means and log-variances; raises a `UsageError` before `fit`."""
        self._check_fitted()
        return super().encoder_posterior(images, batch_size)

    def check_layer(self, layer: int) -> None:
        """Raises a `UsageError` for another layer than 0, and before `fit`."""
        super().check_layer(layer)
        self._check_fitted()

    def _check_fitted(self):
        if not any(np.any(keras.ops.convert_to_numpy(w)) for w in self.encoder.weights):
            raise UsageError(
                f"This {type(self).__name__} is not fitted: its weights are all zero. Call `fit` "
                "with images first."
            )

    def decompose(self, flat_images: Array) -> tuple[Array, Array, Array]:
        """Fits the decomposition to images, float32 `(n, pixels)`.

        Returns the mean image `(pixels,)`, and the encoder's and the decoder's matrix, both
        `(latent_dim, pixels)`.
        """
        raise NotImplementedError

    @refuses_unknown_arguments
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> keras.callbacks.History:
        """Fits the decomposition to the first `fit_images` images, in one go.

        `x` are images as in `VAE.fit`; `callbacks` see one epoch of one step; `validation_data`
        are images too, whose losses are logged with the prefix `val_`. `y`, `class_weight` and
        `sample_weight` are refused. The other arguments, which divide training into batches, steps
        and epochs, have no effect, so you only need to change the model's class in your code.

        Raises:
            UsageError: If the images do not fit the model, if there are fewer images or pixels than
                components, or if the networks are not the ones that `for_images` builds.
        """
        refuse(sample_weight=sample_weight, class_weight=class_weight, y=y)
        self._check_weights()
        self._check_compiled("fit")
        callbacks = callbacks_of(callbacks)
        held_out = validation_images(validation_data)
        source = as_source(x)
        check_images(source, self.image_shape, self.likelihood.bounded)
        images = _first_images(source, self.fit_images)
        if len(images) <= self.latent_dim:
            raise UsageError(
                f"{type(self).__name__} needs more images than its {self.latent_dim} components. "
                f"Received: {len(images)}."
            )
        flat = keras.ops.convert_to_numpy(self.pixels(images)).reshape(len(images), -1)
        self._set_weights(flat, *self.decompose(flat))
        return self._report(images, callbacks, held_out)

    def _check_weights(self):
        pixels, components = math.prod(self.image_shape), self.latent_dim
        if components > pixels:
            raise UsageError(
                f"{type(self).__name__} cannot find {components} components in images of {pixels} "
                "pixels. Choose a smaller `latent_dim`."
            )
        shapes = [tuple(w.shape) for w in (*self.encoder.weights, *self.decoder.weights)]
        head = [(pixels, components), (components,)]
        if shapes != [*head, *head, (components, pixels), (pixels,)]:
            raise UsageError(
                f"{type(self).__name__} needs linear networks. Build it with `for_images`. "
                f"Received: networks with weights of the shapes {shapes}."
            )

    def _set_weights(self, flat, mean, encoding, decoding):
        residual = flat - mean
        residual = residual - (residual @ encoding.T) @ decoding
        noise = max(float(np.mean(np.square(residual))), 1e-8)
        log_var = np.log(noise * np.square(encoding).sum(axis=1))
        self.encoder.get_layer("z_mean").set_weights([encoding.T, -(encoding @ mean)])
        self.encoder.get_layer("z_log_var").set_weights([np.zeros_like(encoding.T), log_var])
        self.decoder.set_weights([decoding, mean])

    def _report(self, images, callbacks, held_out):
        """Reports the fit to the callbacks as one epoch of one step; returns the history."""
        callbacks = keras.callbacks.CallbackList(
            callbacks, add_history=True, add_progbar=False, model=self, epochs=1, steps=1, verbose=0
        )
        self.stop_training = False
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        logs = self.evaluate(images, verbose=0, return_dict=True)
        callbacks.on_train_batch_end(0, logs)
        if held_out is not None:
            losses = self.evaluate(held_out, verbose=0, return_dict=True)
            logs = {**logs, **{f"val_{name}": value for name, value in losses.items()}}
        callbacks.on_epoch_end(0, logs)
        callbacks.on_train_end(logs)
        return self.history


def _first_images(source, count):
    """Returns the first images of an array or of batches, as an array."""
    if is_array(source):
        return keras.ops.convert_to_numpy(source[:count])
    batches = source
    if isinstance(source, Batches):
        # They do not end with the epoch, and start over after the last image.
        count = min(count, len(source.dataset))
        batches = map(source.images, itertools.count())
    elif isinstance(source, keras.utils.PyDataset):
        batches = map(source.__getitem__, range(len(source)))
    parts, found = [], 0
    for batch in batches:
        parts.append(keras.ops.convert_to_numpy(images_in(batch))[: count - found])
        found += len(parts[-1])
        if found >= count:
            break
    return np.concatenate(parts)
