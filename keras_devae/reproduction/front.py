"""The front of disentanglement against reconstruction: each method from weak to strong pressure."""

from __future__ import annotations

from typing import Any

from keras_devae.models.catalogue import default_options
from keras_devae.reproduction.declarations import Experiment, Plan
from keras_devae.reproduction.scales import Scale

#: The favourite, whose options are varied too.
FAVOURITE = "DeVAE"
#: Method -> its model, and the option that says how strong the pressure is.
PRESSURES = {
    "beta-VAE": ("beta_vae", "beta"),
    "beta-TCVAE": ("beta_tc_vae", "beta"),
    "FactorVAE": ("factor_vae", "gamma"),
    "DIP-VAE": ("dip_vae", "lambda_od"),
    "DynamicVAE": ("dynamic_vae", "kl_target"),
    FAVOURITE: ("devae", "betas"),
}
#: The higher a target of the KL divergence, the weaker the pressure.
_INVERSE = ("kl_target",)
#: What the defaults are multiplied by.
STRENGTHS: tuple[float, ...] = (0.25, 0.5, 1, 2, 4, 8)
#: Name -> options of DeVAE that differ from its defaults; betas are the published ones.
OPTIONS: dict[str, dict[str, Any]] = {
    "K = 2": {"betas": (1, 10)},
    "K = 5": {"betas": (1, 10, 20, 40, 80)},
    "summed": {"objective": "summed"},
    "s = 0.5": {"layer_weight_base": 0.5},
    "s = 2": {"layer_weight_base": 2.0},
    "slow scalings": {"scaling_learning_rate": 0.1},
    "fast scalings": {"scaling_learning_rate": 10.0},
    "no layer vectors": {"layer_vectors": False},
}
#: The strengths at which options are trained.
STRENGTHS_OF_OPTIONS: tuple[float, ...] = (0.25, 1, 4)
_SEEDS = {"paper": 3, "small": 3}
_BEFORE_STRENGTH = ", strength "


def group_at(name: str, strength: float) -> str:
    """Returns the name of the group of a method, or of DeVAE with an option, at a strength."""
    return f"{name}{_BEFORE_STRENGTH}{strength:g}"


def method_and_strength(group: str) -> tuple[str, float]:
    """Returns what `group_at` was given."""
    name, _, strength = group.rpartition(_BEFORE_STRENGTH)
    return name, float(strength)


def _plans(scale: Scale, seeds: int) -> list[Plan]:
    names, options, strengths, few = [*PRESSURES], OPTIONS, STRENGTHS, STRENGTHS_OF_OPTIONS
    if scale.name == "smoke":
        names, options = ["beta-VAE", "DynamicVAE", FAVOURITE], {"K = 2": OPTIONS["K = 2"]}
        strengths = few = (1, 2)
    plans = []
    for seed in range(seeds):
        for name in names:
            model, option = PRESSURES[name]
            for strength in strengths:
                own = _pressure(scale, model, option, strength)
                plans.append(Plan(group_at(name, strength), scale.run(model, seed, **own)))
        for name, chosen in options.items():
            for strength in few:
                own = _with_pressure(scale, chosen, strength)
                group = group_at(f"{FAVOURITE}, {name}", strength)
                plans.append(Plan(group, scale.run("devae", seed, **own)))
    return plans


def _pressure(scale, model, option, strength):
    """Returns the option of a strength; none for the default, so that runs are shared."""
    if strength == 1:
        return {}
    shape = (scale.image_size, scale.image_size, 1)
    # The number of steps does not scale these options.
    default = default_options(model, shape, 1)[option]
    return {option: _times(1 / strength if option in _INVERSE else strength, default)}


def _with_pressure(scale, chosen, strength):
    """Returns options of DeVAE and its pressures at a strength."""
    if "betas" in chosen:
        return {"betas": _times(strength, scale.pressures(chosen["betas"]))}
    return {**chosen, **_pressure(scale, "devae", "betas", strength)}


def _times(factor, value):
    return factor * value if isinstance(value, float) else [factor * part for part in value]


#: Name on the command line -> experiment.
FRONT = {
    "front": Experiment(
        "Is DeVAE worth using? Disentanglement against reconstruction, from weak to strong "
        "pressure, of six methods and of DeVAE's options",
        "at one strength of each, DeVAE disentangles better than beta-TCVAE and beta-VAE, and "
        "reconstructs better (figure 2)",
        _plans,
        "front",
        _SEEDS,
    )
}
