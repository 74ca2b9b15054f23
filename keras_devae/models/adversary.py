"""What models with a discriminator share: its optimizer, and its frozen copy."""

from typing import Any

import keras
from keras import ops
from keras.optimizers import LossScaleOptimizer, MultiOptimizer, OptimizerMap

from keras_devae.checks import Tensor
from keras_devae.models.image_model import ImageModel
from keras_devae.models.keras_arguments import get_optimizer, refuses_unknown_arguments


class AdversarialModel(ImageModel):
    """Base of models with discriminators, whose layers' names begin with `discriminator_`."""

    @refuses_unknown_arguments
    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
        *,
        discriminator_optimizer: Any = None,
    ) -> None:
        """Configures training, see `VAE.compile`; `optimizer` trains encoder and decoder.

        `discriminator_optimizer` defaults to the published one, see the class. Keras callbacks that
        set the learning rate set it for both.
        """
        optimizer = get_optimizer(optimizer)
        if discriminator_optimizer is not None:
            discriminator_optimizer = get_optimizer(
                discriminator_optimizer, "discriminator_optimizer"
            )
        super().compile(
            self._both(optimizer, discriminator_optimizer),
            loss,
            loss_weights,
            metrics,
            weighted_metrics,
            run_eagerly,
            steps_per_execution,
            jit_compile,
            auto_scale_loss,
        )

    @property
    def discriminator_optimizer(self) -> keras.optimizers.Optimizer:
        """The optimizer of the discriminator, once the model is compiled."""
        joined: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        return joined.optimizers[0]

    def default_discriminator_optimizer(self) -> keras.optimizers.Optimizer:
        """Returns the published optimizer of the discriminator."""
        raise NotImplementedError

    def _both(self, optimizer, discriminator_optimizer):
        """Joins two optimizers, unless they are already joined, as in a loaded model."""
        if isinstance(optimizer, MultiOptimizer):
            return optimizer
        if isinstance(optimizer, LossScaleOptimizer):
            return LossScaleOptimizer(
                self._both(optimizer.inner_optimizer, discriminator_optimizer),
                initial_scale=optimizer.initial_scale,
                dynamic_growth_steps=optimizer.dynamic_growth_steps,
            )
        if discriminator_optimizer is None:
            discriminator_optimizer = self.default_discriminator_optimizer()
        own = {"discriminator_.*": discriminator_optimizer}
        return MultiOptimizer(OptimizerMap(optimizer, own))


def frozen(network: keras.Model, inputs: Tensor) -> Tensor:
    """Returns a network's output, whose gradient reaches the inputs but not the weights."""
    weights = [ops.stop_gradient(v.value) for v in network.trainable_variables]
    state = [v.value for v in network.non_trainable_variables]
    return network.stateless_call(weights, state, inputs, training=False)[0]
