"""Reconstruction terms: the negative log-likelihood of images under the decoder's output.

Every term is a sum over the pixels (and channels) of an image, in nats. The sum is what gives
beta its published meaning: `beta_norm = beta * latent_dim / pixels` of Higgins et al. (2017).
"""

import math
from typing import Any, Self

import keras
from keras import ops

from keras_devae.checks import Tensor, one_of, positive
from keras_devae.errors import UsageError, unknown_name

OUTPUTS = ("sigmoid", "linear")


def bernoulli_negative_log_likelihood(images: Tensor, logits: Tensor) -> Tensor:
    """Computes the binary cross-entropy of images and decoder logits, summed over each image.

    Uses the stable form `max(l, 0) - l x + log(1 + exp(-|l|))`, finite for any finite logit. For
    images that are not binary it is not a proper likelihood, and its minimum is not 0 but the
    entropy of the images.

    Args:
        images: Values in `[0, 1]`, `(..., height, width, channels)`.
        logits: Decoder logits, of the same shape or with further leading axes.

    Returns:
        Float32 tensor of the leading axes' shape, in nats.
    """
    return _cross_entropy(ops.cast(images, "float32"), ops.cast(logits, "float32"))


@ops.custom_gradient
def _cross_entropy(images: Tensor, logits: Tensor) -> Tensor:
    # Automatic differentiation would compute a gradient for each of relu, abs, exp and log1p. Their
    # sum is just mean minus pixel, also at logit 0, where relu and abs have no gradient.
    def gradient(*arguments, upstream=None):
        (upstream,) = arguments if upstream is None else (upstream,)
        scale = upstream[..., None, None, None]
        of_images = -logits * scale
        leading_axes = tuple(range(len(logits.shape) - len(images.shape)))
        if leading_axes:
            of_images = ops.sum(of_images, axis=leading_axes)
        return of_images, (ops.sigmoid(logits) - images) * scale

    rest = ops.log1p(ops.exp(-ops.absolute(logits)))
    cross_entropy = ops.relu(logits) - logits * images + rest
    return ops.sum(cross_entropy, axis=(-3, -2, -1)), gradient


def gaussian_negative_log_likelihood(
    images: Tensor, mean: Tensor, sigma: float | None = None
) -> Tensor:
    """Computes the squared error of images and means, summed over each image.

    Args:
        images: Pixel values, `(..., height, width, channels)`.
        mean: Means of the same shape or with further leading axes.
        sigma: Standard deviation of every pixel. With a number the result is the full negative
            log-density, the sum of `1/2 (error / sigma)^2 + log(sigma) + 1/2 log(2 pi)`. With
            `None` (default) it is the plain sum of squared errors, as in the published
            implementations, which equals the result for `sigma = sqrt(1/2)` up to a constant.

    Returns:
        Float32 tensor of the leading axes' shape, in nats.
    """
    error = ops.square(ops.cast(images, "float32") - ops.cast(mean, "float32"))
    if sigma is not None:
        error = 0.5 * error / sigma**2 + math.log(sigma) + 0.5 * math.log(2 * math.pi)
    return ops.sum(error, axis=(-3, -2, -1))


class _Configured:
    """The methods that Keras needs to save an object."""

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Rebuilds the likelihood."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="keras_devae")
class BernoulliLikelihood(_Configured):
    """Models pixels as independent Bernoulli variables given by logits; mainly for binary images.

    Example:
        >>> likelihood = BernoulliLikelihood()
        >>> images, logits = ops.ones((8, 64, 64, 1)), ops.zeros((8, 64, 64, 1))
        >>> ops.shape(likelihood.negative_log_likelihood(images, logits))
        (8,)
        >>> float(likelihood.mean(logits)[0, 0, 0, 0])
        0.5
    """

    name = "bernoulli"
    bounded = True

    def negative_log_likelihood(self, images: Tensor, decoded: Tensor) -> Tensor:
        """Returns the negative log-likelihood, see `bernoulli_negative_log_likelihood`."""
        return bernoulli_negative_log_likelihood(images, decoded)

    def mean(self, decoded: Tensor) -> Tensor:
        """Returns the pixel means for a decoder output, float32 in `[0, 1]`."""
        return ops.sigmoid(ops.cast(decoded, "float32"))


@keras.saving.register_keras_serializable(package="keras_devae")
class GaussianLikelihood(_Configured):
    """Models pixels as independent normal variables with one fixed standard deviation.

    Args:
        sigma: Standard deviation, above 0, or `None` (default) for the plain squared error.
        output: `"sigmoid"` (default) squashes the decoder's output into `[0, 1]`; `"linear"` leaves
            it unchanged, for images in any other range.

    Example:
        >>> likelihood = GaussianLikelihood(sigma=0.1, output="linear")
        >>> images = ops.ones((8, 64, 64, 3))
        >>> ops.shape(likelihood.negative_log_likelihood(images, images))
        (8,)
    """

    name = "gaussian"

    def __init__(self, sigma: float | None = None, output: str = "sigmoid"):
        if sigma is not None:
            positive("sigma", sigma)
        one_of("output of the Gaussian likelihood", output, OUTPUTS)
        self.sigma = sigma
        self.output = output

    @property
    def bounded(self) -> bool:
        """Whether pixels must lie in `[0, 1]`, the range of a sigmoid."""
        return self.output == "sigmoid"

    def negative_log_likelihood(self, images: Tensor, decoded: Tensor) -> Tensor:
        """Returns the negative log-likelihood, see `gaussian_negative_log_likelihood`."""
        return gaussian_negative_log_likelihood(images, self.mean(decoded), self.sigma)

    def mean(self, decoded: Tensor) -> Tensor:
        """Returns the pixel means for a decoder output, float32."""
        decoded = ops.cast(decoded, "float32")
        return ops.sigmoid(decoded) if self.output == "sigmoid" else decoded

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {"sigma": self.sigma, "output": self.output}


_MEMBERS = ("negative_log_likelihood", "mean", "get_config", "name", "bounded")

#: Name -> class of the likelihood.
LIKELIHOODS = {"bernoulli": BernoulliLikelihood, "gaussian": GaussianLikelihood}


def get_likelihood(identifier: Any) -> Any:
    """Turns a name or an object into a likelihood.

    Args:
        identifier: `"bernoulli"`, `"gaussian"`, or an object with `negative_log_likelihood`,
            `mean`, `get_config`, `name` and `bounded` (whether pixels must lie in `[0, 1]`).

    Returns:
        The likelihood: a new object for a name, otherwise the one given.

    Raises:
        UsageError: If the name is unknown, or the object lacks one of these.
    """
    if isinstance(identifier, str):
        if identifier not in LIKELIHOODS:
            raise unknown_name("likelihood", identifier, LIKELIHOODS)
        return LIKELIHOODS[identifier]()
    missing = [name for name in _MEMBERS if not hasattr(identifier, name)]
    if missing or isinstance(identifier, type):
        lacks = f", which lacks {', '.join(missing)}" if missing else ""
        raise UsageError(
            f"`likelihood` must be one of {', '.join(LIKELIHOODS)}, or an object such as "
            f"keras_devae.losses.GaussianLikelihood(sigma=0.1). Received: {identifier!r}{lacks}."
        )
    return identifier
