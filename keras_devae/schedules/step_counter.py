"""The number of training steps done, as a variable of the model."""

from typing import Any

import keras

from keras_devae.checks import at_least


@keras.saving.register_keras_serializable(package="keras_devae")
class StepCounter(keras.layers.Layer):
    """Counts training steps in a variable that a compiled step can read.

    The model advances it once in every training step and so keeps it equal to
    `optimizer.iterations`, or with gradient accumulation to the number of batches. The optimizer's
    count cannot replace it: on JAX, the loss cannot read that count in the compiled training step.
    The counter is saved with the model's weights, so that schedules continue where an interrupted
    run stopped.

    Attributes:
        step: The number of steps done, a non-trainable scalar variable with the dtype that Keras
            gives `optimizer.iterations`: int64 on TensorFlow, which keeps int32 variables off the
            GPU and so out of reach of a step compiled by XLA; int32 on JAX, which has no int64.

    Example:
        >>> counter = StepCounter()
        >>> counter.advance()
        >>> int(counter.step)
        1
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.step = self.add_weight(
            shape=(), initializer="zeros", dtype="int", trainable=False, name="step"
        )
        self.built = True

    def advance(self) -> None:
        """Adds one step."""
        self.step.assign_add(1)

    def set(self, value: int) -> None:
        """Sets the number of steps done; raises a `UsageError` unless it is a whole number >= 0."""
        self.step.assign(int(at_least("value", value, 0)))
