"""The encoder as a functional Keras model: to build on, freeze, fine-tune and save."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor, flag
from keras_devae.layers.latent_stacks import LatentStack
from keras_devae.models.images import are_floats, as_pixels, images_in


@keras.saving.register_keras_serializable(package="keras_devae")
class EncoderModel(keras.Model):
    """Functional model from images to codes, see `VAE.encoder_model`.

    Its graph starts with float pixels. Integers are divided by 255 before they enter it, because
    Keras would cast them to the float dtype of the graph's input.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Encodes images `(batch, height, width, channels)`, integers of 0..255 or floats."""
        images = ops.convert_to_tensor(images_in(inputs))
        pixels = as_pixels(images)
        if not are_floats(images) and ops.dtype(images) != "uint8":
            inside = ops.logical_and(images >= 0, images <= 255)
            pixels = ops.where(inside, pixels, float("nan"))
        return super().call(pixels, training=training, mask=mask)


@keras.saving.register_keras_serializable(package="keras_devae")
class CheckedPosterior(keras.layers.Layer):
    """The encoder's posterior in float32, its log-variance clipped; NaN where pixels are unfit.

    Args:
        bounded: Whether pixels must lie in `[0, 1]`; otherwise they must be finite.
        log_var_limit: Bound of the log-variance.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, bounded: bool, log_var_limit: float, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.bounded, self.log_var_limit = bounded, log_var_limit

    def build(self, *shapes: Any) -> None:
        """Has no weights."""
        self.built = True

    def call(
        self, pixels: Tensor, mean: Tensor, log_var: Tensor | None = None
    ) -> tuple[Tensor, Tensor] | Tensor:
        """Returns mean and log-variance, `(batch, latent_dim)`, or the mean if it is alone."""
        largest = float(np.finfo(np.float32).max)
        low, high = (0.0, 1.0) if self.bounded else (-largest, largest)
        # NaN compares as false, too.
        inside = ops.logical_and(pixels >= low, pixels <= high)
        fit = ops.expand_dims(ops.all(inside, axis=(1, 2, 3)), -1)
        mean = ops.where(fit, ops.cast(mean, "float32"), float("nan"))
        if log_var is None:
            return mean
        log_var = ops.clip(ops.cast(log_var, "float32"), -self.log_var_limit, self.log_var_limit)
        return mean, ops.where(fit, log_var, float("nan"))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {"bounded": self.bounded, "log_var_limit": self.log_var_limit}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_devae")
class MatchedCategories(keras.layers.Layer):
    """Probabilities of the categories of a model whose decoder they need; holds that model."""

    def __init__(self, model: keras.Model, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.model = model
        self.trainable = False

    def build(self, *shapes: Any) -> None:
        """Has no weights besides the model's."""
        self.built = True

    def call(self, pixels: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        """Returns `(batch, num_categories)` for pixels and the encoder's posterior of them."""
        encoded = {"z_mean": mean, "z_log_var": log_var}
        return self.model.category_probabilities_of(pixels, encoded)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MatchedCategories":
        """Rebuilds the layer from `get_config`."""
        return cls(**{**config, "model": keras.saving.deserialize_keras_object(config["model"])})


def build_encoder_model(
    model: Any, layer: int, all_outputs: bool, log_var_limit: float
) -> EncoderModel:
    """Builds the model's encoder up to one latent layer as a copy, see `VAE.encoder_model`."""
    model.check_layer(layer)
    flag("all_outputs", all_outputs)
    pixels = keras.Input(model.image_shape, dtype="float32", name="image")
    checked = CheckedPosterior(model.likelihood.bounded, log_var_limit, name="checked_posterior")
    outputs = (_all_outputs if all_outputs else _mean)(model, pixels, checked, layer)
    # A copy, so that freezing or training it leaves the model alone.
    copy = _copied(EncoderModel(pixels, outputs, name="encoder_model"))
    if not all_outputs:
        # The scales of log-variances would have no gradient.
        for each in copy.layers:
            each.trainable = each.trainable and not isinstance(each, LatentStack)
    return copy


def _mean(model, pixels, checked, layer):
    """Returns the posterior mean without the weights that it does not depend on."""
    outputs = {name: model.encoder.output[name] for name in model.code_outputs}
    encoded = keras.Model(model.encoder.inputs, outputs, name="encoder")(pixels)
    if model.samples_posterior:
        return checked(pixels, model.codes_of_layers(encoded)[layer])
    mean = checked(pixels, encoded["z_mean"])
    return model.posterior_of_layer(mean, mean, layer)[0]


def _all_outputs(model, pixels, checked, layer):
    if not model.has_posterior:
        return {"z_mean": _mean(model, pixels, checked, layer)}
    encoded = model.encoder(pixels)
    mean, log_var = checked(pixels, encoded["z_mean"], encoded["z_log_var"])
    z_mean, z_log_var = model.posterior_of_layer(mean, log_var, layer)
    outputs = {"z_mean": z_mean, "z_log_var": z_log_var}
    if model.num_categories:
        outputs["category_probabilities"] = _categories(model, pixels, encoded, mean, log_var)
    return outputs


def _categories(model, pixels, encoded, mean, log_var):
    if "category_logits" not in encoded:
        return MatchedCategories(_copied(model))(pixels, mean, log_var)
    probabilities = model.category_probabilities_of(pixels, encoded)
    return ops.where(ops.isnan(mean[:, :1]), float("nan"), probabilities)


def _copied(model):
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy
