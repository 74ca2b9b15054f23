"""The paper's tables and figures: the runs that each needs, and what is made from them."""

from __future__ import annotations

import functools

from keras_devae.checks import one_of
from keras_devae.reproduction import paper
from keras_devae.reproduction.benchmarks import BENCHMARKS
from keras_devae.reproduction.declarations import DATA_SETS, METHODS, Experiment, Plan
from keras_devae.reproduction.front import FRONT
from keras_devae.reproduction.scales import Scale

_SIX_METHODS = {**METHODS, "FactorVAE": "factor_vae", "DEFT": "deft"}
_VARIANTS = {
    "one latent space": "devae_single",
    "parallel spaces": "devae_parallel",
    "hierarchy, linear maps": "devae_linear",
    "DeVAE": "devae",
}
_DEFAULT_BETAS = (1, 10, 40)


def _every_method(scale, seeds, methods=METHODS, data_sets=DATA_SETS):
    return [
        Plan(group, scale.run(model, seed, dataset))
        for dataset in data_sets
        for seed in range(seeds)
        for group, model in methods.items()
    ]


def _every_beta(scale, seeds):
    plans = []
    for published in ((1, 10, 20, 40, 80), (1, 10, 40), (1, 10)):
        # Defaults are left out, so that the runs are shared with other experiments.
        own = {} if published == _DEFAULT_BETAS else {"betas": scale.pressures(published)}
        name = "betas " + ", ".join(str(beta) for beta in published)
        plans += [Plan(name, scale.run("devae", seed, **own)) for seed in range(seeds)]
    return plans


def _every_base(scale, seeds):
    plans = []
    for base in (0.0, 0.5, 1.0, 2.0):
        own = {} if base == 1 else {"layer_weight_base": base}
        plans += [Plan(f"s = {base:g}", scale.run("devae", seed, **own)) for seed in range(seeds)]
    return plans


def _every_width(scale, seeds):
    many = scale.many_dimensions
    return [
        Plan(f"{group}, D = {width}", scale.run(METHODS[group], seed, **own))
        for width, own in ((10, {}), (many, {"latent_dim": many}))
        for seed in range(seeds)
        for group in ("beta-VAE", "DeVAE")
    ]


def _only(model, scale, seeds):
    return _every_method(scale, seeds, {"DeVAE": model}, ("dsprites",))


_ON_DSPRITES = functools.partial(_every_method, data_sets=("dsprites",))
_ON_SHAPES = functools.partial(_every_method, data_sets=("shapes3d",))
_DEVAE = functools.partial(_only, "devae")
_ONE = {"paper": 1, "small": 1, "smoke": 1}
_THREE, _FIVE, _EIGHT, _TEN = ({"small": count} for count in (3, 5, 8, 10))

#: Name on the command line -> experiment.
EXPERIMENTS = {
    "table1": Experiment(
        "Total correlation of Gaussians as FactorVAE's discriminator estimates it, and the truth",
        "estimated/true: "
        + "; ".join(
            f"D={d} rho={rho} {estimate}/{truth}"
            for (d, rho), (estimate, truth) in paper.TOTAL_CORRELATION.items()
        ),
        None,
        "estimates",
    ),
    "table1_settings": Experiment(
        "Which batch size and learning rate of the discriminator come nearest to table 1",
        "neither is known; estimates at rho=0.9: "
        + "; ".join(
            f"D={d} {estimate}"
            for (d, rho), (estimate, _) in paper.TOTAL_CORRELATION.items()
            if rho == 0.9
        ),
        None,
        "settings",
    ),
    "table2": Experiment(
        "Ablation on dSprites: MIG, InfoM and reconstruction of every layer",
        "MIG/reconstruction: "
        + "; ".join(
            f"{group} {', '.join(f'{gap}/{error}' for gap, error in layers)}"
            for group, layers in paper.ABLATION.items()
        ),
        functools.partial(_every_method, methods=_VARIANTS, data_sets=("dsprites",)),
        "ablation",
        _EIGHT,
    ),
    "table3": Experiment(
        "DeVAE under other pressures: betas 1, 10, 20, 40, 80; 1, 10, 40; 1, 10",
        paper.UNKNOWN,
        _every_beta,
        "layers",
        _FIVE,
    ),
    "table4": Experiment(
        "DeVAE with layers drawn by other weights: s = 0, 0.5, 1, 2",
        paper.UNKNOWN,
        _every_base,
        "bases",
        _FIVE,
    ),
    "table6": Experiment(
        "Six methods: reconstruction, MIG, InfoM, ELBO",
        paper.UNKNOWN,
        functools.partial(_ON_DSPRITES, methods=_SIX_METHODS),
        "bounds",
        _FIVE,
    ),
    "figure2": Experiment(
        "MIG, InfoM, FactorVAE score, DCI disentanglement and reconstruction of four methods",
        "dSprites, DeVAE: disentanglement +8 % over beta-TCVAE and +47 % over beta-VAE, "
        "reconstruction error -2 % and -30 %",
        _every_method,
        "methods",
        _TEN,
    ),
    "figure3": Experiment(
        "Traversals of four methods on dSprites, latents with KL above 0.5",
        paper.UNKNOWN,
        _ON_DSPRITES,
        "traversals",
        _ONE,
    ),
    "figure4": Experiment(
        "Information about each factor during training: DynamicVAE and DeVAE",
        "DynamicVAE loses information late, DeVAE does not",
        functools.partial(
            _ON_DSPRITES, methods={name: METHODS[name] for name in ("DynamicVAE", "DeVAE")}
        ),
        "diffusion",
        _TEN,
    ),
    "figure5": Experiment(
        "MIG and reconstruction with 10 and with 1024 latent dimensions",
        paper.UNKNOWN,
        _every_width,
        "widths",
        _THREE,
    ),
    "figure6": Experiment(
        "Traversals of every layer of DeVAE on dSprites",
        paper.UNKNOWN,
        _DEVAE,
        "layer_traversals",
        _ONE,
    ),
    "figure7": Experiment(
        "Traversals of four methods on 3D Shapes", paper.UNKNOWN, _ON_SHAPES, "traversals", _ONE
    ),
    "figure8": Experiment(
        "Random samples of four methods on dSprites", paper.UNKNOWN, _ON_DSPRITES, "samples", _ONE
    ),
    "figure9": Experiment(
        "Random samples from every layer of DeVAE on dSprites",
        paper.UNKNOWN,
        _DEVAE,
        "layer_samples",
        _ONE,
    ),
    "figure10": Experiment(
        "Random samples of four methods on 3D Shapes", paper.UNKNOWN, _ON_SHAPES, "samples", _ONE
    ),
    "figure11": Experiment(
        "Information about each factor over the latent layers of DeVAE",
        "it decreases over the layers",
        _DEVAE,
        "over_layers",
        _TEN,
    ),
    "figure12": Experiment(
        "Active variables and MED with 10 and with 1024 latent dimensions",
        paper.UNKNOWN,
        _every_width,
        "active",
        _THREE,
    ),
    **BENCHMARKS,
    **FRONT,
}


def experiment_named(name: str) -> Experiment:
    """Returns an experiment by its name; raises a `UsageError` if it is unknown."""
    return EXPERIMENTS[one_of("experiment", name, EXPERIMENTS)]


def plans_of(name: str, scale: Scale, seeds: int | None = None) -> list[Plan]:
    """Plans the runs of an experiment; `None` means its own number of seeds at that scale."""
    experiment = experiment_named(name)
    if experiment.plans is None:
        return []
    return experiment.plans(scale, seeds or experiment.seeds.get(scale.name, scale.seeds))
