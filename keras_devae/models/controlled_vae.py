"""What ControlVAE and DynamicVAE have in common."""

from keras import ops

from keras_devae.checks import at_least, finite_at_least
from keras_devae.models.vae import VAE
from keras_devae.schedules import LinearSchedule

_TARGET = (
    "kl_target",
    "kl_target_start",
    "kl_target_steps",
    "kl_target_stairs",
    "kl_target_rest",
)


class ControlledVAE(VAE):
    """Minimises `reconstruction + beta(t) * KL`, where a controller sets beta.

    Args:
        encoder: See `VAE`.
        decoder: See `VAE`.
        controller: A layer with the variable `beta` and the method `update(kl, target)`.
        kl_target: Set point of the KL divergence at the end, in nats, at least 0.
        kl_target_start: Set point at the start, at least 0.
        kl_target_steps: Steps from one to the other, at least 1.
        kl_target_stairs: Stairs on the way, or `None` for a straight line.
        kl_target_rest: Part of each stair for which the set point rests, see `LinearSchedule`.
        **kwargs: `likelihood`, `seed` of `VAE`; `name`, `dtype`, `trainable` of `keras.Model`.

    Raises:
        UsageError: If an argument is out of range.
    """

    state_names = ("beta", "kl_target")
    #: Arguments of the class that are the controller's.
    controller_options = ()

    def __init__(
        self,
        encoder,
        decoder,
        controller,
        kl_target,
        kl_target_start,
        kl_target_steps,
        kl_target_stairs,
        kl_target_rest,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        self.controller = controller
        self.kl_target = finite_at_least("kl_target", kl_target)
        self.kl_target_start = finite_at_least("kl_target_start", kl_target_start)
        self.kl_target_steps = at_least("kl_target_steps", kl_target_steps, 1)
        self.kl_target_stairs = kl_target_stairs
        self.kl_target_rest = kl_target_rest
        self._target = LinearSchedule(
            kl_target_start, kl_target, kl_target_steps, kl_target_stairs, kl_target_rest
        )

    def loss_terms(self, pixels, outputs, training):
        """Computes the loss of one batch; in training the controller first takes a step."""
        terms = super().loss_terms(pixels, outputs, training)
        target = self._target(self.steps.step)
        if training:
            beta = self.controller.update(terms.total_kl, target)
        else:
            beta = ops.convert_to_tensor(self.controller.beta)
        return terms.replace(
            penalties={"kl": (beta, terms.total_kl)}, state={"beta": beta, "kl_target": target}
        )

    def get_config(self):
        """Returns the constructor's arguments."""
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in _TARGET},
            **{name: getattr(self.controller, name) for name in self.controller_options},
        }
