"""ControlVAE and DynamicVAE: the controller inside the model."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError

pytestmark = pytest.mark.backends

METHODS = ("control_vae", "dynamic_vae")


def state(model):
    return {v.name: np.array(ops.convert_to_numpy(v)) for v in model.controller.variables}


def assert_equal_states(one, other):
    assert set(one) == set(other)
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


@pytest.mark.parametrize(
    ("method", "kind", "name"),
    [
        ("control_vae", "position", "controlvae_P_PID_disentangling"),
        ("control_vae", "position", "controlvae_erow_large_gains"),
        ("dynamic_vae", "incremental", "dynamicvae_IPID_2D-sprites"),
        ("dynamic_vae", "incremental", "dynamicvae_IPID_large_gains"),
        ("dynamic_vae", "incremental", "dynamicvae_solver_2D-sprites"),
    ],
)
def test_published_trajectories(schedule_oracle, tiny, penalty_of, method, kind, name):
    values = schedule_oracle("controllers")
    case = values[kind][name]
    arguments = ("proportional_gain", "integral_gain", "beta_init", "window")
    options = {key: case[key] for key in arguments if key in case}
    first_step = 0
    if "step_iteration" in case:
        first_step = case["step_iteration"]
        options.update(
            kl_target=case["C"],
            kl_target_start=case["init_C"],
            kl_target_steps=case["total_steps"],
            kl_target_stairs=case["total_steps"] // first_step,
        )
    else:
        options.update(kl_target=case["target"], kl_target_start=case["target"])
    model = tiny(method, reference_compat=True, **options)
    expected = np.array(case["beta"])
    betas = []
    for step, kl in enumerate(values["kl"]):
        model.steps.set(first_step + step)
        terms, penalty = penalty_of(model, [kl, kl])
        betas.append(float(terms.state["beta"]))
        assert penalty == pytest.approx(betas[-1] * kl, rel=1e-4, abs=1e-3)
    # The divergences go through a square root and a square in float32.
    np.testing.assert_allclose(betas, expected, rtol=0, atol=2e-5 * expected.max())


@pytest.mark.parametrize("method", METHODS)
def test_beta_rises_above_the_target_and_falls_below(tiny, blobs, method):
    options = {"kl_target_start": 0.0, "integral_gain": 0.01}
    if method == "dynamic_vae":
        options["beta_init"] = 5.0
    # With a learning rate of 0 the divergence stays where it is, above 0 and below 1000.
    model = tiny(method, learning_rate=0.0, kl_target=0.0, **options)
    history = model.fit(blobs(12), batch_size=4, epochs=3, verbose=0).history
    rising = history["beta"]
    assert rising[0] < rising[1] < rising[2]
    assert rising[-1] == float(ops.convert_to_numpy(model.controller.beta))
    assert history["kl_target"] == [0, 0, 0]

    model = tiny(
        method, learning_rate=0.0, **{**options, "kl_target": 1000.0, "kl_target_start": 1000.0}
    )
    if method == "control_vae":
        # This one starts at its lower limit.
        for name, value in (("integral", 200.0), ("stored", 201.0), ("beta", 201.0)):
            getattr(model.controller, name).assign(value)
    else:
        for name in ("stored", "beta"):
            getattr(model.controller, name).assign(200.0)
    falling = model.fit(blobs(12), batch_size=4, epochs=3, verbose=0).history["beta"]
    # An error of a thousand, a gain of a hundredth and three steps an epoch.
    assert falling[0] > falling[1] + 20 > falling[2] + 40
    assert falling[-1] == float(ops.convert_to_numpy(model.controller.beta))


@pytest.mark.parametrize("method", METHODS)
def test_set_point_climbs_in_stairs(tiny, blobs, method):
    model = tiny(method, kl_target=6.0, kl_target_start=2.0, kl_target_steps=8, kl_target_stairs=2)
    history = model.fit(blobs(8), batch_size=4, epochs=6, verbose=0).history
    assert history["kl_target"] == [2, 2, 4, 4, 6, 6]


@pytest.mark.parametrize("method", METHODS)
def test_set_point_rests_between_ramps(tiny, blobs, method):
    options = {"kl_target_steps": 8, "kl_target_stairs": 2, "kl_target_rest": 0.5}
    model = tiny(method, kl_target=6.0, kl_target_start=2.0, **options)
    history = model.fit(blobs(4), batch_size=4, epochs=10, verbose=0).history
    assert history["kl_target"] == [2, 2, 2, 3, 4, 4, 4, 5, 6, 6]


@pytest.mark.parametrize("method", METHODS)
def test_beta_starts_where_it_is_told_and_stays_within_its_limits(tiny, blobs, method):
    """A KL divergence above the target lets beta rise at once by some hundreds."""
    options = {"kl_target": 0.0, "kl_target_start": 0.0, "integral_gain": 1e4}
    model = tiny(method, beta_init=7.0, beta_max=30.0, **options)
    assert model.evaluate(blobs(4), verbose=0, return_dict=True)["beta"] == 7
    assert model.fit(blobs(4), epochs=2, verbose=0).history["beta"] == [30, 30]
    far = tiny(method, beta_init=7.0, **options).fit(blobs(4), epochs=1, verbose=0)
    assert far.history["beta"][0] > 30


@pytest.mark.parametrize("method", METHODS)
def test_beta_moves_on_from_where_it_starts(tiny, blobs, method):
    """At a learning rate and gains of 0 it has no reason to leave."""
    still = {"proportional_gain": 0.0, "integral_gain": 0.0, "learning_rate": 0.0}
    model = tiny(method, beta_init=7.0, **still)
    assert model.fit(blobs(8), batch_size=4, epochs=2, verbose=0).history["beta"] == [7, 7]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "options",
    [
        {"beta_init": 7.0, "beta_max": 30.0, "beta_min": 2.0},
        {"kl_target_stairs": 3, "kl_target_rest": 0.25},
    ],
)
def test_limits_and_rests_go_through_the_configuration(tiny, method, options):
    config = tiny(method, **options).get_config()
    assert options.items() <= config.items()
    again = type(tiny(method)).from_config(config)
    assert again.get_config() == config
    assert {n: again.controller.get_config().get(n, v) for n, v in options.items()} == options


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta_max": 0.05}, "`beta_max` must be above `beta_min`"),
        ({"beta_max": float("nan")}, "`beta_max` must be a finite number"),
        ({"beta_init": 0.01}, "`beta_init` must be a finite number of at least"),
        ({"beta_init": 40.0, "beta_max": 30.0}, "`beta_init` must be at most `beta_max`"),
        ({"kl_target_rest": 0.5}, "`rest` must be a part of each of the `stairs`"),
        ({"kl_target_stairs": 2, "kl_target_rest": 2.0}, "`rest` must be a part"),
    ],
)
def test_limits_and_rests_out_of_range_are_refused(tiny, method, options, message):
    with pytest.raises(UsageError, match=message):
        tiny(method, **options)


@pytest.mark.parametrize("method", METHODS)
def test_controller_moves_in_training_only(tiny, blobs, method):
    model = tiny(method, kl_target=0.0, kl_target_start=0.0)
    before = state(model)
    model.fit(blobs(4), verbose=0)
    trained = state(model)
    assert not np.array_equal(trained["beta"], before["beta"])
    logs = model.evaluate(blobs(8), verbose=0, return_dict=True)
    model.predict(blobs(8), verbose=0)
    model(blobs(4), training=True)
    model.reconstruct(blobs(4))
    assert_equal_states(state(model), trained)
    assert logs["beta"] == float(trained["beta"])
    assert logs["loss"] == pytest.approx(
        logs["reconstruction_loss"] + logs["beta"] * logs["kl_loss"], rel=1e-5
    )


@pytest.mark.parametrize("method", METHODS)
def test_controller_survives_saving(tiny, blobs, tmp_path, method):
    images = blobs(12)
    model = tiny(method, kl_target=0.1, kl_target_start=0.0, kl_target_steps=20)
    model.fit(images, batch_size=4, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert_equal_states(state(loaded), state(model))
    assert any(not np.array_equal(v, state(tiny(method))[k]) for k, v in state(model).items())
    going_on, resumed = (
        m.fit(images, batch_size=4, epochs=2, shuffle=False, verbose=0).history
        for m in (model, loaded)
    )
    for name, losses in going_on.items():
        np.testing.assert_allclose(resumed[name], losses, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("method", "published"),
    [
        ("control_vae", {"kl_target": 18, "proportional_gain": 0.01, "integral_gain": 0.001}),
        ("dynamic_vae", {"beta_init": 150, "proportional_gain": 0.01, "integral_gain": 0.001}),
    ],
)
def test_published_settings_are_the_defaults(tiny, method, published):
    config = tiny(method).get_config()
    assert {name: config[name] for name in published} == published
