"""Inference with a categorical code beside the continuous one."""

from typing import Any

import numpy as np
from keras import ops

from keras_devae.checks import Array, Tensor, at_least
from keras_devae.errors import UsageError
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.images import arrays_of
from keras_devae.models.inference import Inference
from keras_devae.process.randomness import random_generator


class CategoricalInference(Inference):
    """Inference methods of JointVAE and CascadeVAE; list it before `VAE` among the bases.

    The decoder's input is the continuous code followed by the one-hot category.
    """

    declaration: ModelDeclaration

    @classmethod
    def decoder_input_dim(cls, latent_dim: int, **options: Any) -> int:
        """Returns the number of latent dimensions plus the number of categories."""
        default = cls.declaration.defaults["num_categories"]
        return latent_dim + options.get("num_categories", default)

    def network_options(self) -> dict[str, Any]:
        """Returns the constructor's arguments that the networks depend on."""
        return {"num_categories": self.num_categories}

    def category_probabilities(self, images: Any, batch_size: int = 256) -> Array:
        """Returns the probability of each category for every image, see `Inference.posterior`.

        Returns:
            Float32 array `(n, num_categories)`, rows summing to 1.
        """
        return self.over_images(self._category_chunk, images, batch_size)["probabilities"]

    def category_probabilities_of(self, pixels: Tensor, encoded: dict[str, Tensor]) -> Tensor:
        """Computes `category_probabilities` as a tensor.

        `encoded` is the encoder's output for pixels `(batch, height, width, channels)`.
        """
        raise NotImplementedError

    def encode_categories(self, images: Any, batch_size: int = 256) -> Array:
        """Returns the most probable category of every image, int64 `(n,)`."""
        return np.argmax(self.category_probabilities(images, batch_size), axis=1)

    def decode(
        self, z: Any, layer: int = 0, batch_size: int = 256, categories: Any = None
    ) -> Array:
        """Decodes codes to images, see `Inference.decode`; the only layer is 0.

        `categories` are integers `(n,)`, or `None` (default) for category 0. An unknown category
        raises a `UsageError`.
        """
        at_least("batch_size", batch_size, 1)
        z = self.checked_codes(z, layer)
        inputs = np.concatenate([z, self._one_hot(categories, len(z))], axis=1)
        inputs = ops.convert_to_numpy(self.decoder_inputs(ops.convert_to_tensor(inputs), layer))
        return self._decode_inputs(inputs, batch_size)

    def reconstruct(self, images: Any, layer: int = 0, batch_size: int = 256) -> Array:
        """Reconstructs images, each in its most probable category."""

        def reconstructed(part):
            means = self.encode(part, layer, batch_size=batch_size)
            return self.decode(means, layer, batch_size, self.encode_categories(part, batch_size))

        # Part by part: a second pass may give the batches in another order.
        return np.concatenate(list(map(reconstructed, arrays_of(images))))

    def sample(self, n: int, layer: int = 0, seed: int | None = None) -> Array:
        """Decodes n codes drawn from the prior, with categories drawn uniformly."""
        at_least("n", n, 0)
        generator = random_generator(seed)
        z = generator.standard_normal((n, self.latent_dim), dtype=np.float32)
        return self.decode(z, layer, categories=generator.integers(self.num_categories, size=n))

    def decoder_inputs(self, z: Any, layer: int) -> Tensor:
        """Returns the decoder's input: `z` as it is if it has a category, else with category 0."""
        if z.shape[-1] == self.latent_dim + self.num_categories:
            return z
        first = ops.one_hot(ops.zeros((ops.shape(z)[0],), "int32"), self.num_categories)
        return ops.concatenate([z, ops.cast(first, "float32")], axis=1)

    def _category_chunk(self, images):
        encoded = self._encode_chunk(images)
        probabilities = self.category_probabilities_of(self.pixels(images), encoded)
        return {"probabilities": ops.convert_to_numpy(probabilities)}

    def _one_hot(self, categories, count):
        """Returns the one-hot categories for the decoder, float32 `(n, num_categories)`."""
        categories = np.zeros(count, np.int64) if categories is None else np.asarray(categories)
        exist = np.isin(categories, range(self.num_categories)).all()
        if categories.shape != (count,) or not exist:
            raise UsageError(
                f"Expected {count} categories from 0 to {self.num_categories - 1}. "
                f"Received: {categories}."
            )
        return np.eye(self.num_categories, dtype=np.float32)[categories.astype(np.int64)]
