"""What holds for every model: its losses add up, each option acts, extremes stay finite."""

import inspect
from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats
from thoroughness import quick_first

from keras_devae.losses import balanced_draws
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.schedules import LinearSchedule

pytestmark = pytest.mark.backends

TRAINED = [method for method in MODELS if method not in ("ica", "pca")]
LAYERED = ("devae", "devae_linear", "devae_parallel")
SAMPLED = ("flow_vae", "ladder_vae")

# Losses: of every model the options that make each of its terms count, and what `fit` shows in step
# 0, 1, 2, ... beside the reconstruction: `logs` are the values shown and `kl` the divergence of
# every layer and dimension by NumPy, before that step.

LAYER_NAMES = {f"{term}_loss_layer_{i}" for term in ("reconstruction", "kl") for i in range(3)}
HF_TERMS = (
    "within_group_total_correlation_loss",
    "dimension_wise_kl_loss",
    "mutual_information_loss",
    "between_group_total_correlation_loss",
)
NAMES = {
    "ada_gvae": set(),
    "annealed_vae": {"capacity_loss", "capacity"},
    "beta_tc_vae": {"mutual_information_loss", "total_correlation_loss", "dimension_wise_kl_loss"},
    "beta_vae": {"beta"},
    "byol": {"prediction_loss", "spread", "target_decay"},
    "cascade_vae": {"stage"},
    "cascade_vae_c": {"stage"},
    "control_vae": {"beta", "kl_target"},
    "deft": {"beta", "stage"},
    "devae": LAYER_NAMES,
    "devae_linear": LAYER_NAMES,
    "devae_parallel": LAYER_NAMES,
    "devae_single": {"beta"},
    "dip_vae": {"covariance_off_diagonal_loss", "covariance_diagonal_loss"},
    "dynamic_vae": {"beta", "kl_target"},
    "factor_vae": {"total_correlation_loss", "discriminator_loss"},
    "flow_vae": set(),
    "hf_vae": set(HF_TERMS),
    "ica": set(),
    "info_gan": {
        *("generator_loss", "discriminator_loss", "information_loss", "contrastive_loss"),
        "contrastive_weight",
    },
    "joint_vae": {
        "capacity_loss",
        "categorical_capacity_loss",
        "categorical_kl_loss",
        "capacity",
        "categorical_capacity",
    },
    "ladder_vae": {"beta"},
    "pca": set(),
    "predictability_minimization": {"unpredicted_variance_loss", "predictor_loss"},
    "qlae": {"quantization_loss", "commitment_loss"},
    "vae": set(),
}
LOSS_OPTIONS = {
    "ada_gvae": {"beta": 3},
    "annealed_vae": {"gamma": 3, "capacity_max": 8, "capacity_steps": 4},
    "beta_tc_vae": {"alpha": 0.5, "beta": 3, "gamma": 2},
    "beta_vae": {"beta": LinearSchedule(1, 5, 4)},
    "byol": {"target_decay": 0.5, "target_decay_steps": 4},
    "cascade_vae": {"beta_min": 0.5, "beta_max": 4, "stage_steps": 1, "matching_stage": 1},
    "cascade_vae_c": {"beta_min": 0.5, "beta_max": 4, "stage_steps": 1},
    "control_vae": {
        "kl_target": 4.5,
        "kl_target_start": 0.5,
        "kl_target_steps": 4,
        "proportional_gain": 1,
    },
    "deft": {"betas": (4, 2, 1), "stage_steps": 1},
    "devae": {"betas": (1, 2, 5), "layer_weight_base": 2},
    "devae_linear": {"betas": (1, 2, 5), "objective": "summed", "layer_weight_base": 0.5},
    "devae_parallel": {"betas": (1, 2, 5)},
    "devae_single": {"betas": (1, 2, 5), "layer_weight_base": 2},
    "dip_vae": {"lambda_od": 2},
    "dynamic_vae": {"kl_target": 4, "kl_target_steps": 4, "integral_gain": 1, "beta_init": 7},
    "factor_vae": {"gamma": 5},
    "flow_vae": {"flow": "iaf", "num_flows": 3, "flow_units": (8,)},
    "hf_vae": {
        "within_group_weight": 0.5,
        "dimension_wise_weight": 2,
        "mutual_information_weight": 3,
        "between_group_weight": 5,
    },
    "info_gan": {
        "contrastive": True,
        "contrastive_weight": 3,
        "contrastive_start": 2,
        "information_weight": 0.5,
    },
    "joint_vae": {
        "gamma": 2,
        "capacity_max": 8,
        "categorical_gamma": 3,
        "categorical_capacity_max": 2,
        "capacity_steps": 4,
    },
    "predictability_minimization": {"predictability_weight": 3},
    "qlae": {"quantization_weight": 0.5, "commitment_weight": 2},
    "ladder_vae": {"layer_dims": (2, 1), "kl_warmup_steps": 4},
}


