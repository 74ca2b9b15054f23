"""The models with their options, known without importing Keras."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from keras_devae.checks import at_least, finite_at_least, flag, positive, pressures, widths
from keras_devae.errors import unknown_name
from keras_devae.models.options import (
    check_limits,
    check_set_point,
    one_of,
    or_none,
    share,
    weight_or_schedule,
)

NETWORK_NAMES = ("convolutional", "mlp")
LIKELIHOOD_NAMES = ("bernoulli", "gaussian")
#: Length of the training runs that the published numbers of steps belong to.
PUBLISHED_STEPS = 300_000

_PIXELS, _STEPS, _RATE = "pixels", "steps", "rate"


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a model.

    Attributes:
        kind: `"number"`, `"whole"`, `"numbers"`, `"wholes"`, `"text"` or `"flag"`.
        default: Value where none is given, for 64x64 images and 300,000 steps.
        help: What it is, in a few words.
        check: Takes the option's name and a value, returns the value or raises `UsageError`.
        scales: What the default goes with: `"pixels"`, because reconstruction is a sum over them
            and a weight keeps its meaning only in proportion; `"steps"`, the length of the run; or
            `"rate"`, its inverse, for what is added up step by step.
    """

    kind: str
    default: Any
    help: str
    check: Callable[[str, Any], Any]
    scales: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """A model.

    Attributes:
        objective: What it minimises, in one line.
        paper: Where it is from.
        options: Name -> `Option`.
        fitted: Whether scikit-learn fits it in one go, with linear networks and a Gaussian
            likelihood, in place of training by steps.
    """

    objective: str
    paper: str
    options: dict[str, Option] = dataclasses.field(default_factory=dict)
    fitted: bool = False


def _weight(default, help, *scales):
    return Option("number", default, help, finite_at_least, scales or (_PIXELS,))


def _nats(default, help):
    return Option("number", default, help, finite_at_least)


def _optional_number(help):
    return Option("number", None, help, or_none(finite_at_least))


def _steps(default, help):
    return Option("whole", default, help, functools.partial(at_least, least=1), (_STEPS,))


def _whole(default, help, least):
    return Option("whole", default, help, functools.partial(at_least, least=least))


_COMPAT = Option("flag", False, "Repeat a known fault of the published code.", flag)
_DEVAE = {
    "betas": Option(
        "numbers", (1.0, 10.0, 40.0), "Pressure of each latent layer.", pressures, (_PIXELS,)
    ),
    "objective": Option(
        "text",
        "sampled",
        "sampled draws a layer a step, summed adds them.",
        one_of("sampled", "summed"),
    ),
    "layer_weight_base": Option("number", 1.0, "s: layer i has the weight s^i.", finite_at_least),
}
_TARGET = {
    "kl_target_steps": _steps(300_000, "Steps of the set point's way."),
    "kl_target_stairs": Option(
        "whole",
        None,
        "Stairs on that way; a straight line without.",
        or_none(functools.partial(at_least, least=1)),
    ),
    "kl_target_rest": Option(
        "number", 1.0, "Part of each stair before the climb to the next; 1 jumps.", share
    ),
    "beta_max": _optional_number("Upper limit of beta; none without."),
    "proportional_gain": _weight(0.01, "Kp of the controller."),
    "integral_gain": _weight(0.001, "Ki of the controller.", _PIXELS, _RATE),
}
_FIT_IMAGES = {"fit_images": _whole(5000, "Images to fit.", 2)}
_RELEASE = {
    "beta_min": _weight(1.0, "Pressure on released dimensions."),
    "beta_max": _weight(10.0, "Pressure on the others."),
    "stage_steps": _steps(20_000, "Steps a stage."),
}
_DEVAE_PAPER = (
    "Variational Autoencoders with Decremental Information Bottleneck for Disentanglement"
)

