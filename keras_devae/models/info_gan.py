"""InfoGAN and InfoGAN-CR: a generator whose codes can be read off its images."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend.replicas import part_of_batch
from keras_devae.checks import Array, Tensor, at_least
from keras_devae.layers import BatchNormalization, RandomState, derived_seeds
from keras_devae.losses import (
    contrastive_loss,
    generator_loss,
    image_discriminator_loss,
    negative_information_bound,
    scaled_gradient,
    shared_in_pairs,
)
from keras_devae.models.adversary import AdversarialModel, frozen
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.loss_terms import LossTerms
from keras_devae.networks import image_discriminator
from keras_devae.process.randomness import random_generator


@keras.saving.register_keras_serializable(package="keras_devae")
class InfoGAN(AdversarialModel):
    """InfoGAN (Chen et al. 2016), and InfoGAN-CR (Lin et al. 2020) with `contrastive=True`.

        -E log D(G(c, z)) - information_weight * I(c, G(c, z)) + contrastive weight * CR

    The decoder is the generator G of codes c and noise z, all uniform on [-1, 1]. The encoder is Q:
    it reads the codes off generated images, and its log-likelihood bounds the mutual information I
    from below. A discriminator D tells images of the data from generated ones. The
    contrastive regularizer CR is the cross-entropy of a second discriminator, which sees two
    generated images and tells which code they have in common; the other codes differ, and the noise
    is the same.

    Each step trains G and Q with `optimizer`, and the discriminators with
    `discriminator_optimizer`: Adam 2e-4 (0.5, 0.999) unless given, with `contrastive` 2e-3. The
    information reaches G and Q only, D's loss reaches D only. The published optimizer of G and Q is
    Adam 1e-3 (0.5, 0.999), with batches of 128, or 64 with `contrastive`.

    There is no posterior: codes are the means of Q, whose variance is 1. `decode` and `reconstruct`
    set the noise to 0, `sample` draws it. A reconstruction is G(Q(x)), which nothing in the loss
    asks to resemble x: only images that G generates are ever encoded in training. `fit` shows
    `generator_loss`, `discriminator_loss`, which is not part of `loss`, `information_loss`, minus
    the bound, and with `contrastive` `contrastive_loss` and `contrastive_weight`.

    Departures: Q and D share their convolutions in the papers, whereas here Q is a network of its
    own, so that the information does not change D. G and Q are the house's networks; `for_images`
    adds batch normalisation to the hidden layers of a generator that it builds by name, and D has
    spectral normalisation, as in InfoGAN-CR. Every step trains each player once, on the same
    generated images; the code of InfoGAN-CR trains G twice. Its second discriminator starts anew
    once the regularizer counts; here it keeps its weights. Categorical codes are left out.

    On dSprites the authors of InfoGAN-CR report means over 50 runs: FactorVAE score 0.82, DCI 0.60,
    SAP 0.41 and MIG 0.22 for InfoGAN, modified as here by spectral normalisation, and 0.88, 0.71,
    0.58 and 0.37 with the regularizer, both with 5 codes and 5 dimensions of noise.

    Args:
        encoder: See `VAE`; it returns `z_mean` alone.
        decoder: See `VAE`; its input are the codes followed by the noise.
        noise_dim: Dimensions of the noise z, at least 0; default 5.
        information_weight: Weight of the information, at least 0, or `None` (default) for 1, or
            0.05 with `contrastive`.
        contrastive: Whether to add the contrastive regularizer; default false.
        contrastive_weight: Weight of the regularizer once it counts, at least 0, or `None`
            (default) for 2. Needs `contrastive`.
        contrastive_start: Step from which the regularizer counts, at least 0; default 268,000,
            as in the published code, where it is after 25 of 28 epochs.
        **kwargs: Further arguments of `VAE`; the likelihood says how the decoder's output becomes
            pixels.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.InfoGAN.for_images((32, 32, 1), latent_dim=5, contrastive=True)
        >>> model.compile(keras.optimizers.Adam(1e-3, beta_1=0.5))
        >>> history = model.fit(images, verbose=0).history
        >>> "information_loss" in history and "contrastive_loss" in history
        True
        >>> model.sample(4, seed=0).shape
        (4, 32, 32, 1)
    """

    declaration = MODEL_CATALOGUE["info_gan"]
    penalty_names: tuple[str, ...] = ("generator", "information", "contrastive")
    opponent_names = ("discriminator",)
    state_names: tuple[str, ...] = ("contrastive_weight",)
    code_range = (-1.0, 1.0)

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        noise_dim: int = declaration.defaults["noise_dim"],
        information_weight: float | None = declaration.defaults["information_weight"],
        contrastive: bool = declaration.defaults["contrastive"],
        contrastive_weight: float | None = declaration.defaults["contrastive_weight"],
        contrastive_start: int = declaration.defaults["contrastive_start"],
        **kwargs: Any,
    ) -> None:
        options = self.declared(locals())
        # Needed before the networks are checked, and the names of the metrics before they are made.
        self.set_options(**options)
        self.declaration.check_together(options)
        if not self.contrastive:
            self.penalty_names, self.state_names = self.penalty_names[:2], ()
        super().__init__(encoder, decoder, **kwargs)
        self.declaration.check_latent_dim(options, self.latent_dim)
        seeds = derived_seeds(self.seed, 3, purpose=5)
        self.draws = RandomState(seeds[0])
        # Use the model's dtype policy, so that a loaded model computes as it did when it was saved.
        how = {"dtype": self.dtype_policy}
        self.discriminator = image_discriminator(self.image_shape, seed=seeds[1], **how)
        if self.contrastive:
            self.contrastive_discriminator = image_discriminator(
                *(self.image_shape, self.latent_dim, 2, False, seeds[2]),
                name="discriminator_contrastive",
                **how,
            )

    @classmethod
    def decoder_input_dim(cls, latent_dim: int, **options: Any) -> int:
        """Returns the number of codes plus the dimensions of the noise."""
        return latent_dim + options.get("noise_dim", cls.declaration.defaults["noise_dim"])

    @classmethod
    def adapted_decoder(cls, decoder: keras.Model) -> keras.Model:
        """Returns the decoder with batch normalisation after each hidden layer."""
        return keras.models.clone_model(decoder, call_function=_with_normalized_output)

    def network_options(self) -> dict[str, Any]:
        """Returns the constructor's arguments that the networks depend on."""
        return {"noise_dim": self.noise_dim}

    def default_discriminator_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the published optimizer of the discriminators."""
        return keras.optimizers.Adam(2e-3 if self.contrastive else 2e-4, beta_1=0.5, beta_2=0.999)

    # Inference.

    def decoder_inputs(self, z: Any, layer: int) -> Tensor:
        """Returns the generator's input for codes: the codes, and noise of 0."""
        return ops.pad(z, ((0, 0), (0, self.noise_dim)))

    def sample(self, n: int, layer: int = 0, seed: int | None = None) -> Array:
        """Generates n images from codes and noise drawn uniformly from [-1, 1], see `decode`."""
        at_least("n", n, 0)
        self.check_layer(layer)
        width = self.latent_dim + self.noise_dim
        drawn = random_generator(seed).uniform(*self.code_range, (n, width))
        return self._decode_inputs(drawn.astype(np.float32), 256)

    # Training.

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Encodes images and generates images from their codes, see `ImageModel.call`.

        The outputs are the same whether training or not, as they are not part of the loss.
        """
        return super().call(images, training=False)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the losses of one batch, see the class."""
        size = ops.shape(pixels)[0]
        drawn = self._drawn(size, training, 0)
        images = self._generated(drawn, training)
        means, _ = self.bounded(self.encoder(images, training=training))
        information = negative_information_bound(drawn[:, : self.latent_dim], means)
        adversarial = generator_loss(frozen(self.discriminator, images))
        both = ops.concatenate([pixels, ops.stop_gradient(images)], axis=0)
        logits = self.discriminator(both, training=training)
        terms = LossTerms(
            penalties={
                "generator": (1.0, adversarial),
                "information": (self._weight_of_information, information),
            },
            opponents={"discriminator": image_discriminator_loss(logits[:size], logits[size:])},
        )
        return self._with_contrast(terms, size, training) if self.contrastive else terms

    @property
    def _weight_of_information(self):
        if self.information_weight is None:
            return 0.05 if self.contrastive else 1.0
        return self.information_weight

    def _with_contrast(self, terms, size, training):
        """Adds the regularizer, which G minimises by its weight and its discriminator fully."""
        full = 2.0 if self.contrastive_weight is None else self.contrastive_weight
        weight = ops.where(self.steps.step >= self.contrastive_start, full, 0.0)
        weight = ops.cast(weight, "float32")
        shared = self._shared_dimensions(size, training)
        drawn, others = self._drawn(size, training, 1), self._drawn(size, training, 2)
        codes, noise = ops.split(drawn, [self.latent_dim], axis=1)
        partners = shared_in_pairs(codes, others[:, : self.latent_dim], shared)
        partners = ops.concatenate([partners, noise], axis=1)
        images = self._generated(ops.concatenate([drawn, partners], axis=0), training)
        pairs = ops.concatenate([images[:size], images[size:]], axis=-1)
        logits = self.contrastive_discriminator(scaled_gradient(pairs, weight), training=training)
        loss = contrastive_loss(shared, logits)
        return terms.replace(
            penalties={**terms.penalties, "contrastive": (weight, ops.stop_gradient(loss))},
            state={"contrastive_weight": weight},
            opponents={**terms.opponents, "contrastive": loss},
        )

    def _generated(self, inputs, training):
        return self.likelihood.mean(self.decoder(inputs, training=training))

    def _drawn(self, size, training, number):
        """Draws codes and noise `(size, ...)`; outside training always the same by their number."""
        seed = self.draws.seed_generator if training else number

        def draw(shape):
            return keras.random.uniform(shape, *self.code_range, dtype="float32", seed=seed)

        return part_of_batch(draw, (size, self.latent_dim + self.noise_dim), axis=0)

    def _shared_dimensions(self, size, training):
        seed = self.draws.seed_generator if training else 3

        def draw(shape):
            return keras.random.randint(shape, 0, self.latent_dim, seed=seed)

        return part_of_batch(draw, (size,), axis=0)


def _with_normalized_output(layer, *inputs, **options):
    """Calls a layer, and normalises its output over the batch if it is a hidden layer's."""
    outputs = layer(*inputs, **options)
    if getattr(layer, "activation", None) in (None, keras.activations.linear):
        return outputs
    return BatchNormalization(momentum=0.9, name=f"{layer.name}_normalized")(outputs)
