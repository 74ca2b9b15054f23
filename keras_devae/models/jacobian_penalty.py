"""The orthogonal Jacobian penalty, which every model with a decoder can add to its loss."""

from typing import Any

import keras
from keras import ops

from keras_devae.backend.replicas import mean_over_batch
from keras_devae.checks import Tensor
from keras_devae.layers import RandomState, derived_seeds
from keras_devae.losses import orthogonal_jacobian
from keras_devae.models.declarations import ModelDeclaration, check_penalised_decoder
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.options import JACOBIAN_OPTIONS

#: Least mean scale of the Jacobian that the penalty is divided by, so that no image gives NaN.
_LEAST_SCALE = 1e-12


class JacobianPenalty(keras.Model):
    """Adds `jacobian_penalty * P` to the loss, the OroJaR of Wei et al. (2021).

    P makes the images' changes along any two latents orthogonal: it is `2 sum_(i != j) (J'J)_ij^2`
    divided by the square of `trace(J'J)`, both averaged over the batch, with J the Jacobian of the
    pixel means, the image that the decoder and the likelihood make of a code, at the codes decoded
    in the step. It is computed by finite differences, see `keras_devae.losses.orthogonal_jacobian`.
    `fit` shows it as `jacobian_penalty_loss`. It trains the decoder alone, as in the paper the
    generator: no gradient reaches the encoder through the codes.

    Departures from the paper: P is divided by the Jacobian's scale, without which an autoencoder
    has it vanish by larger codes and a flatter decoder; it is a mean over the batch, where the
    authors' code also offers the maximum; it concerns the images, not the layers in between.
    Only latents are moved: a layer's vector or a category beside them stays as it is. Decoders
    with dropout or batch normalisation are penalised as they are used after training.

    P is 0 for orthogonal changes and 2 if one image changes in one way along all latents, if these
    are many; so weights are of the size of the loss itself, nats per image.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.VAE.for_images((32, 32, 1), latent_dim=10, jacobian_penalty=20.0)
        >>> model.compile("adam")
        >>> history = model.fit(images, verbose=0).history
        >>> "jacobian_penalty_loss" in history
        True
    """

    declaration: ModelDeclaration
    decoder: keras.Model
    likelihood: Any
    latent_dim: int
    seed: int | None

    def set_jacobian_penalty(self, penalty: float, vectors: int, step: float) -> None:
        """Checks and keeps the options of `JACOBIAN_OPTIONS`, in their order."""
        for (name, option), value in zip(
            JACOBIAN_OPTIONS.items(), (penalty, vectors, step), strict=True
        ):
            setattr(self, name, option.check(name, value))
        check_penalised_decoder(self.declaration, self.jacobian_penalty)
        if self.jacobian_penalty and self.jacobian_vectors:
            (seed,) = derived_seeds(self.seed, 1, purpose=8)
            self.jacobian_directions = RandomState(seed)

    def decoder_inputs_of(self, outputs: dict[str, Tensor]) -> Tensor:
        """Returns what `call` decoded, `(batch, width)`, latents first."""
        return outputs["decoder_inputs"]

    def decode_inputs(self, inputs: Tensor) -> Tensor:
        """Decodes `(batch, width)`, as `decoder_inputs_of` returns it, as after training."""
        return self.decoder(inputs, training=False)

    def with_jacobian_penalty(
        self, terms: LossTerms, outputs: dict[str, Tensor], training: bool
    ) -> LossTerms:
        """Returns the terms of a step with the penalty; the same terms if its weight is 0."""
        if not self.jacobian_penalty:
            return terms
        inputs = terms.decoder_inputs
        if inputs is None:
            inputs = self.decoder_inputs_of(outputs)[None]
        penalty = (self.jacobian_penalty, self._orthogonality(inputs, terms.weights, training))
        return terms.replace(penalties={**terms.penalties, "jacobian_penalty": penalty})

    def _orthogonality(self, inputs, weights, training):
        """Computes P for the decoder's inputs `(n, batch, width)` of layers with these weights."""
        inputs = ops.stop_gradient(ops.cast(inputs, "float32"))
        codes, fixed = inputs[..., : self.latent_dim], inputs[..., self.latent_dim :]
        # Evaluation is deterministic, so it uses fixed vectors.
        seed = self.jacobian_directions.seed_generator if self.jacobian_vectors and training else 0
        found = orthogonal_jacobian(
            self._images_with(fixed), codes, self.jacobian_vectors, self.jacobian_step, seed
        )
        shares = weights / ops.sum(weights)
        penalty, scale = (mean_over_batch(ops.sum(shares * ops.mean(x, axis=1))) for x in found)
        return penalty / ops.square(ops.maximum(scale, _LEAST_SCALE))

    def _images_with(self, fixed):
        """Returns the function from latents to pixel means with the rest of the inputs fixed."""
        width = fixed.shape[-1]
        times = 1 + (self.jacobian_vectors or self.latent_dim)

        def images(codes):
            if width:
                repeated = ops.tile(ops.reshape(fixed, (-1, width)), (times, 1))
                codes = ops.concatenate([codes, repeated], axis=-1)
            return self.likelihood.mean(self.decode_inputs(codes))

        return images
