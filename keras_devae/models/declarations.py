"""What the declaration of a model says, and how defaults scale with image size and run length."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from keras_devae.errors import UsageError
from keras_devae.models.options import PIXELS, RATE, STEPS, Option

NETWORK_NAMES = ("convolutional", "mlp", "residual")
#: Those whose layers can be given other widths.
RESIZABLE_NETWORKS = ("convolutional", "mlp")
#: Decoders that go with the encoder of any network.
DECODER_NAMES = ("broadcast",)
LIKELIHOOD_NAMES = ("bernoulli", "gaussian")
#: Length of the published training runs, which the default numbers of steps are meant for.
PUBLISHED_STEPS = 300_000


@dataclasses.dataclass(frozen=True)
class ModelDeclaration:
    """The declaration of a model.

    Attributes:
        class_name: Name of the model's class.
        objective: What the model minimises, in one line.
        paper: The paper that introduced it, `Authors year, Title`; several with semicolons.
        options: Name -> `Option`.
        use: When to use the model, in a sentence or two.
        posterior: What the encoder returns: `"gaussian"`, a diagonal Gaussian whose KL divergence
            from the standard normal prior has a closed form; `"sampled"`, a distribution whose KL
            divergence can only be estimated from samples; `"none"`, the codes themselves.
        decodes: Whether the model has a decoder.
        reconstructs: Whether the loss has a reconstruction term, if there is a decoder.
        progress: Names in the history of the values, three at most, that progress shows; empty for
            the losses that every model of its kind has.
        training: Settings of a run that belong to the method, such as its optimizer. They apply
            where the user names none, also under a preset.
        fitted: Whether scikit-learn fits it in one go, with linear networks and a Gaussian
            likelihood, instead of training it step by step.
        takes_pairs: Whether `fit` takes pairs of images that share factors.
        check_together: Raises a `UsageError` for options that contradict each other.
        check_latent_dim: Raises a `UsageError` for options that do not fit the number of latent
            dimensions, its second argument.
        parts_of_code: Returns, for the same two arguments, the names of the parts of a code, in
            order, with their numbers of latent dimensions; empty where it has none.
    """

    class_name: str
    objective: str
    paper: str
    options: dict[str, Option] = dataclasses.field(default_factory=dict)
    use: str = ""
    posterior: Literal["gaussian", "sampled", "none"] = "gaussian"
    decodes: bool = True
    reconstructs: bool = True
    progress: tuple[str, ...] = ()
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    fitted: bool = False
    takes_pairs: bool = False
    check_together: Callable[[Mapping[str, Any]], None] = lambda options: None
    check_latent_dim: Callable[[Mapping[str, Any], int], Any] = lambda options, latent_dim: None
    parts_of_code: Callable[[Mapping[str, Any], int], dict[str, int]] = lambda options, size: {}

    @property
    def defaults(self) -> dict[str, Any]:
        """Option names and defaults, for 64x64 images and 300,000 steps."""
        return {name: option.default for name, option in self.options.items()}

    @property
    def batch_of(self) -> str:
        """What the batch size counts, in words."""
        return "pairs of images" if self.takes_pairs else "images"

    @property
    def has_posterior(self) -> bool:
        """Whether codes are means of a Gaussian whose KL divergence has a closed form."""
        return self.posterior == "gaussian"

    @property
    def metric_inputs(self) -> dict[str, bool]:
        """What there is of the model for metrics, as `keras_devae.metrics.check_names` takes it."""
        return {
            "has_posterior": self.has_posterior,
            "has_images": self.decodes,
            "samples_posterior": self.posterior == "sampled",
        }

    def check_decodes(self) -> None:
        """Raises a `UsageError` if the model has no decoder."""
        if not self.decodes:
            raise UsageError(
                f"{self.class_name} has no decoder: it encodes images, and cannot reconstruct or "
                "sample them."
            )

    def check_has_posterior(self, wanting: str) -> None:
        """Raises a `UsageError`, which begins with what needs it, if there is no posterior."""
        if self.posterior == "none":
            raise UsageError(f"{wanting} needs a posterior, and {self.class_name} has none.")

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of the losses that fall as training succeeds, as in the history."""
        reconstruction = ("reconstruction_loss",) if self.decodes and self.reconstructs else ()
        return ("loss", *reconstruction, *(() if self.posterior == "none" else ("kl_loss",)))

    @property
    def shown_values(self) -> tuple[str, ...]:
        """Names in the history of the values that progress shows, three at most."""
        return self.progress or self.losses


def check_penalised_decoder(declaration: ModelDeclaration, jacobian_penalty: float) -> None:
    """Raises a `UsageError` for a penalty on the decoder of a model that trains none."""
    if jacobian_penalty and (declaration.fitted or not declaration.decodes):
        raise UsageError(
            f"{declaration.class_name} trains no decoder. Leave `jacobian_penalty` out. "
            f"Received: {jacobian_penalty}."
        )


def scaling_factors(image_shape: tuple[int, ...], steps: int) -> dict[str, float]:
    """Returns the factors that scale defaults, by the names in `Option.scales`."""
    length = steps / PUBLISHED_STEPS
    return {PIXELS: math.prod(image_shape[:2]) / 64**2, STEPS: length, RATE: 1 / length}
