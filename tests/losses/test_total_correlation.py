"""The total correlation estimated by a discriminator, and permuted codes."""

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.losses import (
    density_ratio_total_correlation,
    discriminator_loss,
    permute_dimensions,
)

pytestmark = pytest.mark.backends


class Permuted(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, z):
        return permute_dimensions(z, self.seed_generator)

    def compute_output_shape(self, shape):
        return shape


def test_permutation_compiled_with_a_smaller_last_batch():
    z = np.random.default_rng(0).normal(size=(9, 3)).astype("float32")
    inputs = keras.Input((3,))
    permuted = keras.Model(inputs, Permuted()(inputs)).predict(z, batch_size=4, verbose=0)
    for rows in (slice(0, 4), slice(4, 8), slice(8, 9)):
        np.testing.assert_array_equal(np.sort(permuted[rows], 0), np.sort(z[rows], 0))


def test_float16_codes_and_logits_give_float32():
    permuted = permute_dimensions(np.ones((4, 5), "float16"), 0)
    assert keras.backend.standardize_dtype(permuted.dtype) == "float32"
    # The difference, 120,000, lies beyond float16's largest number, 65,504.
    logits = np.array([[60_000, -60_000]], "float16")
    assert float(density_ratio_total_correlation(logits)) == pytest.approx(120_000, rel=1e-3)
    assert float(discriminator_loss(-logits, logits)) == pytest.approx(120_000, rel=1e-3)


def test_permutation_keeps_the_marginals(oracle):
    batch = oracle("latent_batch")
    got = ops.convert_to_numpy(permute_dimensions(batch["z"], 0))
    assert (got != np.asarray(batch["z"], "float32")).any()
    np.testing.assert_array_equal(np.sort(got, 0), np.sort(np.float32(batch["z_perm"]), 0))


def test_permutation_breaks_correlation():
    shared, own = np.random.default_rng(0).normal(size=(2, 5000, 3))
    z = shared[:, :1] + 0.2 * own
    assert np.corrcoef(z.T)[np.triu_indices(3, 1)].min() > 0.9
    permuted = ops.convert_to_numpy(permute_dimensions(z, keras.random.SeedGenerator(1)))
    # The standard deviation of a correlation of 5,000 independent rows is 0.014.
    assert np.abs(np.corrcoef(permuted.T)[np.triu_indices(3, 1)]).max() < 0.06
    # Nor may rows stay where they are.
    assert max(abs(np.corrcoef(z[:, d], permuted[:, d])[0, 1]) for d in range(3)) < 0.06


def test_permutations_of_columns_are_uniform_and_independent():
    z = np.tile(np.arange(3.0)[:, None], (1, 1200))
    columns = ops.convert_to_numpy(permute_dimensions(z, 3)).T.astype(int)
    for permutation in itertools.permutations(range(3)):
        # 200 are expected, with a standard deviation of 13.
        assert 148 < (columns == permutation).all(1).sum() < 252


def test_permutation_follows_its_seed():
    z = np.random.default_rng(0).normal(size=(50, 4))
    generator = keras.random.SeedGenerator(0)
    first, second, same, again = (
        ops.convert_to_numpy(permute_dimensions(z, seed)) for seed in (generator, generator, 7, 7)
    )
    assert (first != second).any()
    np.testing.assert_array_equal(same, again)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(permute_dimensions(z[:1], 0)), z[:1].astype("float32")
    )


def test_discriminator_terms_of_another_implementation(oracle):
    batch = oracle("latent_batch")
    expected = batch["factor_vae"]
    estimate = float(density_ratio_total_correlation(batch["logits"]))
    assert estimate == pytest.approx(expected["total_correlation"], rel=1e-6)
    assert batch["kl_total"] + expected["gamma"] * estimate == pytest.approx(
        expected["kl_plus_gamma_total_correlation"], rel=1e-6
    )
    loss = float(discriminator_loss(batch["logits"], batch["permuted_logits"]))
    assert loss == pytest.approx(expected["discriminator_loss"], rel=1e-6)


def test_discriminator_loss_of_certain_and_undecided_discriminators():
    joint, permuted = np.tile([1e4, -1e4], (3, 1)), np.tile([-1e4, 1e4], (5, 1))
    assert float(discriminator_loss(joint, permuted)) == 0
    assert float(discriminator_loss(permuted, joint)) == pytest.approx(2e4)
    assert float(discriminator_loss(np.zeros((3, 2)), np.ones((3, 2)))) == pytest.approx(
        math.log(2), rel=1e-6
    )
