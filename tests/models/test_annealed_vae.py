"""AnnealedVAE: the capacity grows with the steps, and the mean divergence follows it."""

import numpy as np
import pytest

pytestmark = pytest.mark.backends


def test_regularizer_of_other_code(schedule_oracle, tiny, penalty_of):
    for row in schedule_oracle("schedules")["annealed_vae_regularizer"]:
        model = tiny(
            "annealed_vae",
            gamma=row["gamma"],
            capacity_max=row["c_max"],
            capacity_steps=row["iteration_threshold"],
        )
        model.steps.set(row["step"])
        terms, penalty = penalty_of(model, [row["kl"]] * 2)
        assert penalty == pytest.approx(row["regularizer"], rel=1e-4)
        assert float(terms.total_kl) == pytest.approx(row["kl"], rel=1e-5)


def test_distance_is_that_of_the_mean_divergence(tiny, penalty_of):
    model = tiny("annealed_vae", gamma=10, capacity_max=3, capacity_steps=1)
    model.steps.set(5)
    # The mean of the distances would be 2.
    assert penalty_of(model, [1, 5])[1] == pytest.approx(0, abs=1e-4)
    assert penalty_of(model, [1, 3])[1] == pytest.approx(10, rel=1e-4)
    assert penalty_of(model, [5, 7])[1] == pytest.approx(30, rel=1e-4)


def test_capacity_rises_during_training(tiny, blobs):
    model, images = tiny("annealed_vae", capacity_max=12, capacity_steps=30), blobs(40)
    history = model.fit(
        images, batch_size=4, epochs=4, validation_data=images[:4], verbose=0
    ).history
    # The last of 10 steps an epoch, of which the first is step 0; then the end is reached.
    np.testing.assert_allclose(
        history["capacity"], [12 * 9 / 30, 12 * 19 / 30, 12 * 29 / 30, 12], rtol=1e-5
    )
    np.testing.assert_allclose(history["val_capacity"], [4, 8, 12, 12], rtol=1e-5)


def test_loss_is_what_is_shown(tiny, blobs):
    model = tiny("annealed_vae", gamma=7, capacity_max=12, capacity_steps=10)
    model.steps.set(5)
    logs = model.evaluate(blobs(6), verbose=0, return_dict=True)
    assert logs["capacity"] == 6
    assert logs["capacity_loss"] == pytest.approx(abs(logs["kl_loss"] - 6), rel=1e-5)
    assert logs["loss"] == pytest.approx(
        logs["reconstruction_loss"] + 7 * logs["capacity_loss"], rel=1e-5
    )


def test_training_follows_the_capacity(tiny, blobs):
    model = tiny("annealed_vae", learning_rate=1e-2, capacity_max=4, capacity_steps=1)
    model.fit(blobs(640), batch_size=32, epochs=12, verbose=0)
    kl = model.evaluate(blobs(32), verbose=0, return_dict=True)["kl_loss"]
    # Adam circles round the target: over seeds and backends the KL ends between 3.7 and 4.4.
    assert kl == pytest.approx(4, abs=1)
