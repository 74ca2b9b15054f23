"""CascadeVAE and its continuous part: dimensions released in stages, categories by matching."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae import CascadeVAE
from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends


def numpy_bernoulli(pixels, means):
    p = np.clip(means.astype("float64"), 1e-12, 1 - 1e-12)
    return -(pixels * np.log(p) + (1 - pixels) * np.log(1 - p)).sum((-3, -2, -1))


def costs_of(model, images, z):
    """Reconstruction costs `(batch, categories)` by the decoder and NumPy."""
    columns = []
    for one_hot in np.eye(model.num_categories, dtype="float32"):
        inputs = np.concatenate([z, np.tile(one_hot, (len(z), 1))], axis=1)
        logits = model.decoder.predict(inputs, verbose=0).astype("float64")
        columns.append(numpy_bernoulli(images / 255.0, 1 / (1 + np.exp(-logits))))
    return np.stack(columns, axis=1)


def matching(tiny, **options):
    """A model in its matching stage, whose categories suit different images."""
    model = tiny("cascade_vae", **options)
    rng = np.random.default_rng(0)
    for layer in model.decoder.layers:
        for weight in layer.weights:
            weight.assign(rng.normal(scale=0.5, size=weight.shape))
    model.steps.set(model.stage_steps * model.matching_stage)
    return model


def draw(model, images):
    """What a training step computes, NumPy arrays."""
    outputs = model(images, training=True)
    return {name: np.array(ops.convert_to_numpy(value)) for name, value in outputs.items()}


# The continuous part.


@pytest.mark.parametrize("latent_dim", [5, 10])
def test_pressures_of_other_code(schedule_oracle, tiny, penalty_of, latent_dim):
    rows = [
        row
        for row in schedule_oracle("schedules")["cascade_vae_c"]
        if row["num_latent"] == latent_dim
    ]
    assert rows
    (options,) = {(row["beta_min"], row["beta_max"], row["stage_steps"]) for row in rows}
    model = tiny(
        "cascade_vae_c",
        latent_dim=latent_dim,
        **dict(zip(("beta_min", "beta_max", "stage_steps"), options, strict=True)),
    )
    divergences = np.random.default_rng(0).uniform(0.5, 2, (3, latent_dim))
    for row in rows:
        model.steps.set(row["step"])
        terms, penalty = penalty_of(model, divergences)
        expected = divergences.mean(0) @ np.array(row["beta_per_latent"])
        assert penalty == pytest.approx(expected, rel=1e-5)
        assert int(terms.state["stage"]) == row["beta_per_latent"].count(row["beta_min"]) - 1


@pytest.mark.parametrize("method", ["cascade_vae", "cascade_vae_c"])
def test_stages_of_a_training(tiny, blobs, method):
    model = tiny(method, latent_dim=2, stage_steps=2)
    history = model.fit(blobs(8), batch_size=4, epochs=4, verbose=0).history
    # Two dimensions make two stages; with categories one is matched before the second is released.
    assert history["stage"] == ([0, 1, 2, 2] if method == "cascade_vae" else [0, 1, 1, 1])


# The whole.


def test_release_is_put_off_by_the_matching_stage(tiny, penalty_of):
    """As in the authors' code, whose dimensions are released at the stages 0 to 3, 5, 6, ..."""
    model = tiny("cascade_vae", latent_dim=4, stage_steps=10, matching_stage=2, beta_max=8)
    divergences = np.random.default_rng(0).uniform(0.5, 2, (3, 4))
    for stage, released in enumerate([1, 2, 2, 3, 4, 4, 4]):
        for step in (10 * stage, 10 * stage + 9):
            model.steps.set(step)
            betas = [1] * released + [8] * (4 - released)
            _, penalty = penalty_of(model, divergences)
            assert penalty == pytest.approx(divergences.mean(0) @ betas, rel=1e-5), stage


def test_no_category_before_the_matching_stage(tiny, blobs):
    model, images = tiny("cascade_vae", stage_steps=3, matching_stage=2), blobs(5)
    for step, matches in ((0, False), (5, False), (6, True), (1000, True)):
        model.steps.set(step)
        for training in (True, False):
            category = ops.convert_to_numpy(model(images, training=training)["category"])
            assert category.shape == (5, 3)
            assert set(np.unique(category)) <= {0.0, 1.0}
            np.testing.assert_array_equal(category.sum(1), matches)
        np.testing.assert_allclose(
            model.category_probabilities(images).std(1) > 0, matches, err_msg=str(step)
        )


@pytest.mark.parametrize("pairwise_cost", [0, 0.5, 3, 1e5])
def test_categories_are_the_best_of_all(tiny, blobs, pairwise_cost):
    model, images = matching(tiny, pairwise_cost=pairwise_cost), blobs(6)
    outputs = draw(model, images)
    costs = costs_of(model, images, outputs["z"])

    def total(categories):
        pairs = sum(a == b for a, b in itertools.combinations(categories, 2))
        return costs[np.arange(6), list(categories)].sum() + pairwise_cost * pairs

    best = min(map(total, itertools.product(range(3), repeat=6)))
    assert total(outputs["category"].argmax(1)) == pytest.approx(best, rel=1e-5)
    if pairwise_cost == 0:
        np.testing.assert_array_equal(outputs["category"].argmax(1), costs.argmin(1))


def test_a_large_pairwise_cost_balances_a_batch(tiny, blobs):
    model, images = matching(tiny, pairwise_cost=1e5), blobs(12)
    np.testing.assert_array_equal(draw(model, images)["category"].sum(0), [4, 4, 4])


def test_gradient_is_that_of_fixed_categories(tiny, blobs):
    images = blobs(6)
    category = draw(matching(tiny), images)["category"]
    assert len(np.unique(category, axis=0)) > 1
    weights = []
    for fixed in (False, True):
        model = matching(tiny)
        if fixed:
            model._category = lambda *arguments: ops.convert_to_tensor(category)
        before = [w.copy() for w in model.get_weights()]
        model.compile(keras.optimizers.SGD(1e-3))
        model.train_on_batch(images)
        weights.append([np.array(w) for w in model.get_weights()])
        assert any(not np.array_equal(*pair) for pair in zip(before, weights[-1], strict=True))
    for got, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.thorough
def test_training_through_the_stages_with_a_smaller_last_batch(tiny, blobs):
    model, images = tiny("cascade_vae", learning_rate=1e-2), blobs(10)
    history = model.fit(images, batch_size=4, epochs=20, validation_data=images, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert history["stage"][0] == 1 and history["stage"][-1] == 3
    assert history["val_reconstruction_loss"][-1] < history["val_reconstruction_loss"][0]
    kernel = model.decoder.layers[1].kernel
    # The rows of the categories are trained too, once they are in use.
    untrained = tiny("cascade_vae").decoder.layers[1].kernel
    assert (ops.convert_to_numpy(kernel)[3:] != ops.convert_to_numpy(untrained)[3:]).any()


def test_probabilities_are_those_of_the_costs(tiny, blobs):
    model, images = matching(tiny), blobs(7)
    means = model.encode(images)
    costs = costs_of(model, images, means)
    weights = np.exp(costs.min(1, keepdims=True) - costs)
    got = model.category_probabilities(images, batch_size=3)
    assert got.shape == (7, 3) and got.dtype == np.float32
    np.testing.assert_allclose(got, weights / weights.sum(1, keepdims=True), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(got.sum(1), 1, rtol=1e-6)
    # The category that is chosen reconstructs best of all.
    chosen = model.encode_categories(images)
    errors = [
        numpy_bernoulli(images / 255.0, model.decode(means, categories=np.full(7, k)))
        for k in range(3)
    ]
    np.testing.assert_array_equal(chosen, np.argmin(errors, axis=0))
    reconstructed = numpy_bernoulli(images / 255.0, model.reconstruct(images))
    np.testing.assert_allclose(reconstructed, np.min(errors, axis=0), rtol=1e-5)


def test_probabilities_of_no_images(tiny, blobs):
    assert matching(tiny).category_probabilities(blobs(1)[:0]).shape == (0, 3)


def test_decode_takes_categories(tiny):
    model = matching(tiny)
    z = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    images = [model.decode(z, categories=np.full(4, k)) for k in range(3)]
    assert all(np.abs(a - b).max() > 1e-3 for a, b in itertools.combinations(images, 2))
    mixed = model.decode(z, categories=[2, 0, 1, 1])
    for row, category in enumerate([2, 0, 1, 1]):
        np.testing.assert_allclose(mixed[row], images[category][row], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.decode(z), images[0])
    # Before the matching stage the decoder knows no categories.
    model.steps.set(0)
    np.testing.assert_array_equal(model.decode(z, categories=[2, 0, 1, 1]), model.decode(z))


@pytest.mark.parametrize("categories", [[0, 1], [0, 1, 3], [0, 1, -1], [0, 1, 0.5], [[0, 1, 2]]])
def test_categories_that_do_not_exist(tiny, categories):
    with pytest.raises(UsageError, match=r"Expected 3 categories from 0 to 2. Received: "):
        tiny("cascade_vae").decode(np.zeros((3, 3)), categories=categories)


def test_categories_as_whole_floats(tiny):
    model, z = matching(tiny), np.zeros((2, 3))
    np.testing.assert_array_equal(
        model.decode(z, categories=[2.0, 1.0]), model.decode(z, categories=[2, 1])
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a limit of TensorFlow")
def test_xla_is_refused(tiny):
    with pytest.raises(UsageError, match="Received: jit_compile=True"):
        tiny("cascade_vae", compile_options={"jit_compile": True})
    assert tiny("cascade_vae").jit_compile is False


def test_published_settings_are_the_defaults(tiny):
    networks = tiny("cascade_vae")
    config = CascadeVAE(networks.encoder, networks.decoder).get_config()
    assert (config["stage_steps"], config["matching_stage"]) == (20_000, 4)
    assert (config["beta_min"], config["beta_max"], config["pairwise_cost"]) == (1, 10, 0.001)
