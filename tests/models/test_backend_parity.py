"""The same weights give the same numbers on every backend.

`backend_parity.json` holds the numbers of TensorFlow 2.21 on a CPU. From the top of the repository,

    KERAS_BACKEND=tensorflow CUDA_VISIBLE_DEVICES= python tests/models/test_backend_parity.py

writes it anew. Do so only where a model has changed on purpose.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_devae.losses import GaussianLikelihood
from keras_devae.models import MODELS

pytestmark = pytest.mark.backends

EXPECTED = Path(__file__).parent / "backend_parity.json"
#: Case -> options, with the step of the training at which the losses are taken. Cases are models,
#: but for what follows the dot.
CASES = {
    "ada_gvae": {"beta": 2},
    "annealed_vae": {"step": 5, "capacity_steps": 10},
    "beta_tc_vae": {"dataset_size": 100},
    "beta_tc_vae.stratified": {"dataset_size": 100, "estimator": "stratified"},
    "beta_vae": {"likelihood": GaussianLikelihood(0.5, output="linear")},
    # Backends draw other random numbers.
    "byol": {"augmentation_strength": 0},
    "cascade_vae": {"step": 2, "stage_steps": 2, "matching_stage": 2},
    "cascade_vae.matching": {"step": 4, "stage_steps": 2, "matching_stage": 2},
    "cascade_vae_c": {"step": 3, "stage_steps": 2},
    "control_vae": {"step": 5, "kl_target_steps": 10},
    "deft": {"step": 5, "stage_steps": 4},
    "devae": {"layer_weight_base": 2.0},
    "devae_linear": {"objective": "summed", "layer_weight_base": 0.5},
    "devae_parallel": {},
    "devae_single": {"layer_weight_base": 2.0},
    "dip_vae": {},
    "dip_vae.ii": {"kind": "ii"},
    "dynamic_vae": {"step": 5, "kl_target_steps": 10},
    "factor_vae": {"discriminator_units": (20, 20)},
    "flow_vae": {"num_flows": 3},
    "flow_vae.iaf": {"flow": "iaf", "flow_units": (8, 8)},
    "hf_vae": {"dataset_size": 100, "between_group_weight": 3.0},
    "ica": {},
    "info_gan": {"step": 5, "contrastive": True, "contrastive_start": 5},
    "joint_vae": {"step": 5, "capacity_steps": 10},
    "ladder_vae": {"step": 5, "kl_warmup_steps": 10},
    "pca": {},
    "predictability_minimization": {"predictor_units": (20,)},
    "qlae": {"num_values": 4},
    "vae": {"likelihood": "gaussian"},
}


def numbers(case):
    """Losses, codes and pixels of a model whose weights follow from NumPy alone."""
    rng = np.random.default_rng(5)
    options = dict(CASES[case])
    step = options.pop("step", 0)
    method = case.split(".")[0]
    model = MODELS[method].for_images((32, 32, 3), latent_dim=3, **options)
    # What the model learns, and the networks of PCA and ICA, which are fitted.
    learned = {id(weight) for weight in model.trainable_variables}
    learned |= {id(weight) for network in model.networks for weight in network.weights}
    for weight in model.weights:
        if id(weight) in learned and weight.name not in ("moving_mean", "moving_variance"):
            # Kernels that keep the images apart, and small biases.
            fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 200
            weight.assign(rng.normal(size=weight.shape) * np.sqrt(2 / fan_in))
    model.note_initial_weights()
    # Mosaics, which differ enough from one another for the codes to differ.
    images = rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    model.compile()
    model.steps.set(step)
    layer = model.num_layers - 1
    losses = model.evaluate(images, batch_size=2, verbose=0, return_dict=True)
    # Random numbers come from a generator, and every backend has one of its own: those of the
    # discriminator's samples, and of the codes of all images that InfoGAN looks at.
    random = ("loss", "generator_loss", "information_loss", "contrastive_loss")
    for name in ("discriminator_loss", *(random if method == "info_gan" else ())):
        losses.pop(name, None)
    categories = model.category_probabilities(images).tolist() if model.num_categories else []
    found = {
        "losses": losses,
        "codes": model.encode(images, layer=None).tolist(),
        "categories": categories,
    }
    if model.decoder is None:
        return found
    return {
        **found,
        "pixels": model.decode(rng.normal(size=(2, 3)), layer)[:, ::13, ::13, 1].tolist(),
        "sample": float(model.sample(4, seed=1).sum()),
    }


def test_every_model_is_here():
    assert {case.split(".")[0] for case in CASES} == set(MODELS)
    assert set(json.loads(EXPECTED.read_text())) == set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_numbers_of_every_backend(case):
    expected, got = json.loads(EXPECTED.read_text())[case], numbers(case)
    # Divergences that nearly vanish are small differences of larger numbers.
    assert got["losses"] == pytest.approx(expected["losses"], rel=1e-4, abs=1e-5)
    assert got.keys() == expected.keys()
    if "sample" in expected:
        assert got["sample"] == pytest.approx(expected["sample"], rel=1e-4)
    for name in {"codes", "pixels"} & got.keys():
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    # Those of CascadeVAE follow from costs of 2,000 nats, which float32 resolves to 2e-4.
    np.testing.assert_allclose(got["categories"], expected["categories"], atol=3e-4)


if __name__ == "__main__":
    lines = [f"{json.dumps(case)}: {json.dumps(numbers(case))}" for case in CASES]
    EXPECTED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
