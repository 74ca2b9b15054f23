import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.schedules import (
    IncrementalPIController,
    LinearSchedule,
    PositionPIController,
)

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()
CONTROLLERS = {"position": PositionPIController, "incremental": IncrementalPIController}

# Published trajectories, and the number of steps for which their controllers do as they should.
# Those that come to the lower limit agree there and until the published anti-windup keeps them from
# leaving it, although KL lies above the target.
POSITION = {
    "controlvae_P_PID_disentangling": 81,
    "controlvae_P_PID_target20": 120,
    "controlvae_P_PID_large_gains": 81,
    "controlvae_erow_defaults": 120,
    "controlvae_erow_large_gains": 120,
    "controlvae_erow_const_target": 81,
}
INCREMENTAL = {
    "dynamicvae_IPID_2D-sprites": 120,
    "dynamicvae_IPID_MNIST_final": 120,
    "dynamicvae_IPID_SmallNORB": 120,
    "dynamicvae_IPID_large_gains": 120,
    "dynamicvae_solver_2D-sprites": 120,
    "dynamicvae_IPID_SmallNORB_low_start": 78,
    "dynamicvae_IPID_SmallNORB_lockup": 79,
}
CASES = [("position", name) for name in POSITION] + [("incremental", name) for name in INCREMENTAL]


def make(kind, case, **options):
    arguments = ("proportional_gain", "integral_gain", "beta_init", "window")
    return CONTROLLERS[kind](**{k: case[k] for k in arguments if k in case}, **options)


def run(controller, kl, target):
    """Feeds a controller and returns its betas, float64 `(steps,)`."""
    kl, target = np.broadcast_arrays(np.asarray(kl, "float32"), np.asarray(target, "float32"))
    return np.array([float(controller.update(k, t)) for k, t in zip(kl, target, strict=True)])


def assert_follows(got, expected):
    # The state is float32 and is added to in every step: 120 roundings of up to 6e-8 of the largest
    # value, from a beta near 150 as from the one that came down from there.
    expected = np.asarray(expected)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_published_trajectories(schedule_oracle, kind, name):
    values = schedule_oracle("controllers")
    case = values[kind][name]
    steps = {**POSITION, **INCREMENTAL}[name]
    got = run(make(kind, case), values["kl"], case["target"])
    assert_follows(got[:steps], case["beta"][:steps])
    if steps < len(got):
        lowest = {"position": 1.0, "incremental": 0.1}[kind]
        assert min(case["beta"][:steps]) == lowest == pytest.approx(got[:steps].min())
        assert got[steps] > case["beta"][steps] + 1e-3


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_published_trajectories_with_their_lock_up(schedule_oracle, kind, name):
    values = schedule_oracle("controllers")
    case = values[kind][name]
    controller = make(kind, case, reference_compat=True)
    states = {"integral": [], "stored": []}
    betas = []
    for kl, target in zip(values["kl"], np.broadcast_to(case["target"], 120), strict=True):
        betas.append(float(controller.update(kl, target)))
        for state, trace in states.items():
            trace.append(float(getattr(controller, state, 0.0)))
    assert_follows(betas, case["beta"])
    for state, trace in states.items():
        if state in case:
            assert_follows(trace, case[state])


def test_mean_of_the_last_divergences(schedule_oracle):
    values = schedule_oracle("controllers")
    case = values["incremental"]["dynamicvae_solver_2D-sprites"]
    controller = make("incremental", case)
    for kl, mean in zip(values["kl"][:20], case["moving_average_kl"], strict=False):
        controller.update(kl, 0.5)
        assert float(ops.mean(controller.recent_kl)) == pytest.approx(mean, rel=1e-5)
        assert float(controller.previous_error) == pytest.approx(0.5 - mean, rel=1e-5)