def ada(logs, kl, step, validation):
    return {"penalty": 3 * kl.sum()}


def annealed(logs, kl, step, validation):
    distance = abs(kl.sum() - 2 * step)
    return {"capacity": 2 * step, "capacity_loss": distance, "penalty": 3 * distance}


def beta_tc(logs, kl, step, validation):
    parts = [logs[f"{n}_loss"] for n in ("mutual_information", "total_correlation")]
    return {"penalty": np.dot([0.5, 3, 2], [*parts, logs["dimension_wise_kl_loss"]])}


def beta(logs, kl, step, validation):
    return {"beta": 1 + step, "penalty": (1 + step) * kl.sum()}


def byol(logs, kl, step, validation):
    decay = 1 - 0.5 * (np.cos(np.pi * step / 4) + 1) / 2
    return {"target_decay": decay, "penalty": logs["prediction_loss"]}


def cascade(logs, kl, step, validation):
    # The stage in which the matching begins, 1, releases no dimension.
    released = [1, 1, 2, 3][step]
    return {"stage": step, "penalty": 0.5 * kl[0, :released].sum() + 4 * kl[0, released:].sum()}


def cascade_c(logs, kl, step, validation):
    released = [1, 2, 3, 3][step]
    penalty = 0.5 * kl[0, :released].sum() + 4 * kl[0, released:].sum()
    return {"stage": released - 1, "penalty": penalty}


def control(logs, kl, step, validation):
    return {"kl_target": 0.5 + step, "penalty": logs["beta"] * kl.sum()}


def dynamic(logs, kl, step, validation):
    return {"kl_target": step, "penalty": logs["beta"] * kl.sum()}


def deft(logs, kl, step, validation):
    pressure = [4, 2, 1, 1][step]
    return {"stage": min(step, 2), "beta": pressure, "penalty": pressure * kl.sum()}


def weighted_layers(logs, kl, weights, scale):
    """Of layers that all are seen."""
    shares = np.array(weights) / np.sum(weights)
    reconstructions = np.array([logs[f"reconstruction_loss_layer_{i}"] for i in range(3)])
    kl = kl.sum(1)
    total = scale * shares @ (reconstructions + np.array([1, 2, 5]) * kl)
    return {
        **{f"kl_loss_layer_{i}": kl[i] for i in range(3)},
        "reconstruction_loss": shares @ reconstructions,
        "kl_loss": shares @ kl,
        "penalty": total - logs["reconstruction_loss"],
    }


def one_layer(logs, kl):
    """Of the one layer that the step drew."""
    (drawn,) = (i for i in range(3) if logs[f"reconstruction_loss_layer_{i}"] != 0)
    kl = kl[drawn].sum()
    return {
        "reconstruction_loss": logs[f"reconstruction_loss_layer_{drawn}"],
        **{f"kl_loss_layer_{i}": kl * (i == drawn) for i in range(3)},
        "kl_loss": kl,
        "penalty": (1, 2, 5)[drawn] * kl,
    }


def devae(logs, kl, step, validation):
    return weighted_layers(logs, kl, (1, 2, 4), 1) if validation else one_layer(logs, kl)


def devae_linear(logs, kl, step, validation):
    return weighted_layers(logs, kl, (1, 0.5, 0.25), 1.75)


def devae_parallel(logs, kl, step, validation):
    return weighted_layers(logs, kl, (1, 1, 1), 1) if validation else one_layer(logs, kl)


