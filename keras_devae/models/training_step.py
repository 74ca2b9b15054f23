"""The methods that Keras calls in every training and evaluation step: the loss and its metrics."""

from typing import Any

import keras
from keras import ops

from keras_devae.backend.replicas import averageable_logs, share_of_loss
from keras_devae.checks import Tensor
from keras_devae.input.resident import ResidentImages
from keras_devae.models.images import are_floats, images_in, nan_outside_unit_range
from keras_devae.models.jacobian_penalty import JacobianPenalty
from keras_devae.models.keras_arguments import check_labels
from keras_devae.models.loss_terms import LossTerms, TermTrackers


class TrainingStep(JacobianPenalty):
    """The training step of a model whose objective is `loss_terms`."""

    #: The images while training on resident batches, otherwise `None`.
    resident_images: ResidentImages | None = None
    trackers: TermTrackers

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Computes the objective, a scalar, see `keras.Model.compute_loss`.

        Includes the networks' regularisers and the losses that their layers add. Ignores labels
        that came with the images, with a warning; refuses sample weights.
        """
        check_labels(y, sample_weight, self.image_shape)
        x = images_in(x)
        pixels = self.pixels(x)
        if self.likelihood.bounded and are_floats(x):
            pixels = nan_outside_unit_range(pixels)
        terms = self.loss_terms(pixels, y_pred, training)
        added = [ops.sum(ops.cast(loss, "float32")) for loss in self.losses]
        terms = self.with_jacobian_penalty(terms, y_pred, training)
        self.track(terms, ops.shape(x)[0])
        if training:
            self.steps.advance()
        total = terms.total
        for loss in terms.opponents.values():
            # Adds its gradient but not its value.
            total = total + (loss - ops.stop_gradient(loss))
        return share_of_loss(sum(added, total))

    def track(self, terms: LossTerms, batch_size: Tensor) -> None:
        """Adds a step's terms, means over `batch_size` images, to the metrics that `fit` shows."""
        self.trackers.update(terms, batch_size)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """Returns what `fit` shows after a step, see `keras.Model.compute_metrics`."""
        return averageable_logs(super().compute_metrics(x, y, y_pred, sample_weight))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics that `fit` shows: `loss`, then the terms."""
        return [*super().metrics, *self.trackers.metrics]

    @property
    def non_trainable_variables(self) -> list[keras.Variable]:
        """The variables that no optimizer changes, including resident images.

        The compiled step on JAX receives these as inputs; any other array would become a constant.
        """
        resident = self.resident_images
        return [*super().non_trainable_variables, *([resident.variable] if resident else [])]

    def metrics_not_updated(self) -> set[str]:
        """Returns the names of the metrics that no step of this epoch updated."""
        return set()

    def training_warnings(self, logs: dict[str, Any]) -> list[str]:
        """Returns sentences about problems that the last epoch's metrics show, if any."""
        kl = float(logs.get("kl_loss_layer_0", logs.get("kl_loss", float("inf"))))
        if kl < 0.1:
            pressure = next((n for n in ("betas", "beta") if n in self.declaration.options), None)
            advice = f"Lower `{pressure}`, or train for longer" if pressure else "Train for longer"
            return [
                f"The posterior has collapsed: its KL divergence is {kl:.3f} nats in all, so the "
                f"codes carry almost no information about the images. {advice}."
            ]
        return []

    def note_initial_weights(self) -> None:
        """Called when weights were taken from another model, before training begins."""

    def note_images(self, images: Any, share: float = 1.0, training: bool = True) -> None:
        """Called with the images before `fit` and `evaluate`; `share` of them is used."""