def locking(kind, **options):
    if kind == "position":
        return PositionPIController(**options)
    return IncrementalPIController(0.01, 0.02, beta_init=5, window=1, **options)


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_leaves_the_lower_limit_where_the_published_rule_locks_up(kind):
    # Up for 20 steps, then 300 steps with too little KL, then three with too much.
    kl = [60] * 20 + [0] * 300 + [60] * 3
    lowest = {"position": 1.0, "incremental": 0.1}[kind]
    got = run(locking(kind), kl, 20)
    assert got[19] > lowest + 0.5
    assert got[319] == np.float32(lowest)
    # An error of -40: gain 0.001 or 0.02 times 40 a step, were it not for the one step of windup.
    per_step = {"position": 0.04, "incremental": 0.8}[kind]
    assert np.all(np.diff(got[319:]) > 0.4 * per_step)
    assert got[322] - lowest > 2 * per_step

    locked = run(locking(kind, reference_compat=True), kl + [60] * 100, 20)
    assert locked[19] == pytest.approx(got[19])
    assert set(locked[320:]) == {np.float32(lowest)}


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_leaves_the_upper_limit(kind):
    highest = {"position": 1.5, "incremental": 6.0}[kind]
    got = run(locking(kind, beta_max=highest), [60] * 100 + [0] * 3, 20)
    # As long as KL is too large beta stays there; 80 steps of windup would take 160 to undo.
    assert set(got[60:100]) == {highest}
    assert np.all(np.diff(got[100:]) < 0)
    assert got[102] < highest - 0.01


def test_waits_at_the_lower_limit_at_the_start():
    # A new model's KL is far below any target; the published controller is locked by it.
    kl = [0.1] * 50 + [60] * 3
    assert run(PositionPIController(), kl, 20)[-1] == pytest.approx(1.13, abs=1e-3)
    assert run(PositionPIController(reference_compat=True), kl, 20)[-1] == 1


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_beta_rises_above_the_target_and_falls_below(kind):
    for kl, sign in ((21, 1), (19, -1)):
        options = {} if kind == "position" else {"window": 1}
        controller = CONTROLLERS[kind](**options)
        run(controller, [21] * 100, 20)
        before = float(controller.beta)
        assert sign * (run(controller, [kl] * 5, 20)[-1] - before) > 0
        assert float(controller.beta) != before


@pytest.mark.parametrize("jit_compile", [False] if BACKEND == "torch" else [False, True])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("position", "controlvae_erow_large_gains"),
        ("incremental", "dynamicvae_IPID_large_gains"),
        ("incremental", "dynamicvae_solver_2D-sprites"),
    ],
)
def test_published_trajectories_in_compiled_steps(
    schedule_oracle, driven_model, kind, name, jit_compile
):
    values = schedule_oracle("controllers")
    case = values[kind][name]
    target, shift = case["target"], 0
    if kind == "position":
        # The target moves at steps 50 and 100, so a step frozen by the compiler would show.
        shift = case["step_iteration"]
        stairs = case["total_steps"] // shift
        target = LinearSchedule(case["init_C"], case["C"], case["total_steps"], stairs=stairs)
    kl = np.asarray(values["kl"], "float32")[:, None]

    model = driven_model(make(kind, case), target, shift)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=jit_compile)
    got = []
    for row in kl:
        model.train_on_batch(row[None])
        got.append(float(model.controller.beta))
    assert_follows(got, case["beta"])

    model = driven_model(make(kind, case), target, shift)
    steps = 1 if BACKEND == "torch" else 8
    model.compile(keras.optimizers.SGD(0.0), jit_compile=jit_compile, steps_per_execution=steps)
    model.fit(kl, batch_size=1, shuffle=False, verbose=0)
    assert int(model.counter.step) == 120
    assert_follows(float(model.controller.beta), case["beta"][-1])


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_beta_is_a_constant_to_the_gradient(driven_model, kind):
    options = {} if kind == "position" else {"beta_init": 5, "window": 1}
    model = driven_model(CONTROLLERS[kind](1.0, 0.1, **options), 6.0)
    model.compile(keras.optimizers.SGD(0.01))
    model.train_on_batch(np.full((1, 1), 8, "float32"))
    beta = float(model.controller.beta)
    assert beta > 1.1
    # The loss is beta * 8 * factor. A gradient through beta would add 8 * 8 * (0.1 and more).
    factor = float(ops.convert_to_numpy(model.factor))
    assert factor == pytest.approx(1 - 0.01 * 8 * beta, rel=1e-5)


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_state_survives_saving(schedule_oracle, driven_model, tmp_path, kind):
    values = schedule_oracle("controllers")
    name = {
        "position": "controlvae_P_PID_large_gains",
        "incremental": "dynamicvae_solver_2D-sprites",
    }
    case = values[kind][name[kind]]
    kl = np.asarray(values["kl"][:60], "float32")[:, None]
    model = driven_model(make(kind, case), case["target"])
    model.compile(keras.optimizers.SGD(0.0))
    model.fit(kl[:33], batch_size=1, shuffle=False, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.controller.get_config() == model.controller.get_config()
    for one, other in zip(loaded.controller.weights, model.controller.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), ops.convert_to_numpy(other))
    loaded.fit(kl[33:], batch_size=1, shuffle=False, verbose=0)
    assert_follows(float(loaded.controller.beta), case["beta"][59])