def devae_single(logs, kl, step, validation):
    assert validation or logs["beta"] in (1, 2, 5)
    pressure = (1 + 2 * 2 + 4 * 5) / 7 if validation else logs["beta"]
    return {"beta": pressure, "penalty": pressure * kl.sum()}


def dip(logs, kl, step, validation):
    off, on = (logs[f"covariance_{part}_loss"] for part in ("off_diagonal", "diagonal"))
    return {"penalty": kl.sum() + 2 * off + 20 * on}


def factor(logs, kl, step, validation):
    return {"penalty": kl.sum() + 5 * logs["total_correlation_loss"]}


def hf(logs, kl, step, validation):
    return {"penalty": np.dot([0.5, 2, 3, 5], [logs[name] for name in HF_TERMS])}


def sampled(logs, kl, step, validation):
    # A training step draws a sample of its own.
    return {"penalty": kl.sum() if validation else logs["kl_loss"]}


def joint(logs, kl, step, validation):
    distance = abs(kl.sum() - 2 * step)
    capacity = min(0.5 * step, np.log(3))
    categorical_distance = abs(logs["categorical_kl_loss"] - capacity)
    return {
        "capacity": 2 * step,
        "categorical_capacity": capacity,
        "capacity_loss": distance,
        "categorical_capacity_loss": categorical_distance,
        "penalty": 2 * distance + 3 * categorical_distance,
    }


def info_gan(logs, kl, step, validation):
    weight = 3 if step >= 2 else 0
    return {
        "contrastive_weight": weight,
        "penalty": logs["generator_loss"]
        + 0.5 * logs["information_loss"]
        + weight * logs["contrastive_loss"],
    }


def predictability(logs, kl, step, validation):
    assert logs["predictor_loss"] >= logs["unpredicted_variance_loss"]
    return {"penalty": -3 * logs["unpredicted_variance_loss"]}


def quantized(logs, kl, step, validation):
    distance = logs["quantization_loss"]
    # Of 8x8 pixels, half of it for the values and twice for the codes.
    return {"commitment_loss": distance, "penalty": 64 * (0.5 + 2) * distance}


def ladder(logs, kl, step, validation):
    # In training, the divergence of the lower layer is given a sample of the upper one.
    return {"beta": step / 4, "penalty": step / 4 * logs["kl_loss"]}


def unweighted(logs, kl, step, validation):
    return {"penalty": kl.sum()}


EXPECTED = {
    "ada_gvae": ada,
    "annealed_vae": annealed,
    "beta_tc_vae": beta_tc,
    "beta_vae": beta,
    "byol": byol,
    "cascade_vae": cascade,
    "cascade_vae_c": cascade_c,
    "control_vae": control,
    "deft": deft,
    "devae": devae,
    "devae_linear": devae_linear,
    "devae_parallel": devae_parallel,
    "devae_single": devae_single,
    "dip_vae": dip,
    "dynamic_vae": dynamic,
    "factor_vae": factor,
    "flow_vae": sampled,
    "hf_vae": hf,
    "ica": unweighted,
    "info_gan": info_gan,
    "joint_vae": joint,
    "ladder_vae": ladder,
    "pca": unweighted,
    "predictability_minimization": predictability,
    "qlae": quantized,
    "vae": unweighted,
}


def has_kl(method):
    return MODELS[method].declaration.posterior != "none"


def numpy_kl(model, images):
    if model.declaration.posterior == "none":
        return None
    if model.declaration.posterior == "sampled":
        return sampled_kl(model, images)
    if images.ndim == 5:
        posteriors = [model.posterior(images[:, i], layer=None) for i in range(2)]
        mean, log_var = numpy_averages(*np.array(posteriors, "float64"))
    else:
        mean, log_var = (x.astype("float64") for x in model.posterior(images, layer=None))
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).mean(axis=1)


def numpy_averages(first, second):
    """The posteriors of both images of each pair, averaged in the dimensions that are close."""
    (m1, l1), (m2, l2) = first, second
    kl = 0.5 * (np.exp(l1 - l2) + (m1 - m2) ** 2 / np.exp(l2) - 1 + l2 - l1)
    close = kl < (kl.max(axis=-1, keepdims=True) + kl.min(axis=-1, keepdims=True)) / 2
    mean, log_var = (m1 + m2) / 2, np.log((np.exp(l1) + np.exp(l2)) / 2)
    means = [np.where(close, mean, m) for m in (m1, m2)]
    log_vars = [np.where(close, log_var, v) for v in (l1, l2)]
    return (np.concatenate(parts, axis=1) for parts in (means, log_vars))


