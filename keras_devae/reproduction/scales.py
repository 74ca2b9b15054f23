"""How large an experiment is: the paper's setting, one for two cores, and one for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_devae.checks import one_of

_SCORES = (
    "mig",
    "factor_vae_score",
    "dci",
    "sap",
    "med",
    "infomec",
    "elbo_decomposition",
    "reconstruction_error",
    "kl",
    "active_variables",
)
#: For a thousand codes: no predictor and no density.
_OF_MANY_CODES = {"metrics": ("mig", "reconstruction_error", "kl", "active_variables")}
#: For figure 4, of its two methods at their defaults alone, because it takes a third of the time.
TRACKED: dict[str, Any] = {"track": ("information", "kl")}
_TRACKED_MODELS = ("dynamic_vae", "devae")


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large the runs of an experiment are.

    Attributes:
        description: The scale in a sentence, shown with every table and figure.
        settings: Settings of every run, see `flat_settings.config_from_settings`.
        seeds: Number of seeds, unless the experiment has its own.
        image_size: Pixels per side.
        core_seconds: Seconds of one core per step, with the evaluation, to estimate before any run
            is done: measured on a 2-core x86-64 machine.
        many_dimensions: Latent dimensions instead of the paper's 1024.
    """

    name: str
    description: str
    settings: dict[str, Any]
    seeds: int
    image_size: int
    core_seconds: float
    many_dimensions: int = 1024

    def run(self, model: str, seed: int, dataset: str = "dsprites", **more: Any) -> dict[str, Any]:
        """Returns the flat settings of one run; `more` may hold options of the model."""
        many = _OF_MANY_CODES if "latent_dim" in more else {}
        tracked = dataset == "dsprites" and model in _TRACKED_MODELS and not more
        own = _SMOKE_OPTIONS.get(model, {}) if self.name == "smoke" else {}
        chosen = {"model": model, "dataset": dataset, "seed": seed}
        measured = {**many, **(TRACKED if tracked else {"track": ()})}
        return {**self.settings, **measured, **own, **chosen, **more}

    def pressures(self, published: Sequence[float]) -> list[float]:
        """Scales pressures for 64x64 pixels with the number of pixels, see `default_options`."""
        return [beta * (self.image_size / 64) ** 2 for beta in published]


_SMOKE_OPTIONS: dict[str, dict[str, Any]] = {"factor_vae": {"discriminator_units": (16, 16)}}

SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "paper",
            "The setting of the DeVAE paper: 64x64 pixels, 300,000 steps of 256 images, Adam 1e-4.",
            {"preset": "paper", "metric_settings": "paper", "metrics": _SCORES},
            seeds=10,
            image_size=64,
            core_seconds=0.4,
        ),
        Scale(
            "small",
            "A small setting for two cores, not the paper's: 32x32 pixels drawn by the built-in "
            "renderer, dense networks of two layers of 256 units, 20,000 steps of 64 images, Adam "
            "5e-4, a quarter of the published weights of the KL divergence, in proportion to the "
            "number of pixels, and fast metric settings.",
            {
                "preset": "small",
                "network": "mlp",
                "network_units": (256, 256),
                "source": "rendered",
                "metric_settings": "fast",
                "metrics": _SCORES,
            },
            seeds=3,
            image_size=32,
            core_seconds=0.012,
        ),
        Scale(
            "smoke",
            "A check that everything works, in which nothing is learned: 10 steps of 8 images.",
            {
                "source": "rendered",
                "metric_settings": "fast",
                "metrics": _SCORES,
                # Both data sets have them.
                "factors": ("shape", "scale"),
                "image_size": 32,
                "network": "mlp",
                "steps": 10,
                "batch_size": 8,
                "checkpoint_every": 10,
                "track_every": 10,
                "evaluation_images": 200,
            },
            seeds=2,
            image_size=32,
            core_seconds=0.5,
            many_dimensions=16,
        ),
    )
}


def scale_named(name: str) -> Scale:
    """Returns a scale by its name; raises a `UsageError` if it is unknown."""
    return SCALES[one_of("scale", name, SCALES)]
