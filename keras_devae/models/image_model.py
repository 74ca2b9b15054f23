"""What all models of images share: networks, options, pixels, training, inference and saving.

`fit` and `evaluate` are in the module `training`, the methods of a trained model in `inference`.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import keras
from keras import ops

from keras_devae.backend import compiles_with_xla
from keras_devae.checks import Tensor, at_least, check_channels_last, image_shape_of
from keras_devae.errors import UsageError
from keras_devae.losses import get_likelihood
from keras_devae.models.declarations import ModelDeclaration
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
from keras_devae.models.options import JACOBIAN_OPTIONS
from keras_devae.models.presets import Presets
from keras_devae.models.saving import Saving
from keras_devae.models.training import Training
from keras_devae.process.randomness import checked_seed
from keras_devae.schedules import StepCounter

#: Options of encoders -> the outputs of that width that they add.
_FURTHER_OUTPUTS = {"num_categories": "category_logits", "flow_parameters": "flow_parameters"}


class ImageModel(Inference, Training, Presets, Saving, keras.Model):
    """Base of all models: an encoder of images and, where the model decodes, a decoder.

    What a class of models has is in its `declaration`: `posterior` says whether the encoder returns
    a distribution or the code itself, `decodes` whether there is a decoder. A subclass defines
    `call` and `loss_terms`.

    Images of uint8 in 0..255 are divided by 255; floats are used unchanged.

    Args:
        encoder: A functional `keras.Model` from images `(batch, height, width, channels)` to a
            dictionary of `z_mean` and, if there is a posterior, `z_log_var`, `(batch, latent_dim)`.
        decoder: A functional `keras.Model` from codes to logits of the images' shape; `None` for a
            model that does not decode.
        likelihood: `"bernoulli"` (default), `"gaussian"`, or a likelihood object; also tells which
            pixels there can be.
        seed: Integer seed of the model's noise, or `None` (default) for a random one.
        jacobian_penalty: Weight of the orthogonal Jacobian penalty on the decoder, at least 0;
            default 0, without it. See `JacobianPenalty`.
        jacobian_vectors: Number of random vectors that estimate the penalty, at least 2, or 0 for
            its exact value; default 2.
        jacobian_step: Step of the finite differences, above 0; default 0.1.
        **kwargs: `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If the networks do not fit together, or end in an activation that cannot be
            right; in every model, also if an argument is outside its documented range.

    Example:
        >>> issubclass(kd.BYOL, kd.models.ImageModel)
        True
    """

    #: The class's declaration: its options with their defaults and checks.
    declaration: ModelDeclaration
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
        decoder: keras.Model | None = None,
        likelihood: Any = "bernoulli",
        seed: int | None = None,
        jacobian_penalty: float = JACOBIAN_OPTIONS["jacobian_penalty"].default,
        jacobian_vectors: int = JACOBIAN_OPTIONS["jacobian_vectors"].default,
        jacobian_step: float = JACOBIAN_OPTIONS["jacobian_step"].default,
        **kwargs: Any,
    ) -> None:
        check_option_names(type(self), kwargs)
        check_keras_settings(kwargs.get("dtype"))
        super().__init__(**kwargs)
        described = decoder is not None or not _is_default(likelihood)
        if described and not self.declaration.decodes:
            raise UsageError(
                f"{type(self).__name__} has no decoder. Leave `decoder` and `likelihood` out."
            )
        latent_dim = self._checked_latent_dim(encoder, decoder)
        has_posterior = self.declaration.posterior != "none"
        self.encoder = encoder if has_posterior else _without_log_variances(encoder)
        self.decoder = decoder
        self.likelihood = get_likelihood(likelihood)
        if has_posterior:
            check_encoder_reach(encoder)
        if decoder is not None:
            check_decoder_reach(decoder, self.likelihood)
        self.seed = checked_seed(seed)
        self.image_shape = tuple(encoder.input_shape[1:])
        self.latent_dim = latent_dim
        self.steps = StepCounter()
        self.set_jacobian_penalty(jacobian_penalty, jacobian_vectors, jacobian_step)
        self.trackers = TermTrackers(
            self.penalty_names + (("jacobian_penalty",) if jacobian_penalty else ()),
            self.opponent_names,
            self.state_names,
            reconstructs="reconstruction_loss" in self.declaration.losses,
            has_kl="kl_loss" in self.declaration.losses,
        )
        for network in self.networks:
            network.jit_compile = compiles_with_xla()
        # The networks are already built; Keras's `build` would keep subclasses from adding layers.
        self.built = True

    @property
    def networks(self) -> list[keras.Model]:
        """The encoder and, if there is one, the decoder."""
        return [each for each in (self.encoder, self.decoder) if each is not None]

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
                `groups` (of `DEFT`, else 1), `layer_dims` (of `LadderVAE`, else `None`),
                `flow_parameters` (of `FlowVAE`, else `None`) and `seed` that it names, by keyword.
            likelihood: See the class.
            seed: Integer seed of initial weights and noise, or `None` (default).
            network_units: Widths of the hidden layers of `"mlp"`, or the channels of
                `"convolutional"`, see `networks.convolutional_encoder`; `None` (default) for their
                own: 1200 and 1200, and for 64x64 pixels 32, 32, 64, 64, 256.
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
            cls.decoder_input_dim(latent_dim, **options) if cls.declaration.decodes else None,
            seed,
            has_posterior=cls.declaration.posterior != "none",
            adapted_decoder=cls.adapted_decoder,
        )
        if cls.declaration.decodes or not _is_default(likelihood):
            options["likelihood"] = likelihood
        options["seed"] = seed
        return cls(*[each for each in networks if each is not None], **options)

    @classmethod
    def encoder_options(cls, latent_dim: int, **options: Any) -> dict[str, Any]:
        """Returns arguments for the function that builds the encoder, from the class's options."""
        return {"latent_dim": latent_dim}

    @classmethod
    def decoder_input_dim(cls, latent_dim: int, **options: Any) -> int:
        """Returns the width of the decoder's input, from the class's options."""
        return latent_dim

    @classmethod
    def adapted_decoder(cls, decoder: keras.Model) -> keras.Model:
        """Returns what `for_images` takes in place of a decoder that it has built by name."""
        return decoder

    def network_options(self) -> dict[str, Any]:
        """Returns the constructor's arguments that the networks depend on."""
        return {}

    def latent_dim_of(self, encoder_width: int) -> int:
        """Returns the number of latent dimensions for the width of the encoder's `z_mean`."""
        return encoder_width

    def _checked_latent_dim(self, encoder, decoder):
        """Checks that encoder and decoder fit together; returns the number of latent dimensions."""
        options = self.network_options()
        has_posterior = self.declaration.posterior != "none"
        latent_dim = self.latent_dim_of(check_encoder(encoder, has_posterior))
        wanted = self.encoder_options(latent_dim, **options)
        for option, name in _FURTHER_OUTPUTS.items():
            width = wanted.get(option, 0)
            if width and getattr(encoder.output.get(name), "shape", None) != (None, width):
                raise UsageError(
                    f"The encoder must also return `{name}` (batch, {width}). "
                    f"Received: {encoder!r} with output {encoder.output}."
                )
        if self.declaration.decodes:
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

    def bounded(self, encoded: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Returns mean and log-variance, clipped to +-20, from the encoder's outputs, in float32.

        The log-variance is 0 where the encoder returns none.
        """
        mean = ops.cast(encoded["z_mean"], "float32")
        if "z_log_var" not in encoded:
            return mean, ops.zeros_like(mean)
        log_var = ops.cast(encoded["z_log_var"], "float32")
        return mean, ops.clip(log_var, -LOG_VAR_LIMIT, LOG_VAR_LIMIT)

    def code_of(self, pixels: Tensor, training: bool = False) -> Tensor:
        """Returns the codes of pixels as `encode` does, float32 `(batch, latent_dim)`."""
        return self.codes_of_layers(self.encoder(pixels, training=training))[0]

    def codes_of_layers(self, encoded: dict[str, Tensor]) -> Tensor:
        """Returns the codes of all layers, `(K, batch, latent_dim)`, from the encoder's outputs."""
        return self.posterior_of_layers(*self.bounded(encoded))[0]

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes images `(batch, height, width, channels)` and, in most models, decodes the codes.

        Returns:
            Dictionary of `z_mean` and `z`, here the same codes, `(batch, latent_dim)`, and where
            there is a decoder of `decoded`, its output, and `reconstruction`, the pixel means, both
            of the images' shape. Each class names what it adds or changes. The keys are the same
            whether training or not.
        """
        z = self.code_of(self.pixels(images), training)
        codes = {"z_mean": z, "z": z}
        if self.decoder is None:
            return codes
        return self.with_reconstruction(codes, self.decoder_inputs(z, 0), training)

    def with_reconstruction(
        self, posterior: dict[str, Tensor], decoder_inputs: Tensor, training: bool
    ) -> dict[str, Tensor]:
        """Decodes codes and adds `decoded` and `reconstruction` to the outputs."""
        decoded = self.decoder(decoder_inputs, training=training)
        outputs = {"decoded": decoded, "reconstruction": self.likelihood.mean(decoded)}
        # The penalty needs to know what was decoded.
        noted = {"decoder_inputs": decoder_inputs} if self.jacobian_penalty else {}
        return {**posterior, **outputs, **noted}

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the terms of one batch's loss, whose `total` the model minimises.

        Args:
            pixels: Float32 images `(batch, height, width, channels)`.
            outputs: The outputs of `call` for these images.
            training: Whether this is a training step.
        """
        errors = self.likelihood.negative_log_likelihood(pixels, outputs["decoded"])
        return LossTerms(reconstruction=ops.mean(errors, axis=0, keepdims=True))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, including the declared options."""
        options = {name: getattr(self, name) for name in self.declaration.options}
        return {
            **super().get_config(),
            **{n: keras.saving.serialize_keras_object(getattr(self, n)) for n in self._nested()},
            "seed": self.seed,
            **{name: getattr(self, name) for name in JACOBIAN_OPTIONS},
            **{n: list(v) if isinstance(v, tuple) else v for n, v in options.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Rebuilds the model from `get_config`."""
        # A copy, because Keras empties the dictionaries that it deserialises.
        nested_configs = {k: copy.deepcopy(config[k]) for k in cls._nested()}
        objects = {k: keras.saving.deserialize_keras_object(v) for k, v in nested_configs.items()}
        return cls(**{**config, **objects})

    @classmethod
    def _nested(cls):
        """Returns the names of the constructor's arguments that are Keras objects."""
        return ("encoder", "decoder", "likelihood") if cls.declaration.decodes else ("encoder",)


def _is_default(likelihood):
    return isinstance(likelihood, str) and likelihood == "bernoulli"


def _without_log_variances(encoder):
    """Returns the encoder without weights that no loss would train."""
    if "z_log_var" not in encoder.output:
        return encoder
    outputs = {name: output for name, output in encoder.output.items() if name != "z_log_var"}
    return keras.Model(encoder.input, outputs, name=encoder.name)
