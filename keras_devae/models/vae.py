"""The variational autoencoder, base of every model."""

import copy

import keras
from keras import ops

from keras_devae.backend import compiles_with_xla
from keras_devae.backend.replicas import averageable_logs, mean_over_batch, share_of_loss
from keras_devae.errors import UsageError
from keras_devae.layers import GaussianSampling
from keras_devae.losses import gaussian_kl, get_likelihood
from keras_devae.models.construction import Construction
from keras_devae.models.images import are_floats, images_in, nan_outside_unit_range
from keras_devae.models.inference import LOG_VAR_LIMIT, Inference
from keras_devae.models.keras_arguments import check_labels, check_options, check_settings
from keras_devae.models.loss_terms import LossTerms, TermTrackers
from keras_devae.models.network_checks import check_decoder_reach, check_encoder_reach
from keras_devae.models.saving import Files
from keras_devae.models.training import Training
from keras_devae.process.randomness import checked_seed
from keras_devae.schedules import StepCounter


@keras.saving.register_keras_serializable(package="keras_devae")
class VAE(Construction, Inference, Training, Files, keras.Model):
    """Variational autoencoder (Kingma & Welling 2014).

    Minimises `reconstruction + KL`, each summed over pixels or latent dimensions and averaged over
    the batch, in nats. The siblings change `loss_terms` and nothing else.

    Images may be uint8 of 0..255, which the model divides by 255 itself, or floats, which it takes
    as they are. Training uses a sample of the posterior; validation and inference use its mean and
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
            be right: the likelihood applies its sigmoid to the decoder's output itself, and the
            posterior must reach both sides of the prior.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(128))
        >>> model = kd.VAE.for_images((32, 32, 1), latent_dim=10)
        >>> model.compile(optimizer=keras.optimizers.Adam(1e-4))
        >>> history = model.fit(images, epochs=3, verbose=0)
        >>> model.encode(images).shape
        (128, 10)
    """

    #: Number of latent layers.
    num_layers = 1
    #: Whether training calls functions on the host, which XLA on TensorFlow cannot.
    calls_host = False
    #: Whether the loss is made of means over the images of a batch, so that devices can compute it
    #: from their parts: linear in what is not a `keras_devae.backend.replicas.mean_over_batch`.
    mean_over_images = True
    #: Names of the penalties besides `kl`, of opponents and of the state: see `LossTerms`.
    penalty_names = opponent_names = state_names = ()
    #: The `ResidentImages` of a training with resident batches, `None` at all other times.
    resident_images = None

    def __init__(self, encoder, decoder, likelihood="bernoulli", seed=None, **kwargs):
        check_options(type(self), kwargs)
        check_settings(kwargs.get("dtype"))
        super().__init__(**kwargs)
        latent_dim = self.check_networks(encoder, decoder)
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
        # The networks are built already. Setting the flag, in place of calling `build`, leaves
        # the siblings free to add layers of their own.
        self.built = True

    # The forward pass and the objective: tensors in, tensors out.

    def pixels(self, images):
        """Turns images into float32 pixels: integers are divided by 255, floats left alone.

        Row numbers, `(batch,)`, stand for resident images while there are any; of a dictionary
        `image` counts.
        """
        images = ops.convert_to_tensor(images_in(images))
        if len(images.shape) == 1:
            if self.resident_images is None:
                raise UsageError(
                    "Row numbers stand for images only in `fit` and `evaluate` on resident "
                    "batches. Pass images, e.g. `dataset.images(rows)`."
                )
            images = self.resident_images(images)
        if not are_floats(images):
            return ops.cast(images, "float32") / 255.0
        return ops.cast(images, "float32")

    def call(self, images, training=False):
        """Encodes and decodes.

        Args:
            images: `(batch, height, width, channels)`.
            training: With true, `z` is a sample of the posterior, else its mean.

        Returns:
            Dictionary of `z_mean`, `z_log_var`, `z`, `(batch, latent_dim)`; `decoded`, the
            decoder's output; and `reconstruction`, the pixel means.
        """
        z_mean, z_log_var = self.first_layer(*self.posterior_of(self.pixels(images), training))
        z = self.sampling(z_mean, z_log_var) if training else z_mean
        posterior = {"z_mean": z_mean, "z_log_var": z_log_var, "z": z}
        return self.with_reconstruction(posterior, z, training)

    def with_reconstruction(self, posterior, decoder_inputs, training):
        """Decodes, and adds `decoded` and `reconstruction` to a dictionary of outputs."""
        decoded = self.decoder(decoder_inputs, training=training)
        return {**posterior, "decoded": decoded, "reconstruction": self.likelihood.mean(decoded)}

    def posterior_of(self, pixels, training=False):
        """Returns the encoder's mean and log-variance of pixels, the latter clipped to +-20."""
        return self.bounded(self.encoder(pixels, training=training))

    def bounded(self, posterior):
        """Returns mean and log-variance from the encoder's outputs, in float32 and clipped."""
        return (
            ops.cast(posterior["z_mean"], "float32"),
            ops.clip(ops.cast(posterior["z_log_var"], "float32"), -LOG_VAR_LIMIT, LOG_VAR_LIMIT),
        )

    def first_layer(self, mean, log_var):
        """Returns the posterior of layer 0 from the encoder's mean and log-variance."""
        return tuple(layers[0] for layers in self.posterior_of_layers(mean, log_var))

    def loss_terms(self, pixels, outputs, training):
        """Computes the loss of one batch.

        Args:
            pixels: Float32 images `(batch, height, width, channels)`.
            outputs: What `call` returned for them.
            training: Whether this is a training step.

        Returns:
            A `LossTerms`.
        """
        negative_log_likelihood = self.likelihood.negative_log_likelihood(
            pixels, outputs["decoded"]
        )
        kl = ops.mean(gaussian_kl(outputs["z_mean"], outputs["z_log_var"]), axis=0, keepdims=True)
        # Of all images, for the siblings whose loss is not linear in it.
        kl = mean_over_batch(kl)
        return LossTerms(
            reconstruction=ops.mean(negative_log_likelihood, axis=0, keepdims=True),
            kl=kl,
            penalties={"kl": (1.0, ops.sum(kl))},
            layers=ops.zeros((1,), "int32"),
            weights=ops.ones((1,), "float32"),
        )

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Computes the objective for Keras's own training loop.

        Args:
            x: Images.
            y: Labels that came with the images, which are warned of and not used.
            y_pred: What `call` returned.
            sample_weight: Not supported.
            training: Whether this is a training step.

        Returns:
            The scalar loss. Regularisers of the networks and losses that their layers add count in.

        Raises:
            UsageError: If sample weights are given, or images as labels.
        """
        check_labels(y, sample_weight, self.image_shape)
        x = images_in(x)
        pixels = self.pixels(x)
        if self.likelihood.bounded and are_floats(x):
            pixels = nan_outside_unit_range(pixels)
        terms = self.loss_terms(pixels, y_pred, training)
        self.track(terms, ops.shape(x)[0])
        if training:
            self.steps.advance()
        total = terms.total
        for loss in terms.opponents.values():
            # Its gradient counts, its value does not.
            total = total + (loss - ops.stop_gradient(loss))
        total = sum((ops.sum(ops.cast(loss, "float32")) for loss in self.losses), total)
        return share_of_loss(total)

    def track(self, terms, batch_size):
        """Adds a step's terms to the metrics that `fit` shows.

        Args:
            terms: A `LossTerms`.
            batch_size: Number of images they are the mean of.
        """
        self.trackers.update(terms, batch_size)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Returns what `fit` shows after a step, see `keras.Model.compute_metrics`.

        Args:
            x: Images.
            y: Ignored.
            y_pred: What `call` returned.
            sample_weight: Ignored.

        Returns:
            Dictionary of the values of the metrics.
        """
        return averageable_logs(super().compute_metrics(x, y, y_pred, sample_weight))

    @property
    def metrics(self):
        """The metrics that `fit` shows, a list; the losses of the terms come after `loss`."""
        return [*super().metrics, *self.trackers.metrics]

    @property
    def non_trainable_variables(self):
        """The state that no optimizer changes, a list; resident images are part of it.

        The compiled step on JAX gets these, and would make a constant of any other array. What is
        saved and counted follows from other attributes.
        """
        resident = self.resident_images
        return [*super().non_trainable_variables, *([resident.variable] if resident else [])]

    def metrics_not_updated(self):
        """Returns the names of the metrics that no step of this epoch has updated."""
        return set()

    def training_warnings(self, logs):
        """Returns sentences about what is wrong with the trained state, empty if nothing is.

        Args:
            logs: Metrics of the last epoch.
        """
        kl = float(logs.get("kl_loss_layer_0", logs.get("kl_loss", float("inf"))))
        if kl < 0.1:
            return [
                f"The posterior has collapsed: its KL divergence is {kl:.3f} nats in all, so the "
                "codes carry almost nothing of the images. Lower beta, or train for longer."
            ]
        return []

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "likelihood": keras.saving.serialize_keras_object(self.likelihood),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuilds the model from `get_config`."""
        nested = ("encoder", "decoder", "likelihood")
        # Keras empties the dictionaries that it deserialises.
        nested_configs = {k: copy.deepcopy(config[k]) for k in nested}
        objects = {k: keras.saving.deserialize_keras_object(v) for k, v in nested_configs.items()}
        return cls(**{**config, **objects})
