"""JointVAE: a continuous and a categorical code."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend.replicas import mean_over_batch
from keras_devae.checks import Tensor
from keras_devae.layers import RandomState, derived_seeds
from keras_devae.losses import categorical_kl, gumbel_softmax
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.categorical_inference import CategoricalInference
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.schedules import LinearSchedule


@keras.saving.register_keras_serializable(package="keras_devae")
class JointVAE(CategoricalInference, VAE):
    """JointVAE (Dupont 2018), equation 7.

        reconstruction + gamma * |KL_z - C_z| + categorical_gamma * |KL_c - C_c|

    The encoder also returns a categorical code c, sampled in training with the Gumbel-softmax
    relaxation; outside training the most probable category is used. KL_c is its divergence from
    the uniform distribution. Both capacities grow linearly; C_c stops at the logarithm of the
    number of categories, which KL_c cannot exceed. `fit` shows both capacities (`capacity`,
    `categorical_capacity`), the distances to them (`capacity_loss`, `categorical_capacity_loss`)
    and the two divergences (`kl_loss`, `categorical_kl_loss`). See `AnnealedVAE` for what happens
    if a capacity grows too fast.

    Args:
        encoder: See `VAE`; it also returns `category_logits`, `(batch, num_categories)`.
        decoder: See `VAE`; its input is the code followed by the one-hot category.
        num_categories: Number of categories, at least 2; default 3.
        gamma: Weight of the continuous code's distance, at least 0; default 150.
        capacity_max: C_z at the end, in nats, at least 0; default 40.
        categorical_gamma: Weight of the categorical code's distance, at least 0; default 150. It
            and `gamma` are meant for sums over 64x64 pixels.
        categorical_capacity_max: C_c at the end, in nats, at least 0; default 1.1.
        capacity_steps: Steps until both reach their ends, at least 1; default 300,000.
        temperature: Temperature of the relaxation, above 0; default 0.67.
        capacity_start: C_z at the start, in nats, at least 0; default 0.
        categorical_capacity_start: C_c at the start, in nats, at least 0; default 0.
        **kwargs: See `VAE`.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.JointVAE.for_images((32, 32, 1), latent_dim=6, num_categories=3)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0)
        >>> model.category_probabilities(images).shape
        (64, 3)
    """

    declaration = MODEL_CATALOGUE["joint_vae"]
    penalty_names = ("capacity", "categorical_capacity", "categorical_kl")
    state_names = ("capacity", "categorical_capacity")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        num_categories: int = declaration.defaults["num_categories"],
        gamma: float = declaration.defaults["gamma"],
        capacity_max: float = declaration.defaults["capacity_max"],
        categorical_gamma: float = declaration.defaults["categorical_gamma"],
        categorical_capacity_max: float = declaration.defaults["categorical_capacity_max"],
        capacity_steps: int = declaration.defaults["capacity_steps"],
        temperature: float = declaration.defaults["temperature"],
        capacity_start: float = declaration.defaults["capacity_start"],
        categorical_capacity_start: float = declaration.defaults["categorical_capacity_start"],
        **kwargs: Any,
    ) -> None:
        # Needed before the networks are checked: their widths depend on it.
        self.set_options(num_categories=num_categories)
        super().__init__(encoder, decoder, **kwargs)
        self.set_options(**self.declared(locals()))
        self._capacity = LinearSchedule(capacity_start, capacity_max, capacity_steps)
        self._categorical_capacity = LinearSchedule(
            categorical_capacity_start, categorical_capacity_max, capacity_steps
        )
        self.gumbel = RandomState(derived_seeds(self.seed, 1, purpose=3)[0])

    @classmethod
    def encoder_options(cls, latent_dim: int, **options: Any) -> dict[str, Any]:
        """Returns the arguments of the function that builds the encoder."""
        default = cls.declaration.defaults["num_categories"]
        num_categories = options.get("num_categories", default)
        return {"latent_dim": latent_dim, "num_categories": num_categories}

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes and decodes, see `VAE.call`.

        The outputs include `category_logits` and `category`, `(batch, num_categories)`: in training
        a relaxed sample, otherwise the most probable category, one-hot.
        """
        encoded = self.encoder(self.pixels(images), training=training)
        z_mean, z_log_var = self.bounded(encoded)
        logits = ops.cast(encoded["category_logits"], "float32")
        if training:
            z = self.sampling(z_mean, z_log_var)
            category = gumbel_softmax(logits, self.temperature, self.gumbel.seed_generator)
        else:
            z = z_mean
            # Of floats, Keras's argmax reads sign bits on JAX, which ONNX has no operation for.
            largest = ops.cast(logits >= ops.max(logits, axis=-1, keepdims=True), "int32")
            category = ops.one_hot(ops.argmax(largest, axis=-1), self.num_categories)
            category = ops.cast(category, "float32")
        posterior = {"z_mean": z_mean, "z_log_var": z_log_var, "z": z}
        posterior |= {"category_logits": logits, "category": category}
        return self.with_reconstruction(posterior, ops.concatenate([z, category], axis=1), training)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch, see the class."""
        terms = super().loss_terms(pixels, outputs, training)
        divergence = mean_over_batch(ops.mean(categorical_kl(outputs["category_logits"])))
        capacity = self._capacity(self.steps.step)
        largest = float(np.log(self.num_categories))
        categorical_capacity = ops.minimum(self._categorical_capacity(self.steps.step), largest)
        distance = ops.abs(terms.total_kl - capacity)
        categorical_distance = ops.abs(divergence - categorical_capacity)
        return terms.replace(
            penalties={
                "capacity": (self.gamma, distance),
                "categorical_capacity": (self.categorical_gamma, categorical_distance),
                "categorical_kl": (0.0, divergence),
            },
            state={"capacity": capacity, "categorical_capacity": categorical_capacity},
        )

    def category_probabilities_of(self, pixels: Tensor, encoded: dict[str, Tensor]) -> Tensor:
        """Returns the posterior over categories, see `CategoricalInference`."""
        return ops.softmax(encoded["category_logits"], axis=-1)