@pytest.mark.parametrize(
    "controller",
    [
        PositionPIController(0.02, 0.003, 0.5, 9.0, True, name="p"),
        IncrementalPIController(0.02, 0.003, 4.0, 0.5, 9.0, 3, True, name="i"),
    ],
    ids=lambda controller: controller.name,
)
def test_config_round_trip(controller):
    config = keras.saving.serialize_keras_object(controller)
    assert config["registered_name"] == f"keras_devae>{type(controller).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == controller.get_config()
    assert again.get_config()["beta_max"] == 9.0
    np.testing.assert_array_equal(run(again, [8, 2, 9], 6), run(controller, [8, 2, 9], 6))


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_state_is_float32_under_mixed_precision(float32_policy, kind):
    keras.config.set_dtype_policy("mixed_float16")

    class Holder(keras.layers.Layer):
        """Inside a layer's call Keras casts the variables that it may cast."""

        def __init__(self):
            super().__init__()
            self.controller = CONTROLLERS[kind]()

        def call(self, kl):
            assert keras.backend.standardize_dtype(kl.dtype) == "float16"
            return self.controller.update(kl, 6)

    holder = Holder()
    controller = holder.controller
    for _ in range(2):
        beta = holder(ops.convert_to_tensor(6.25, "float32"))
    assert {weight.dtype for weight in controller.weights} == {"float32"}
    assert keras.backend.standardize_dtype(beta.dtype) == "float32"
    assert controller.trainable_variables == []
    # Errors of -0.25, -0.25 and of 4.75, 3.5. Sums of the two steps: 1 + 0.01 * 0.562177 + 0.0005,
    # and 150 + 0.01 * (0.029312 - 0.5) - 0.001 * (4.75 + 3.5).
    expected = {"position": 1.00612177, "incremental": 149.98704312}
    assert float(beta) == pytest.approx(expected[kind], rel=2e-7)


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_errors_of_any_size_keep_the_state_finite(kind):
    got = run(CONTROLLERS[kind](), [1e4, 0, 1e4, 0], [0, 1e4, 0, 1e4])
    assert np.isfinite(got).all()


@pytest.mark.parametrize(
    ("kind", "options", "name"),
    [
        ("position", {"proportional_gain": -0.01}, "proportional_gain"),
        ("position", {"integral_gain": -0.001}, "integral_gain"),
        ("position", {"integral_gain": float("nan")}, "integral_gain"),
        ("position", {"beta_min": -1}, "beta_min"),
        ("position", {"beta_max": 1}, "beta_max"),
        ("incremental", {"beta_max": float("inf")}, "beta_max"),
        ("incremental", {"integral_gain": -0.005}, "integral_gain"),
        ("incremental", {"beta_init": 0.05}, "beta_init"),
        ("position", {"beta_init": 0.5}, "beta_init"),
        ("position", {"beta_init": 20, "beta_max": 10}, "beta_init"),
        ("incremental", {"beta_init": 20, "beta_max": 10}, "beta_init"),
        ("incremental", {"window": 0}, "window"),
        ("incremental", {"window": 2.5}, "window"),
    ],
)
def test_arguments_out_of_range(kind, options, name):
    with pytest.raises(UsageError, match=f"^`{name}` must be"):
        CONTROLLERS[kind](**options)


@pytest.mark.parametrize("kind", CONTROLLERS)
def test_divergence_and_target_must_be_scalars(kind):
    controller = CONTROLLERS[kind]()
    with pytest.raises(UsageError, match="`kl` must be a scalar"):
        controller.update(np.zeros(3), 1.0)
    with pytest.raises(UsageError, match="`target` must be a scalar"):
        controller.update(1.0, np.zeros((1,)))