def sampled_kl(model, images):
    """The mean over fixed draws of log q(z_0) - log det - log p(z_K)."""
    outputs = model(images)
    mean, log_var = (ops.convert_to_numpy(outputs[f"base_{n}"]) for n in ("mean", "log_var"))
    base = mean + np.exp(0.5 * log_var) * balanced_draws(model.latent_dim)[:, None]
    z, log_determinant = map(ops.convert_to_numpy, model.flows(base, outputs["flow_parameters"]))
    log_q = stats.norm.logpdf(base, mean, np.exp(0.5 * log_var)).sum(-1) - log_determinant
    return np.array([[(log_q - stats.norm.logpdf(z).sum(-1)).mean()]])


@pytest.mark.parametrize(
    "method", quick_first(MODELS, {"ada_gvae", "devae", "beta_tc_vae", "factor_vae", "joint_vae"})
)
def test_losses_add_up(tiny, blobs, to_fit, method):
    images, held_out = to_fit(method, blobs(16)), blobs(8, seed=1)
    model = tiny(method, learning_rate=1e-2, **LOSS_OPTIONS.get(method, {}))
    names = {*model.declaration.losses} | NAMES[method]
    if method not in TRAINED:
        model.fit(images)  # Fitting again finds the same.
    for step in range(3):
        kl = numpy_kl(model, images)
        history = model.fit(
            images, batch_size=16, validation_data=held_out, validation_batch_size=8, verbose=0
        ).history
        assert set(history) == names | {f"val_{name}" for name in names}
        shown = {name: values[0] for name, values in history.items()}
        assert np.isfinite(list(shown.values())).all()
        training = {name: shown[name] for name in names}
        validation = {name: shown[f"val_{name}"] for name in names}
        check(method, training, kl, step, False)
        check(method, validation, numpy_kl(model, held_out), step + 1, True)
        again = [
            model.evaluate(held_out, batch_size=8, verbose=0, return_dict=True) for _ in range(2)
        ]
        assert again[0] == again[1] == pytest.approx(validation, rel=1e-6)


def check(method, logs, kl, step, validation):
    expected = EXPECTED[method](logs, kl, step, validation)
    expected["loss"] = logs.get("reconstruction_loss", 0) + expected.pop("penalty")
    known = method not in LAYERED and (validation or method not in SAMPLED)
    if has_kl(method) and known:
        expected["kl_loss"] = kl.sum()
    got = {name: logs[name] for name in expected}
    assert got == pytest.approx(expected, rel=1e-4, abs=1e-5)


#: Few steps need no compiled one, which but for JAX takes longer than it saves.
EAGER = {"compile_options": {"run_eagerly": keras.backend.backend() != "jax"}}

# Options: two values of each, and how the loss is made to depend on it.


class Change(NamedTuple):
    value: object
    other: object
    step: int = 0
    epochs: int = 0
    state: dict = {}  # noqa: RUF012
    others: dict = {}  # noqa: RUF012


def change(value, other, step=0, epochs=0, state=None, **others):
    return Change(value, other, step, epochs, state or {}, others)


