"""Base class of the models that weight the parts of the KL divergence: beta-TCVAE and HFVAE."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor, at_least
from keras_devae.errors import UsageError
from keras_devae.models.images import count_images
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE


class DecomposedVAE(VAE):
    """Minimises the reconstruction and weighted parts of the KL divergence, sampled on the batch.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
        dataset_size: Number of training images, at least 1, or `None` (default) to count the
            images given to `fit`.
    """

    mean_over_images = False

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        dataset_size: int | None = None,
        /,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, **kwargs)
        if dataset_size is not None:
            at_least("dataset_size", dataset_size, 1)
        self.dataset_size = dataset_size
        # A variable, so that a compiled step sees changes and a saved model keeps the value.
        self.images_trained_on = self.add_weight(
            (),
            keras.initializers.Constant(dataset_size or 0),
            trainable=False,
            dtype="float32",
            name="images_trained_on",
        )

    @property
    def number_of_images(self) -> Tensor:
        """The number of training images, at least 1, a float32 scalar."""
        return ops.maximum(self.images_trained_on, 1.0)

    def with_parts(
        self, terms: LossTerms, weights: Sequence[float], parts: Sequence[Tensor]
    ) -> LossTerms:
        """Returns terms with the parts of the divergence, in the order of `penalty_names`."""
        weighted = zip(weights, parts, strict=True)
        return terms.replace(penalties=dict(zip(self.penalty_names, weighted, strict=True)))

    def note_images(self, images: Any, share: float = 1.0, training: bool = True) -> None:
        """Notes the number of images that `fit` uses, or `evaluate` before any training."""
        if training:
            is_known = self.dataset_size is not None
        else:
            is_known = float(ops.convert_to_numpy(self.images_trained_on)) > 0
        if is_known:
            return
        count = count_images(images)
        if count is None:
            raise UsageError(
                "The estimators of the total correlation need the number of images, which cannot "
                f"be told from a {type(images).__name__}. Pass it as `dataset_size`."
            )
        self.images_trained_on.assign(int(count * share))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "dataset_size": self.dataset_size}
