"""The same weights give the same numbers on every backend.

`backend_parity.json` was written by a run of this same calculation on TensorFlow 2.21 (CPU).
"""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_devae.losses import GaussianLikelihood
from keras_devae.models import MODELS

pytestmark = pytest.mark.backends

EXPECTED = Path(__file__).parent / "backend_parity.json"
OPTIONS = {
    "vae": {"likelihood": "gaussian"},
    "beta_vae": {"likelihood": GaussianLikelihood(0.5, output="linear")},
    "devae": {"layer_weight_base": 2.0},
}


def numbers(method):
    """Losses, codes and pixels of a model whose weights follow from NumPy alone."""
    rng = np.random.default_rng(5)
    model = MODELS[method].for_images((32, 32, 3), latent_dim=3, **OPTIONS[method])
    for weight in model.weights:
        fan_in = max(int(np.prod(weight.shape[:-1])), 1)
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(fan_in))
    images = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    model.compile()
    layer = model.num_layers - 1
    return {
        "losses": model.evaluate(images, batch_size=2, verbose=0, return_dict=True),
        "codes": model.encode(images, layer=None).tolist(),
        "pixels": model.decode(rng.normal(size=(2, 3)), layer)[:, ::13, ::13, 1].tolist(),
        "sample": float(model.sample(4, seed=1).sum()),
    }


@pytest.mark.parametrize("method", MODELS)
def test_numbers_of_every_backend(method):
    expected, got = json.loads(EXPECTED.read_text())[method], numbers(method)
    assert got["losses"] == pytest.approx(expected["losses"], rel=1e-4)
    assert got["sample"] == pytest.approx(expected["sample"], rel=1e-4)
    for name in ("codes", "pixels"):
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