IN_SUM = {
    "betas": change((1, 2), (1, 3), objective="summed"),
    "objective": change("sampled", "summed"),
    "layer_weight_base": change(0.5, 2, objective="summed"),
}
OF_LAYERS = {**IN_SUM, "layer_vectors": change(True, False)}
# A beta that is at no limit, and one below its limit although the divergence is too large.
MOVING = {"integral": 5, "stored": 6}
GAINS = {"integral_gain": 0.1, "state": MOVING}
FALLING = {"target_decay": 0.5, "target_decay_steps": 2}
CHANGES = {
    "ada_gvae": {
        "beta": change(1, 2),
        "averaging": change("group", "multi_level"),
        "changed_factors": change(1, "random"),
    },
    "annealed_vae": {
        "gamma": change(1, 2),
        "capacity_max": change(5, 6, step=3, capacity_steps=4),
        "capacity_steps": change(4, 5, step=3),
        "capacity_start": change(0, 1),
    },
    "beta_tc_vae": {
        "beta": change(1, 2),
        "alpha": change(1, 2),
        "gamma": change(1, 2),
        "estimator": change("weighted", "stratified"),
        "dataset_size": change(100, 1000),
        "reference_compat": change(False, True, estimator="stratified", dataset_size=100),
    },
    "beta_vae": {"beta": change(1, LinearSchedule(1, 2, 4), step=2)},
    "byol": {
        "target_decay": change(0.5, 0.9, epochs=2),
        "target_schedule": change("cosine", "constant", epochs=2, **FALLING),
        "target_decay_steps": change(2, 9, epochs=2, target_decay=0.5),
        "projector_units": change((8, 4), (8, 5)),
        "predictor_units": change((8,), (8, 8)),
        "augmentations": change(("blur",), ("noise",)),
        "augmentation_strength": change(1, 2),
    },
    "cascade_vae": {
        "num_categories": change(2, 3, step=9),
        "beta_min": change(0.5, 1),
        "beta_max": change(2, 3),
        "stage_steps": change(2, 3, step=2, matching_stage=9),
        "matching_stage": change(2, 3, step=4),
        "pairwise_cost": change(0, 1000, step=9, num_categories=8),
    },
    "cascade_vae_c": {
        "beta_min": change(0.5, 1),
        "beta_max": change(2, 3),
        "stage_steps": change(2, 3, step=2),
    },
    "control_vae": {
        "kl_target": change(2, 5, step=3, kl_target_steps=4, **GAINS),
        "kl_target_start": change(0.5, 1, **GAINS),
        "kl_target_steps": change(4, 8, step=3, **GAINS),
        "kl_target_stairs": change(None, 2, step=3, kl_target_steps=4, **GAINS),
        "proportional_gain": change(0.1, 1, state=MOVING),
        "integral_gain": change(0.001, 0.1, kl_target_start=5, state=MOVING),
        "beta_min": change(1, 2),
        "beta_init": change(2, 3),
        "beta_max": change(1.2, 1.4, integral_gain=1, kl_target_start=0, state=MOVING),
        "kl_target_rest": change(1, 0, step=3, kl_target_stairs=2, kl_target_steps=4, **GAINS),
        "reference_compat": change(
            False,
            True,
            kl_target=0,
            kl_target_start=0,
            integral_gain=1,
            state={"stored": 0.5, "integral": 5},
        ),
    },
    "deft": {
        "betas": change((2, 1), (3, 1)),
        "stage_steps": change(2, 3, step=2),
        "gradient_scale": change(0, 0.5, epochs=2),
    },
    "devae": {
        **OF_LAYERS,
        "scaling_learning_rate": change(1, 9, epochs=1, objective="summed"),
    },
    "devae_linear": OF_LAYERS,
    "devae_parallel": OF_LAYERS,
    "devae_single": IN_SUM,
    "dip_vae": {
        "kind": change("i", "ii"),
        "lambda_od": change(1, 2, lambda_d=1),
        "lambda_d": change(1, None),
    },
    "dynamic_vae": {
        "kl_target": change(2, 5, step=3, kl_target_steps=4, integral_gain=0.1),
        "kl_target_start": change(0.5, 1, integral_gain=0.1),
        "kl_target_steps": change(4, 8, step=3, integral_gain=0.1),
        "kl_target_stairs": change(None, 2, step=3, kl_target_steps=4, integral_gain=0.1),
        "proportional_gain": change(0.1, 1, kl_target_start=5),
        "integral_gain": change(0.001, 0.1, kl_target_start=5),
        "beta_init": change(5, 6),
        "beta_min": change(0.1, 2, beta_init=2, kl_target_start=20, integral_gain=0.1),
        "beta_max": change(2, 3, beta_init=2, integral_gain=10),
        "kl_target_rest": change(
            1, 0, step=3, kl_target_stairs=2, kl_target_steps=4, integral_gain=0.1
        ),
        "window": change(1, 2, integral_gain=1),
        "reference_compat": change(
            False, True, kl_target=0, window=1, integral_gain=1, state={"stored": 0.05}
        ),
    },
    "factor_vae": {"gamma": change(1, 2), "discriminator_units": change((8,), (8, 8))},
    "flow_vae": {
        "flow": change("planar", "iaf"),
        "num_flows": change(2, 3),
        "flow_units": change((8,), (8, 8), flow="iaf"),
        "free_bits": change(0, 50),
    },
    "hf_vae": {
        "within_group_weight": change(1, 2),
        "dimension_wise_weight": change(1, 2),
        "mutual_information_weight": change(1, 2),
        "between_group_weight": change(1, 2),
        "num_groups": change(1, 2, between_group_weight=2),
        "group_sizes": change((1, 2), (2, 1), between_group_weight=2),
        "estimator": change("bias_corrected", "weighted", between_group_weight=9, dataset_size=100),
        "dataset_size": change(100, 1000, between_group_weight=9),
    },
    "ica": {"fit_images": change(5, 8, epochs=1)},
    "info_gan": {
        "noise_dim": change(2, 3),
        "information_weight": change(1, 2),
        "contrastive": change(False, True),
        "contrastive_weight": change(1, 2, step=1, contrastive=True, contrastive_start=1),
        "contrastive_start": change(2, 4, step=3, contrastive=True),
    },
    "joint_vae": {
        "num_categories": change(2, 3),
        "gamma": change(1, 2),
        "capacity_max": change(5, 6, step=3, capacity_steps=4),
        "categorical_gamma": change(1, 2, step=3, capacity_steps=4),
        "categorical_capacity_max": change(0.5, 0.9, step=3, capacity_steps=4),
        "capacity_steps": change(4, 5, step=3),
        "temperature": change(0.1, 2),
        "capacity_start": change(0, 1),
        "categorical_capacity_start": change(0, 0.5),
    },
    "ladder_vae": {
        "layer_dims": change((2, 1), (1, 2)),
        "kl_warmup_steps": change(0, 4),
        "batch_normalization": change(True, False, kl_warmup_steps=0),
    },
    "pca": {"fit_images": change(5, 8, epochs=1)},
    "predictability_minimization": {
        "predictability_weight": change(1, 2),
        "predictor_units": change((8,), (8, 8)),
    },
    "qlae": {
        "num_values": change(2, 3),
        "quantization_weight": change(1, 2),
        "commitment_weight": change(1, 2),
    },
    "vae": {},
}


