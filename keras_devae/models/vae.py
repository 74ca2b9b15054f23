"""The variational autoencoder, base of every model: its networks, forward pass and objective.

`fit` and `evaluate` are in the module `training`, the methods of a trained model in `inference`.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
from keras import ops

from keras_devae.backend import compiles_with_xla
from keras_devae.backend.replicas import mean_over_batch
from keras_devae.checks import Tensor, at_least, check_channels_last, image_shape_of
from keras_devae.errors import UsageError
from keras_devae.layers import GaussianSampling
from keras_devae.losses import gaussian_kl, get_likelihood
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.images import as_pixels, images_in
from keras_devae.models.inference import LOG_VAR_LIMIT, Inference
from keras_devae.models.keras_arguments import check_keras_settings, check_option_names
from keras_devae.models.loss_terms import LossTerms, TermTrackers
from keras_devae.models.network_checks import (
    check_decoder,
    check_decoder_reach,
    check_encoder,
    check_encoder_reach,
)
from keras_devae.models.network_pairs import build_networks
from keras_devae.models.saving import Saving
from keras_devae.models.training import Training
from keras_devae.process.randomness import checked_seed
from keras_devae.schedules import StepCounter


@keras.saving.register_keras_serializable(package="keras_devae")
class VAE(Inference, Training, Saving, keras.Model):
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
        **kwargs: `name`, `dtype`, `trainable` of `keras.Model`.

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

    #: The class's declaration: its options with their defaults and checks.
    declaration = MODEL_CATALOGUE["vae"]
    #: Whether devices can each compute the loss of their part of a batch and average: true if it
    #: is linear in everything except `keras_devae.backend.replicas.mean_over_batch`.
    mean_over_images = True
    #: Names of the penalties besides `kl`, of opponents and of the state: see `LossTerms`.
    penalty_names: tuple[str, ...] = ()
    opponent_names: tuple[str, ...] = ()
    state_names: tuple[str, ...] = ()

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Any = "bernoulli",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        check_option_names(type(self), kwargs)
        check_keras_settings(kwargs.get("dtype"))
        super().__init__(**kwargs)
        latent_dim = self._checked_latent_dim(encoder, decoder)
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = get_likelihood(likelihood)
        check_encoder_reach(encoder)
        check_decoder_reach(decoder, self.likelihood)
        self.seed = checked_seed(seed)
        self.image_shape = tuple(encoder.input_shape[1:])
        self.latent_dim = latent_dim
        self.sampling = GaussianSampling(seed=seed)
        self.steps = StepCounter()
        self.trackers = TermTrackers(self.penalty_names, self.opponent_names, self.state_names)
        for network in (encoder, decoder):
            network.jit_compile = compiles_with_xla()
        # The networks are already built; Keras's `build` would keep subclasses from adding layers.
        self.built = True

    def set_options(self, **values: Any) -> None:
        """Checks declared options and stores each as the attribute with its name."""
        for name, value in values.items():
            setattr(self, name, self.declaration.options[name].check(name, value))

    @classmethod
    def declared(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Picks the class's declared options from the `locals()` of its constructor."""
        return {n: arguments[n] for n in cls.declaration.options if n in arguments}

    # The networks.

    @classmethod
    def for_images(
        cls,
        image_shape: Sequence[int],
        latent_dim: int = 10,
        network: str | Callable[..., Any] = "convolutional",
        likelihood: Any = "bernoulli",
        seed: int | None = None,
        network_units: Sequence[int] | None = None,
        decoder: str | None = None,
        **options: Any,
    ) -> Self:
        """Builds the model with a named or a user's encoder-decoder pair, ready for `compile`.

        Args:
            image_shape: `(height, width, channels)`.
            latent_dim: Number of latent dimensions; default 10.
            network: `"convolutional"` (default), `"mlp"`, `"residual"`, or a function, or its name
                as `"module:function"`, that returns an encoder and a decoder. It is passed those
                of `image_shape`, `latent_dim`, `decoder_input_dim`, `num_categories` (0: none),
                `groups` (of `DEFT`, else 1) and `seed` that it names, by keyword.
            likelihood: See the class.
            seed: Integer seed of initial weights and noise, or `None` (default).
            network_units: Widths of the hidden layers of encoder and decoder for `"mlp"`, or
                `None` (default) for 1200 and 1200.
            decoder: `"broadcast"` for the spatial broadcast decoder, or `None` (default) for the
                network's own; with `"broadcast"`, a function may return the encoder alone.
            **options: Further arguments of the class.

        Raises:
            UsageError: If a name is unknown or a size not supported; or if a function fails, or
                returns networks that do not fit or cannot be saved and loaded.
        """
        check_keras_settings()
        image_shape = image_shape_of(image_shape)
        check_channels_last(image_shape)
        at_least("latent_dim", latent_dim, 1)
        check_option_names(cls, options)
        networks = build_networks(
            network,
            decoder,
            network_units,
            image_shape,
            cls.encoder_options(latent_dim, **options),
            cls.decoder_input_dim(latent_dim, **options),
            seed,
        )
        return cls(
            *networks,
            likelihood=likelihood,
            seed=seed,
            **options,
        )

    @classmethod
    def encoder_options(cls, latent_dim: int, **options: Any) -> dict[str, Any]:
        """Returns arguments for the function that builds the encoder, from the class's options."""
        return {"latent_dim": latent_dim}

    @classmethod
    def decoder_input_dim(cls, latent_dim: int, **options: Any) -> int:
        """Returns the width of the decoder's input, from the class's options."""
        return latent_dim

    def network_options(self) -> dict[str, Any]:
        """Returns the constructor's arguments that the networks depend on."""
        return {}

    def latent_dim_of(self, encoder_width: int) -> int:
        """Returns the number of latent dimensions for the width of the encoder's `z_mean`."""
        return encoder_width

    def _checked_latent_dim(self, encoder, decoder):
        """Checks that encoder and decoder fit together; returns the number of latent dimensions."""
        options = self.network_options()
        latent_dim = self.latent_dim_of(check_encoder(encoder))
        categories = self.encoder_options(latent_dim, **options).get("num_categories", 0)
        logits_shape = getattr(encoder.output.get("category_logits"), "shape", None)
        if categories and logits_shape != (None, categories):
            raise UsageError(
                f"The encoder must also return `category_logits` (batch, {categories}). "
                f"Received: {encoder!r} with output {encoder.output}."
            )
        width = self.decoder_input_dim(latent_dim, **options)
        check_decoder(decoder, encoder.input_shape[1:], latent_dim, width)
        return latent_dim

    # The forward pass and the objective: tensors in, tensors out.

    def pixels(self, images: Any) -> Tensor:
        """Converts images to float32 pixels: divides integers by 255, leaves floats unchanged.

        Args:
            images: `(batch, height, width, channels)`; row numbers `(batch,)` while images are
                resident; or a dictionary with either as `image`.
        """
        images = ops.convert_to_tensor(images_in(images))
        if len(images.shape) == 1:
            if self.resident_images is None:
                raise UsageError(
                    "Row numbers stand for images only in `fit` and `evaluate` on resident "
                    "batches. Pass images, e.g. `dataset.images(rows)`."
                )
            images = self.resident_images(images)
        return as_pixels(images)

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

    def with_reconstruction(
        self, posterior: dict[str, Tensor], decoder_inputs: Tensor, training: bool
    ) -> dict[str, Tensor]:
        """Decodes codes and adds `decoded` and `reconstruction` to the outputs."""
        decoded = self.decoder(decoder_inputs, training=training)
        return {**posterior, "decoded": decoded, "reconstruction": self.likelihood.mean(decoded)}

    def posterior_of(self, pixels: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns the encoder's mean and log-variance for pixels, the latter clipped to +-20."""
        return self.bounded(self.encoder(pixels, training=training))

    def bounded(self, posterior: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Returns mean and log-variance from the encoder's outputs, in float32 and clipped."""
        return (
            ops.cast(posterior["z_mean"], "float32"),
            ops.clip(ops.cast(posterior["z_log_var"], "float32"), -LOG_VAR_LIMIT, LOG_VAR_LIMIT),
        )

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
        errors = self.likelihood.negative_log_likelihood(pixels, outputs["decoded"])
        kl = ops.mean(gaussian_kl(outputs["z_mean"], outputs["z_log_var"]), axis=0, keepdims=True)
        kl = mean_over_batch(kl)  # For subclasses whose loss is not linear in it.
        return LossTerms(
            reconstruction=ops.mean(errors, axis=0, keepdims=True),
            kl=kl,
            penalties={"kl": (1.0, ops.sum(kl))},
            layers=ops.zeros((1,), "int32"),
            weights=ops.ones((1,), "float32"),
        )

    # The configuration.

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, including the declared options."""
        options = {name: getattr(self, name) for name in self.declaration.options}
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "seed": self.seed,
            **{n: list(v) if isinstance(v, tuple) else v for n, v in options.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Rebuilds the model from `get_config`."""
        nested = ("encoder", "decoder", "likelihood")
        # A copy, because Keras empties the dictionaries that it deserialises.
        nested_configs = {k: copy.deepcopy(config[k]) for k in nested}
        objects = {k: keras.saving.deserialize_keras_object(v) for k, v in nested_configs.items()}
        return cls(**{**config, **objects})
