"""How a model comes by its networks."""

from keras_devae.checks import at_least, check_channels_last, image_shape_of, one_of, widths
from keras_devae.errors import UsageError
from keras_devae.layers import derived_seeds
from keras_devae.models.keras_arguments import check_options, check_settings
from keras_devae.networks import NETWORKS


class Construction:
    """The part of `keras_devae.VAE` that builds and checks encoder and decoder."""

    @classmethod
    def for_images(
        cls,
        image_shape,
        latent_dim=10,
        network="convolutional",
        likelihood="bernoulli",
        seed=None,
        network_units=None,
        **options,
    ):
        """Builds the model with one of the package's pairs of networks.

        Args:
            image_shape: `(height, width, channels)`.
            latent_dim: Number of latent dimensions; default 10.
            network: `"convolutional"` (default) or `"mlp"`.
            likelihood: See the class.
            seed: Integer seed of initial weights and noise, or `None` (default).
            network_units: Widths of the hidden layers of encoder and decoder with `"mlp"`, or
                `None` (default): 1200 and 1200.
            **options: Further arguments of the class.

        Returns:
            The model, built and ready for `compile`.

        Raises:
            UsageError: If a name is unknown or a size not supported.
        """
        check_settings()
        one_of("network", network, NETWORKS)
        image_shape = image_shape_of(image_shape)
        check_channels_last(image_shape)
        at_least("latent_dim", latent_dim, 1)
        check_options(cls, options)
        make_encoder, make_decoder = NETWORKS[network]
        sizes = _sizes(network, network_units)
        encoder_seed, decoder_seed = derived_seeds(seed, 2)
        encoder_options = cls.encoder_options(latent_dim, **options)
        width = cls.decoder_input_dim(latent_dim, **options)
        return cls(
            make_encoder(image_shape, seed=encoder_seed, **sizes, **encoder_options),
            make_decoder(width, image_shape, seed=decoder_seed, **sizes),
            likelihood=likelihood,
            seed=seed,
            **options,
        )

    @classmethod
    def encoder_options(cls, latent_dim, **options):
        """Returns the arguments of the encoder's function for a number of latent dimensions.

        Args:
            latent_dim: Number of latent dimensions.
            **options: Arguments of the class.
        """
        del options
        return {"latent_dim": latent_dim}

    @classmethod
    def decoder_input_dim(cls, latent_dim, **options):
        """Returns the width of the decoder's input for a number of latent dimensions.

        Args:
            latent_dim: Number of latent dimensions.
            **options: Arguments of the class.
        """
        del options
        return latent_dim

    def check_networks(self, encoder, decoder):
        """Checks that encoder and decoder fit together.

        Args:
            encoder: See the class.
            decoder: See the class.

        Returns:
            The number of latent dimensions.

        Raises:
            UsageError: If they do not fit together.
        """
        options = self.network_options()
        outputs = _outputs(encoder)
        check_channels_last(encoder.input_shape[1:])
        latent_dim = self.latent_dim_of(outputs["z_mean"][-1])
        categories = self.encoder_options(latent_dim, **options).get("num_categories", 0)
        if categories and outputs.get("category_logits") != (None, categories):
            raise UsageError(
                f"The encoder must also return `category_logits` (batch, {categories}). "
                f"Received: {encoder!r} with output {encoder.output}."
            )
        _check_decoder(encoder, decoder, latent_dim, self.decoder_input_dim(latent_dim, **options))
        return latent_dim

    def network_options(self):
        """Returns the arguments of the class that the networks depend on, a dictionary."""
        return {}

    def latent_dim_of(self, encoder_width):
        """Returns the number of latent dimensions for the width of the encoder's `z_mean`."""
        return encoder_width


def _sizes(network, units):
    """Returns the arguments of a pair of networks that say how large they are."""
    if units is None:
        return {}
    if network != "mlp" or not widths("network_units", units):
        raise UsageError(
            "`network_units` are at least one width of the network 'mlp'. Received: "
            f"{units!r}, network={network!r}."
        )
    return {"units": widths("network_units", units)}


def _outputs(encoder):
    output = getattr(encoder, "output", None)
    shapes = {k: v.shape for k, v in output.items()} if isinstance(output, dict) else {}
    mean_shape = shapes.get("z_mean", ())
    if (
        len(mean_shape) != 2
        or shapes.get("z_log_var") != mean_shape
        or len(encoder.input_shape) != 4
    ):
        raise UsageError(
            "The encoder must be a functional keras.Model from images (batch, height, width, "
            "channels) to a dictionary of `z_mean` and `z_log_var`, both (batch, latent_dim). "
            f"Received: {encoder!r} with output {output}."
        )
    return shapes


def _check_decoder(encoder, decoder, latent_dim, expected):
    shape = getattr(decoder, "input_shape", ())
    if tuple(shape[1:]) != (expected,):
        raise UsageError(
            f"The decoder must be a functional keras.Model of {expected} numbers for "
            f"{latent_dim} latent dimensions. Received: {decoder!r} of input shape {shape}."
        )
    if isinstance(decoder.output_shape, dict):
        raise UsageError(
            "The decoder must return images, one tensor. Received: a dictionary of "
            f"{', '.join(decoder.output_shape)}."
        )
    if tuple(decoder.output_shape[1:]) != tuple(encoder.input_shape[1:]):
        raise UsageError(
            "The decoder must return the encoder's images. Received: encoder input "
            f"{encoder.input_shape[1:]}, decoder output {decoder.output_shape[1:]}."
        )