#: Inherited, and refused but for the default.
REFUSED = {name: {"scaling_learning_rate"} for name in ("devae_linear", "devae_parallel")}


@pytest.mark.parametrize("method", MODELS)
def test_every_option_is_below(method):
    names = set(inspect.signature(MODELS[method].__init__).parameters)
    of_every_model = {"self", "encoder", "decoder", "likelihood", "seed", "kwargs"}
    assert names - of_every_model - REFUSED.get(method, set()) == set(CHANGES[method])


@pytest.mark.parametrize(
    ("method", "option"), [(method, option) for method in CHANGES for option in CHANGES[method]]
)
def test_every_option_changes_the_loss(tiny, blobs, squares, method, option):
    images, how = blobs(8), CHANGES[method][option]

    def loss(value):
        nonlocal images
        model = tiny(method, learning_rate=1e-2, **EAGER, **{**how.others, option: value})
        if MODEL_CATALOGUE[method].takes_pairs:
            images = model.training_batches(squares, batch_size=32).images(0)
        if how.epochs:
            model.fit(images, epochs=how.epochs, shuffle=False, verbose=0)
        model.steps.set(how.step)
        for name, state in how.state.items():
            getattr(model.controller, name).assign(state)
        outputs = model(images, training=True)
        terms = model.loss_terms(model.pixels(images), outputs, training=True)
        return float(ops.convert_to_numpy(terms.total))

    first, same, other = loss(how.value), loss(how.value), loss(how.other)
    assert same == pytest.approx(first, rel=1e-6)
    assert other != pytest.approx(first, rel=1e-5)


# Extremes.

