"""What the tests of the schedules share."""

import pytest


@pytest.fixture(scope="session")
def driven_model():
    """Returns the class of a model whose KL is what it is fed, times one weight that starts at 1.

    A step's loss is beta times KL, with beta from a controller and its target from a schedule.
    """
    import keras

    from keras_devae.schedules import StepCounter, get_schedule

    @keras.saving.register_keras_serializable(package="keras_devae_tests")
    class Driven(keras.Model):
        def __init__(self, controller, target, shift=0, **kwargs):
            super().__init__(**kwargs)
            self.controller = controller
            self.target = get_schedule(target)
            self.shift = shift
            self.counter = StepCounter()
            self.factor = self.add_weight(shape=(), initializer="ones", name="factor")
            self.built = True

        def call(self, kl):
            return keras.ops.multiply(kl, self.factor)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            kl = keras.ops.mean(y_pred)
            beta = self.controller.update(kl, self.target(self.counter.step + self.shift))
            self.counter.advance()
            return beta * kl

        def get_config(self):
            return {
                **super().get_config(),
                "controller": keras.saving.serialize_keras_object(self.controller),
                "target": keras.saving.serialize_keras_object(self.target),
                "shift": self.shift,
            }

        @classmethod
        def from_config(cls, config):
            controller = keras.saving.deserialize_keras_object(config.pop("controller"))
            return cls(controller, **config)

    return Driven
