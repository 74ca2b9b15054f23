"""Base class of ControlVAE and DynamicVAE."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.models.loss_terms import LossTerms
from keras_devae.models.vae import VAE
from keras_devae.schedules import LinearSchedule


class ControlledVAE(VAE):
    """Minimises `reconstruction + beta(t) * KL`, where a controller sets beta.

    Args:
        controller_class: A layer with the variable `beta` and the method `update(kl, target)`. It
            takes the options that do not concern the set point.
        options: The options declared for the class, by name.
        encoder: See `VAE`.
        decoder: See `VAE`.
        **kwargs: See `VAE`.
    """

    state_names = ("beta", "kl_target")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        controller_class: type[keras.layers.Layer],
        options: dict[str, Any],
        /,
        **kwargs: Any,
    ) -> None:
        gains_and_limits = {k: v for k, v in options.items() if not k.startswith("kl_target")}
        controller = controller_class(**gains_and_limits, name="controller")
        super().__init__(encoder, decoder, **kwargs)
        self.controller = controller
        set_point = ("kl_target", "kl_target_start", "kl_target_steps")
        self.set_options(**{name: options[name] for name in set_point})
        self._target = LinearSchedule(
            options["kl_target_start"],
            options["kl_target"],
            options["kl_target_steps"],
            options["kl_target_stairs"],
            options["kl_target_rest"],
        )
        self.set_options(**options)

    def loss_terms(self, pixels: Tensor, outputs: dict[str, Tensor], training: bool) -> LossTerms:
        """Computes the loss of one batch; in training, first updates the controller."""
        terms = super().loss_terms(pixels, outputs, training)
        target = self._target(self.steps.step)
        if training:
            beta = self.controller.update(terms.total_kl, target)
        else:
            beta = ops.convert_to_tensor(self.controller.beta)
        return terms.replace(
            penalties={"kl": (beta, terms.total_kl)}, state={"beta": beta, "kl_target": target}
        )