#: Name on the command line -> `ModelEntry`.
MODEL_CATALOGUE = {
    "annealed_vae": ModelEntry(
        "reconstruction + gamma |KL - C(t)|",
        "Burgess et al. 2018, Understanding disentangling in beta-VAE",
        {
            "gamma": _weight(1000.0, "Weight of the distance to the capacity."),
            "capacity_max": _nats(25.0, "Capacity at the end, nats."),
            "capacity_steps": _steps(100_000, "Steps until then."),
            "capacity_start": _nats(0.0, "Capacity at the start, nats."),
        },
    ),
    "beta_tc_vae": ModelEntry(
        "reconstruction + alpha mutual information + beta total correlation + gamma rest of the KL",
        "Chen et al. 2018, Isolating Sources of Disentanglement in Variational Autoencoders",
        {
            "beta": _weight(12.0, "Weight of the total correlation."),
            "alpha": _weight(1.0, "Weight of the mutual information."),
            "gamma": _weight(1.0, "Weight of the dimension-wise KL."),
            "estimator": Option(
                "text",
                "weighted",
                "weighted or stratified sampling of the batch.",
                one_of("weighted", "stratified"),
            ),
            "reference_compat": _COMPAT,
        },
    ),
    "beta_vae": ModelEntry(
        "reconstruction + beta KL",
        "Higgins et al. 2017, beta-VAE",
        {"beta": Option("number", 6.0, "Weight of the KL.", weight_or_schedule, (_PIXELS,))},
    ),
    "cascade_vae": ModelEntry(
        "reconstruction + sum_d beta_d KL_d, and a categorical code assigned by matching",
        "Jeong and Song 2019, Learning Discrete and Continuous Factors of Data via Alternating "
        "Disentanglement",
        {
            "num_categories": _whole(3, "Categories.", 2),
            **_RELEASE,
            "matching_stage": _whole(4, "Stage in which the matching begins.", 0),
            "pairwise_cost": _weight(0.001, "Cost of sharing a category, nats."),
        },
    ),
    "cascade_vae_c": ModelEntry(
        "reconstruction + sum_d beta_d KL_d, dimensions released one a stage",
        "Jeong and Song 2019, the continuous part of CascadeVAE",
        _RELEASE,
    ),
    "control_vae": ModelEntry(
        "reconstruction + beta(t) KL, beta by a PI controller",
        "Shao et al. 2020, ControlVAE",
        {
            "kl_target": _nats(18.0, "Set point at the end, nats."),
            "kl_target_start": _nats(0.5, "Set point at the start, nats."),
            **_TARGET,
            "beta_init": _optional_number("Beta at the start; beta_min without."),
            "beta_min": _weight(1.0, "Lower limit of beta."),
            "reference_compat": _COMPAT,
        },
    ),
    "deft": ModelEntry(
        "reconstruction + beta_s KL, one group of latents learning a stage",
        "Wu et al. 2022, DEFT: distilling entangled factors by preventing information diffusion",
        {
            "betas": Option(
                "numbers", (70.0, 30.0, 15.0, 1.0), "Pressure of each stage.", pressures, (_PIXELS,)
            ),
            "stage_steps": _steps(50_000, "Steps a stage."),
            "gradient_scale": Option(
                "number", 0.0, "Factor of the other groups' gradients.", finite_at_least
            ),
        },
    ),
    "devae": ModelEntry(
        "reconstruction + beta_i KL_i of one of K layers, each a scaling of the one before",
        _DEVAE_PAPER,
        _DEVAE,
    ),
    "devae_linear": ModelEntry(
        "as devae, with arbitrary linear maps in place of the diagonal scalings",
        f"{_DEVAE_PAPER}, table 2",
        _DEVAE,
    ),
    "devae_parallel": ModelEntry(
        "as devae, with independent latent spaces in place of the hierarchy",
        f"{_DEVAE_PAPER}, table 2",
        _DEVAE,
    ),
    "devae_single": ModelEntry(
        "reconstruction + beta_i KL of one latent space, one of K pressures drawn a step",
        f"{_DEVAE_PAPER}, table 2",
        _DEVAE,
    ),
    "dip_vae": ModelEntry(
        "reconstruction + KL + lambda_od C_ij^2 + lambda_d (C_ii - 1)^2, C a covariance of codes",
        "Kumar et al. 2018, Variational Inference of Disentangled Latent Concepts from Unlabeled "
        "Observations",
        {
            "kind": Option("text", "i", "i, of the means, or ii, of the codes.", one_of("i", "ii")),
            "lambda_od": _weight(10.0, "Weight off the diagonal."),
            "lambda_d": _optional_number(
                "Weight on the diagonal; 10 lambda_od (i) or lambda_od (ii) without."
            ),
        },
    ),
    "dynamic_vae": ModelEntry(
        "reconstruction + beta(t) KL, beta moved step by step by a PI controller",
        "Shao et al. 2022, Rethinking Controllable Variational Autoencoders",
        {
            "kl_target": _nats(20.0, "Set point at the end, nats."),
            "kl_target_start": _nats(0.0, "Set point at the start, nats."),
            **_TARGET,
            "beta_init": _weight(150.0, "Beta at the start."),
            "beta_min": _weight(0.1, "Lower limit of beta."),
            "window": _whole(5, "Steps that the KL is averaged over.", 1),
            "reference_compat": _COMPAT,
        },
    ),
    "factor_vae": ModelEntry(
        "reconstruction + KL + gamma total correlation, by a discriminator",
        "Kim and Mnih 2018, Disentangling by Factorising",
        {
            "gamma": _weight(35.0, "Weight of the total correlation."),
            "discriminator_units": Option(
                "wholes", (1000,) * 6, "Widths of the discriminator's layers.", widths
            ),
        },
    ),
    "ica": ModelEntry(
        "independent components (scikit-learn), a linear baseline",
        "Hyvarinen and Oja 2000, Independent component analysis: algorithms and applications",
        _FIT_IMAGES,
        fitted=True,
    ),
    "joint_vae": ModelEntry(
        "reconstruction + gamma |KL_z - C_z(t)| + categorical_gamma |KL_c - C_c(t)|",
        "Dupont 2018, Learning Disentangled Joint Continuous and Discrete Representations",
        {
            "num_categories": _whole(3, "Categories.", 2),
            "gamma": _weight(150.0, "Weight of the continuous code's distance."),
            "capacity_max": _nats(40.0, "Capacity of the continuous code at the end, nats."),
            "categorical_gamma": _weight(150.0, "Weight of the categorical code's distance."),
            "categorical_capacity_max": _nats(1.1, "Capacity of the categorical code, nats."),
            "capacity_steps": _steps(300_000, "Steps until both."),
            "temperature": Option("number", 0.67, "Of the Gumbel-softmax.", positive),
            "capacity_start": _nats(0.0, "Capacity at the start, nats."),
            "categorical_capacity_start": _nats(0.0, "Categorical capacity at the start, nats."),
        },
    ),
    "pca": ModelEntry(
        "principal components (scikit-learn), a linear baseline",
        "Tipping and Bishop 1999, Probabilistic Principal Component Analysis",
        _FIT_IMAGES,
        fitted=True,
    ),
    "vae": ModelEntry(
        "reconstruction + KL", "Kingma and Welling 2014, Auto-Encoding Variational Bayes"
    ),
}


