"""`keras.utils.set_random_seed` determines everything that is given no seed."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.models import MODELS
from keras_devae.process.randomness import random_generator

pytestmark = pytest.mark.backends

SMALL = {"factor_vae": {"discriminator_units": (8,)}}


def trained(method, seed, images):
    keras.utils.set_random_seed(seed)
    model = MODELS[method].for_images(
        (8, 8, 1), 3, network=None if method in ("pca", "ica") else "mlp", **SMALL.get(method, {})
    )
    before = [ops.convert_to_numpy(weight).copy() for weight in model.weights]
    eager = {} if keras.backend.backend() == "jax" else {"run_eagerly": True}
    model.compile("adam", **eager)
    history = model.fit(images, batch_size=4, verbose=0).history
    drawn = [model.sample(2), model.encode(images, sample=True)]
    return before, [*history.values(), *drawn]


@pytest.mark.parametrize(
    "method", ["cascade_vae", "deft", "devae", "devae_single", "factor_vae", "ica", "joint_vae"]
)
def test_two_models_built_after_it_are_equal(blobs, method):
    images = blobs(12)
    (weights, results), (again, repeated), (others, differing) = (
        trained(method, seed, images) for seed in (0, 0, 1)
    )
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(results, repeated, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    if method != "ica":
        assert any((one != other).any() for one, other in zip(weights, others, strict=True))
    assert (results[-1] != differing[-1]).any()


@pytest.mark.parametrize(
    "name",
    [
        "mlp_encoder",
        "convolutional_encoder",
        "mlp_decoder",
        "convolutional_decoder",
        "discriminator",
    ],
)
def test_networks(name):
    def build(seed):
        keras.utils.set_random_seed(seed)
        make = getattr(kd.networks, name)
        arguments = {"encoder": ((32, 32, 1), 2), "decoder": (2, (32, 32, 1))}.get(
            name.rpartition("_")[2], (2,)
        )
        return np.concatenate([ops.convert_to_numpy(w).ravel() for w in make(*arguments).weights])

    np.testing.assert_array_equal(build(0), build(0))
    assert (build(0) != build(1)).any()


@pytest.mark.parametrize("make", [kd.layers.RandomState, kd.layers.GaussianSampling])
def test_layers(make):
    states = []
    for seed in (0, 0, 1):
        keras.utils.set_random_seed(seed)
        states.append(ops.convert_to_numpy(make().seed_generator.state).tolist())
    assert states[0] == states[1] != states[2]


def test_one_draw_differs_from_the_next():
    keras.utils.set_random_seed(0)
    first, second = (random_generator().random(4) for _ in range(2))
    assert (first != second).all()
    np.testing.assert_array_equal(random_generator(7).random(4), np.random.default_rng(7).random(4))


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", True, [1]])
def test_what_is_no_seed(tiny, blobs, seed):
    model = tiny("joint_vae")
    calls = [
        lambda: kd.VAE.for_images((8, 8, 1), 2, "mlp", seed=seed),
        lambda: kd.DeVAE(model.encoder, model.decoder, seed=seed),
        lambda: kd.PCA.for_images((8, 8, 1), 2, seed=seed),
        lambda: kd.networks.mlp_encoder((8, 8, 1), 2, seed=seed),
        lambda: kd.layers.GaussianSampling(seed=seed),
        lambda: kd.layers.LayerEmbedding(2, seed=seed),
        lambda: model.sample(2, seed=seed),
        lambda: model.encode(blobs(2), sample=True, seed=seed),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="`seed` must be a whole number from 0"):
            call()
