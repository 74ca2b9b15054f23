"""Benchmarks of other papers: correlated factors, transfer, compositional generalisation."""

from __future__ import annotations

from typing import Any

from keras_devae.reproduction.declarations import DATA_SETS, METHODS, Experiment, Plan
from keras_devae.reproduction.scales import Scale

#: Data set -> the two factors that are correlated in training.
CORRELATED_PAIRS = {
    "dsprites": ("orientation", "position_x"),
    "shapes3d": ("scale", "orientation"),
}
#: Scale -> the paper's sigmas that are trained; the smaller, the stronger the correlation.
_SIGMAS = {"paper": (0.2, 0.4, 0.7), "small": (0.2, 0.7), "smoke": (0.2,)}

#: The factor whose values are shifted in the benchmark of transfer.
SHIFTED = "object_hue"
#: The variant of 3D Shapes that models train on.
TRAINING_VARIANT = f"held-out:{SHIFTED}=7..9"
#: The variants of 3D Shapes whose images the predictors are fitted to.
KNOWN_IMAGES = (f"held-out:{SHIFTED}=5..9",)
#: Kind of images that the predictors are tested on -> the variants of 3D Shapes that have it.
TRANSFER_TO = {
    "same kind": KNOWN_IMAGES,
    "colours new to the predictors": (f"held-out-only:{SHIFTED}=5+6",),
    "colours new to the model too": (f"held-out-only:{SHIFTED}=7..9",),
    "noisy": (*KNOWN_IMAGES, "noise"),
}

#: Data set -> condition -> the combinations that training is without, as `held-out` takes them,
#: from the authors' code, https://github.com/mmrl/disent-and-gen.
HELD_OUT = {
    "dsprites": {
        "recombination to element": "shape=ellipse,scale=2..5,orientation=14..25,"
        "position_x=21..31,position_y=21..31",
        "recombination to range": "shape=square,position_x=16..31",
        "extrapolation": "position_x=16..31",
    },
    "shapes3d": {
        "recombination to element": "floor_hue=8..9,wall_hue=8..9,object_hue=8..9,scale=5..7,"
        "shape=cylinder,orientation=12..14",
        "recombination to range": "shape=pill,object_hue=5..9",
        "extrapolation": "floor_hue=5..9",
    },
}

#: Settings of the runs of a check, and by benchmark the factors that vary, unless all do.
_SMOKE: dict[str, Any] = {
    "metrics": ("mig", "dci", "reconstruction_error", "kl", "active_variables"),
    "track": (),
}
_SMOKE_FACTORS: dict[str, tuple[str, ...]] = {
    "correlated-factors": ("scale", "orientation", "position_x"),
    "transfer": (SHIFTED, "scale", "shape"),
}
#: Scale -> number of seeds.
SEEDS = {"paper": 5, "small": 2, "smoke": 1}


def _plan(benchmark: str, scale: Scale, group: str, model: str, seed: int, **own: Any) -> Plan:
    if scale.name == "smoke":
        own |= {**_SMOKE, "factors": _SMOKE_FACTORS.get(benchmark)}
    return Plan(group, scale.run(model, seed, **own))


def _methods(scale: Scale) -> dict[str, str]:
    """Returns the four methods at scale paper, and otherwise two of them."""
    few = ("beta-VAE", "DeVAE")
    return METHODS if scale.name == "paper" else {name: METHODS[name] for name in few}


def _data_sets(scale: Scale) -> tuple[str, ...]:
    return DATA_SETS if scale.name == "paper" else ("dsprites",)


def correlated_variants(dataset: str, sigma: float | None) -> dict[str, Any]:
    """Returns the setting `variants` of a data set whose pair is correlated, `None` for not."""
    pair = ",".join(CORRELATED_PAIRS[dataset])
    return {} if sigma is None else {"variants": (f"correlated:{pair},{sigma:g}",)}


def _correlated(scale: Scale, seeds: int) -> list[Plan]:
    # The runs that are not correlated are shared with other experiments.
    strengths = [*_SIGMAS[scale.name], None]
    return [
        _plan(
            "correlated-factors",
            scale,
            f"{group}, {'uncorrelated' if sigma is None else f'sigma {sigma:g}'}",
            *(model, seed),
            dataset=dataset,
            **correlated_variants(dataset, sigma),
        )
        for dataset in _data_sets(scale)
        for group, model in _methods(scale).items()
        for sigma in strengths
        for seed in range(seeds)
    ]


def _transfer(scale: Scale, seeds: int) -> list[Plan]:
    own = {"dataset": "shapes3d", "variants": (TRAINING_VARIANT,)}
    return [
        _plan("transfer", scale, group, model, seed, **own)
        for group, model in _methods(scale).items()
        for seed in range(seeds)
    ]


def _compositional(scale: Scale, seeds: int) -> list[Plan]:
    return [
        _plan(
            "compositional-generalisation",
            scale,
            f"{condition}, {group}",
            *(model, seed),
            dataset=dataset,
            variants=(f"held-out:{combinations}",),
        )
        for dataset in _data_sets(scale)
        for condition, combinations in HELD_OUT[dataset].items()
        for group, model in _methods(scale).items()
        for seed in range(seeds)
    ]


#: Name on the command line -> experiment.
BENCHMARKS = {
    "correlated-factors": Experiment(
        "Entanglement of two factors that are correlated in training, and its correction by few "
        "labels",
        "the correlated pair is more entangled than the median of the other pairs, the more so "
        "the stronger the correlation; a linear regression fitted to 100 labels and more parts it",
        _correlated,
        "correlated",
        SEEDS,
        "Träuble et al. 2021",
    ),
    "transfer": Experiment(
        "Predictors of factors on images unlike those that they, or the model too, were fitted to",
        "where images are new to the predictors alone, a disentangled model transfers better; "
        "where they are new to the model too, disentanglement does not tell",
        _transfer,
        "transfer",
        SEEDS,
        "Dittadi et al. 2021",
    ),
    "compositional-generalisation": Experiment(
        "Scores and reconstructions of combinations of factors that are held out of training",
        "models reconstruct single missing combinations (recombination to element), and fail "
        "where a range is missing or beyond the range trained on, disentangled or not",
        _compositional,
        "generalisation",
        SEEDS,
        "Montero et al. 2021",
    ),
}