def check_options(model, options):
    """Checks the options of a model.

    Args:
        model: Name of the model.
        options: Dictionary of option names and values.

    Returns:
        The options with their values in standard form.

    Raises:
        UsageError: If a name is unknown or a value out of range.
    """
    if model not in MODEL_CATALOGUE:
        raise unknown_name("model", model, MODEL_CATALOGUE)
    known = MODEL_CATALOGUE[model].options
    for name in options:
        if name not in known:
            raise unknown_name(f"option of {model}", name, known)
    checked = {name: known[name].check(name, value) for name, value in options.items()}
    if "kl_target" in known:
        check_set_point(checked)
        check_limits(checked)
    return checked


def default_options(model, image_shape, steps):
    """Returns the defaults of a model's options for images of some size and a run of some length.

    Args:
        model: Name of the model.
        image_shape: `(height, width, channels)`.
        steps: Steps of the run.

    Returns:
        Dictionary of option names and values: the published ones, for 64x64 images and 300,000
        steps, in proportion.
    """
    factors = scaling_factors(image_shape, steps)
    return {name: _scaled(o, factors) for name, o in MODEL_CATALOGUE[model].options.items()}


def scaling_factors(image_shape, steps):
    """Returns what defaults are multiplied by: a dictionary of `pixels`, `steps` and `rate`."""
    length = steps / PUBLISHED_STEPS
    return {
        _PIXELS: image_shape[0] * image_shape[1] / 64**2,
        _STEPS: length,
        _RATE: 1 / length,
    }


def _scaled(option, factors):
    value = option.default
    for scale in option.scales:
        factor = factors[scale]
        value = tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value
    return max(round(value), 1) if option.scales == (_STEPS,) else value
