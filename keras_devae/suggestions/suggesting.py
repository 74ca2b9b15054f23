"""Proposes the settings of a training that the user has not given."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection
from typing import Any

from keras_devae.backend import start_backend
from keras_devae.checks import positive
from keras_devae.data.dataset import Dataset
from keras_devae.data.image_sizes import compact_size
from keras_devae.errors import FailureError, UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE, default_options
from keras_devae.runs import RunConfig
from keras_devae.runs.config.flat_settings import config_from_settings
from keras_devae.runs.config.presets import PRESETS
from keras_devae.runs.config.run_config import load_dataset
from keras_devae.suggestions import lengths, pixels
from keras_devae.suggestions.freezing import (
    BETA_END,
    betas_below,
    betas_of_latents,
    default_range,
)

#: Share of the variance of binary pixels from which on they count as binary.
NEARLY_BINARY = 0.8
#: Steps of the annealed run, the fewest that show anything, and its largest share of a training.
ANNEALED_STEPS, FEWEST_ANNEALED, ANNEALED_SHARE = 1500, 200, 0.25
#: Seconds that the annealed run may take.
ANNEALED_SECONDS = 120.0
#: How far above the first component's point beta starts: networks may see more than linear codes.
ABOVE = 2.0
#: Without pressures to set, the first component must freeze at so many times the pressure 1.
COLLAPSING = 4.0

_Say = Callable[[str], object]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """The proposals for a data set.

    Attributes:
        settings: Proposed settings and options of the model by name, as options of `train`.
        reasons: One sentence for each of them.
        steps_per_second: Speed measured on this machine, or `None` if nothing was measured.
        description: The data set in one line.
        dataset: The loaded data set.
        config: The configuration with the given and the proposed settings.

    Example:
        >>> import numpy as np
        >>> squares = kd.data.from_arrays(np.kron(np.eye(16), np.ones((1, 256))).reshape(
        ...     16, 16, 16, 16)[:, 0, ..., None].astype("uint8") * 255)
        >>> suggestion = kd.suggestions.suggest(squares, network="mlp", steps=10)
        >>> suggestion.settings["batch_size"]
        16
    """

    settings: dict[str, Any]
    reasons: dict[str, str]
    steps_per_second: float | None
    description: str
    dataset: Dataset = dataclasses.field(repr=False)
    config: RunConfig = dataclasses.field(repr=False)

    @property
    def seconds(self) -> float | None:
        """The estimated time of the training, or `None` if no speed was measured."""
        speed = self.steps_per_second
        return None if speed is None else self.config.training.steps / speed

    def to_dict(self) -> dict[str, Any]:
        """Returns everything for JSON."""
        content = {
            "settings": self.settings,
            "reasons": self.reasons,
            "steps_per_second": self.steps_per_second,
            "seconds": self.seconds,
            "data": self.description,
        }
        return json.loads(json.dumps(content))


def suggest(
    data: str | Dataset,
    *,
    minutes: float = lengths.MINUTES,
    backend: str | None = None,
    say: _Say | None = None,
    **settings: Any,
) -> Suggestion:
    """Proposes likelihood, batch size, length, learning rate and pressures for a data set.

    It looks at up to 500 images, times a few steps, and trains a beta-VAE for up to 1,500 steps,
    on images of at most 64 pixels, while beta falls. No labels are read. The result is the same for
    the same seed, except that the length depends on the speed of the machine.

    Args:
        data: Name of a data set, as for `keras_devae.data.load`; or a `Dataset`, whose name is
            then missing from the configuration.
        minutes: Time that the training may take. Default: 20.
        backend: Keras backend. Default: as for `Run.new`.
        say: Called with a sentence before anything that takes long. Default: `None`.
        **settings: Settings that are given and thus not proposed, by the names of the options of
            `keras-devae train`, options of the model and `preset` included.

    Returns:
        A `Suggestion`.

    Raises:
        UsageError: If a setting is wrong.
        FailureError: If a file is damaged.

    Example:
        >>> suggestion = kd.suggestions.suggest("dsprites", source="rendered", image_size=32,
        ...     variants=("subset:200",), betas=(1, 5), steps=10)
        >>> suggestion.settings["likelihood"]
        'bernoulli'
    """
    positive("minutes", minutes)
    named = {**settings, "dataset": data} if isinstance(data, str) else settings
    config = config_from_settings(named)
    dataset = load_dataset(config) if isinstance(data, str) else data
    if not isinstance(dataset, Dataset):
        raise UsageError(
            f"`data` must be the name of a data set or a Dataset. Received: {type(data).__name__}."
        )
    preset = PRESETS[settings["preset"]][1] if settings.get("preset") else {}
    return propose(
        config, dataset, {*named, *preset}, minutes=minutes, backend=backend, say=say, measure=True
    )


def propose(
    config: RunConfig,
    dataset: Dataset,
    given: Collection[str],
    *,
    minutes: float = lengths.MINUTES,
    backend: str | None = None,
    say: _Say | None = None,
    measure: bool = False,
    annealed_steps: int | None = None,
) -> Suggestion:
    """Completes a configuration by proposals for a data set, as `suggest`.

    Args:
        config: The configuration.
        dataset: Its data set.
        given: Names of settings and options that the user chose: they are kept.
        minutes: Time that the training may take. Default: 20.
        backend: Keras backend. Default: the configuration's.
        say: Called with a sentence before anything that takes long. Default: `None`.
        measure: Whether speed is measured even where no proposal needs it. Default: `False`.
        annealed_steps: Steps of the annealed run. Default: 1,500, and at most a quarter of `steps`
            where these are given.

    Returns:
        A `Suggestion`; without proposals for a model that is fitted in one go.
    """
    work = _Work(config, dataset, frozenset(given), minutes, say or (lambda text: None))
    if not MODEL_CATALOGUE[config.model.name].fitted:
        start_backend(backend or config.compute.backend, deterministic=config.compute.deterministic)
        work.propose_from_pixels()
        work.propose_length(measure)
        work.propose_pressures(annealed_steps)
    return Suggestion(
        work.settings, work.reasons, work.speed, dataset.description, dataset, work.config
    )


@dataclasses.dataclass
class _Work:
    """The proposals so far, and the configuration with them."""

    config: RunConfig
    dataset: Dataset
    given: frozenset[str]
    minutes: float
    say: _Say

    def __post_init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.reasons: dict[str, str] = {}
        self.speed: float | None = None
        self.alone = self.config.compute.distribute is None
        self.small = pixels.shrunk(self.dataset)
        self.pixels, self.binary = pixels.facts(self.small, self.config.training.seed)

    def _add(self, name: str, value: Any, reason: str) -> None:
        if name in self.given:
            return
        self.settings[name], self.reasons[name] = value, reason
        if name in MODEL_CATALOGUE[self.config.model.name].options:
            options = {**self.config.model.options, name: value}
            self.config = self.config.replace(model_options=options)
        else:
            self.config = self.config.replace(**{name: value})

    def propose_from_pixels(self) -> None:
        """Proposes likelihood and batch size, and names the size of own images."""
        if ":" in self.config.data.dataset:
            size = compact_size(*self.dataset.image_shape[:2])
            self._add("image_size", size, "from the sizes of the pictures")
        decodes = MODEL_CATALOGUE[self.config.model.name].decodes
        if decodes and self.config.model.likelihood_sigma is None:
            name = "bernoulli" if self.binary >= NEARLY_BINARY else "gaussian"
            what = "nearly all pixels are black or white" if name == "bernoulli" else "grey pixels"
            self._add("likelihood", name, f"{what}: {self.binary:.0%} of a binary image's variance")
        count = len(self.dataset)
        size = lengths.batch_size_for(count)
        enough = "the usual size" if size == lengths.BATCH_SIZE else f"there are only {count}"
        self._add("batch_size", size, enough)

    def propose_length(self, measure: bool) -> None:
        """Proposes steps and learning rate."""
        free = not self.given & {"steps", "epochs"}
        if self.alone and (free or measure):
            from keras_devae.suggestions.annealed_run import measured_speed

            self.speed = measured_speed(self.config, self.dataset)
        if free and self.speed is not None:
            count, batch_size = len(self.dataset), self.config.training.batch_size
            steps = lengths.steps_for(self.speed, count, batch_size, self.minutes)
            per = self.config.compute.steps_per_execution or 1
            steps = max(per, steps - steps % per)
            epochs = steps * batch_size / count
            self._add(
                "steps",
                steps,
                f"{steps / self.speed / 60:.1f} minutes here at {self.speed:.3g} steps per second; "
                f"{epochs:.3g} epochs",
            )
        steps = self.config.steps_for(self.dataset)
        rate = lengths.learning_rate_for(steps)
        self._add("learning_rate", rate, f"falls with the root of the length, {steps:,} steps")

    def propose_pressures(self, annealed_steps: int | None) -> None:
        """Proposes the pressures of models that have them, else the likelihood's deviation."""
        if MODEL_CATALOGUE[self.config.model.name].posterior == "none":
            return
        name = _pressure_of(self.config.model.name)
        likelihood, sigma = self.config.model.likelihood, self.config.model.likelihood_sigma
        points = pixels.component_points(self.pixels, likelihood or "gaussian", sigma)
        points = [self._pixel_ratio() * point for point in points]
        if name is None:
            self._propose_sigma(points)
        elif name not in self.given and points:
            self._propose_betas(name, points, self._annealed_steps(annealed_steps))

    def _pixel_ratio(self) -> float:
        height, width, _ = self.dataset.image_shape
        return height * width / (self.small.image_shape[0] * self.small.image_shape[1])

    def _annealed_steps(self, wanted: int | None) -> int:
        if wanted is not None:
            return wanted
        steps = min(ANNEALED_STEPS, int(ANNEALED_SHARE * self.config.steps_for(self.dataset)))
        if self.speed is not None:
            most = ANNEALED_SECONDS * self.speed * self._pixel_ratio()
            steps = min(steps, max(FEWEST_ANNEALED, lengths.rounded_down(most)))
        return steps if self.alone and steps >= FEWEST_ANNEALED else 0

    def _propose_betas(self, name: str, components: list[float], steps: int) -> None:
        latent_dim = self.config.model.latent_dim
        pixel_rule = default_range(self.dataset.image_shape)[1]
        end = min(pixel_rule, components[min(latent_dim, len(components)) - 1], components[0] / 4)
        start = ABOVE * components[0]
        if not steps:
            self._published_pressures(name, components[0])
            return
        found = self._anneal(start, end, steps)
        end = float(f"{end:.2g}")
        if found:
            betas = betas_of_latents(found, end)
            listed = ", ".join(f"{point:.3g}" for point in found[:8])
            reason = f"latent dimensions become active at {listed}"
        else:
            betas = betas_below(end)
            reason = f"no latent dimension became active down to {end:g}"
        if not betas:
            self._published_pressures(name, components[0])
            return
        self._add(name, _as_option(self.config.model.name, betas), reason)

    def _anneal(self, start: float, end: float, steps: int) -> list[float]:
        from keras_devae.suggestions.annealed_run import latent_freezing_points

        ratio = self._pixel_ratio()
        shape = "x".join(map(str, self.small.image_shape[:2]))
        speed = self.speed and self.speed * ratio
        about = f", about {steps / speed:.0f} s" if speed else ""
        self.say(f"Annealed run: {steps:,} steps on images of {shape}{about}.")
        config = self.config.replace(image_size=None)
        try:
            points = latent_freezing_points(config, self.small, start / ratio, end / ratio, steps)
        except FailureError:
            return []  # It diverged.
        return [ratio * point for point in points]

    def _published_pressures(self, name: str, first: float) -> None:
        """Keeps the published pressures, unless the images have too little contrast for them."""
        steps = self.config.steps_for(self.dataset)
        published = default_options(self.config.model.name, self.dataset.image_shape, steps)[name]
        weakest = min(published) if isinstance(published, (tuple, list)) else published
        if not isinstance(weakest, (int, float)) or COLLAPSING * weakest <= first:
            return
        factor = first / (COLLAPSING * weakest)
        listed = isinstance(published, (tuple, list))
        betas = [float(f"{factor * b:.2g}") for b in (published if listed else [published])]
        if min(betas) > 0:
            reason = f"the published ones would collapse all latents: contrast is low ({first:.2g})"
            self._add(name, tuple(betas) if listed else betas[0], reason)

    def _propose_sigma(self, points: list[float]) -> None:
        model = self.config.model
        if model.likelihood != "gaussian" or model.likelihood_sigma is not None or not points:
            return
        deviation = pixels.mean_deviation(self.pixels)
        if deviation > 0 and points[0] < COLLAPSING * BETA_END:
            reason = (
                "the pixels' own deviation: with the plain squared error all latents would collapse"
            )
            self._add("likelihood_sigma", float(f"{deviation:.2g}"), reason)


def _pressure_of(model: str) -> str | None:
    """Returns the option of a model that holds the pressures on its KL divergence, if any."""
    if "betas" in MODEL_CATALOGUE[model].options:
        return "betas"
    return "beta" if model == "beta_vae" else None


def _as_option(model: str, betas: list[float]) -> Any:
    """Turns ascending pressures into the option of a model."""
    if model == "beta_vae":
        return betas[1]
    return tuple(reversed(betas)) if model == "deft" else tuple(betas)