WEIGHTLESS = {
    "ada_gvae": {"beta": 0},
    "annealed_vae": {"gamma": 0},
    "beta_tc_vae": {"alpha": 0, "beta": 0, "gamma": 0},
    "beta_vae": {"beta": 0},
    "cascade_vae": {"beta_min": 0, "beta_max": 0, "matching_stage": 0, "pairwise_cost": 0},
    "cascade_vae_c": {"beta_min": 0, "beta_max": 0},
    "control_vae": {"beta_min": 0, "proportional_gain": 0, "integral_gain": 0},
    "deft": {"betas": (0, 0)},
    "devae": {"betas": (0, 0), "objective": "summed"},
    "devae_linear": {"betas": (0, 0), "objective": "summed"},
    "devae_parallel": {"betas": (0, 0), "objective": "summed"},
    "devae_single": {"betas": (0, 0), "objective": "summed"},
    "dip_vae": {"lambda_od": 0, "lambda_d": 0},
    "dynamic_vae": {"beta_init": 0, "beta_min": 0, "proportional_gain": 0, "integral_gain": 0},
    "factor_vae": {"gamma": 0},
    "hf_vae": dict.fromkeys(LOSS_OPTIONS["hf_vae"], 0),
    "info_gan": {"contrastive": True, "information_weight": 0, "contrastive_weight": 0},
    "joint_vae": {"gamma": 0, "categorical_gamma": 0},
    "predictability_minimization": {"predictability_weight": 0},
    "qlae": {"quantization_weight": 0, "commitment_weight": 0},
    "ladder_vae": {"kl_warmup_steps": 100},
}
ONE_LAYER = {method: {"betas": (2,)} for method in ("deft", "devae_single", *LAYERED)}
MATCHING = {"cascade_vae": {"matching_stage": 0}}


def step_is_finite(model, images):
    if model.declaration.takes_pairs:
        images = np.stack([images, images[::-1]], axis=1)
    logs = model.fit(images, batch_size=len(images), verbose=0).history
    assert np.isfinite(list(logs.values())).all(), logs
    for weight in model.weights:
        assert np.isfinite(ops.convert_to_numpy(weight)).all(), weight.path
    return {name: values[0] for name, values in logs.items()}


@pytest.mark.parametrize("method", WEIGHTLESS)
def test_weights_of_zero(tiny, blobs, method):
    logs = step_is_finite(tiny(method, **EAGER, **WEIGHTLESS[method]), blobs(8))
    unweighted = {"dip_vae": "kl_loss", "factor_vae": "kl_loss", "info_gan": "generator_loss"}
    penalty = logs[unweighted[method]] if method in unweighted else 0
    # The weights of the two layers, or pressures, add up.
    summed = WEIGHTLESS[method].get("objective") == "summed"
    reconstruction = logs.get("reconstruction_loss", 0) * (2 if summed else 1)
    assert logs["loss"] == pytest.approx(reconstruction + penalty, rel=1e-5)


@pytest.mark.parametrize("method", TRAINED)
def test_one_latent_dimension_and_one_layer(tiny, blobs, method):
    options = {**ONE_LAYER.get(method, {}), **MATCHING.get(method, {})}
    step_is_finite(tiny(method, latent_dim=1, **EAGER, **options), blobs(8))


@pytest.mark.parametrize("method", TRAINED)
def test_batches_of_one(tiny, blobs, method):
    step_is_finite(tiny(method, **EAGER, **MATCHING.get(method, {})), blobs(1))


@pytest.mark.parametrize("method", [method for method in TRAINED if has_kl(method)])
def test_log_variances_of_50(tiny, blobs, method):
    # The merged posteriors of several layers are narrower than their priors.
    one_layer = {"layer_dims": (3,)} if method == "ladder_vae" else {}
    model = tiny(method, **EAGER, **one_layer, **MATCHING.get(method, {}))
    heads = [layer for layer in model.encoder.layers if layer.name.startswith("z_log_var")]
    signs = iter([1, -1] * 9)
    for bias in (layer.bias for layer in heads if layer.weights):
        bias.assign([50 * next(signs) for _ in range(bias.shape[0])])
    log_var = model.bounded(model.encoder(model.pixels(blobs(8))))[1]
    log_var = ops.convert_to_numpy(log_var)
    assert {log_var.min(), log_var.max()} == {-20, 20}
    step_is_finite(model, blobs(8))
