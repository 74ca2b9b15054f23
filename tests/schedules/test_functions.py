import fractions

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.schedules import (
    ConstantSchedule,
    ExponentialSchedule,
    GeometricSchedule,
    LinearSchedule,
    Schedule,
    StageSchedule,
    StepCounter,
    get_schedule,
)

pytestmark = pytest.mark.backends

# One of each kind; the third has stairs that do not divide its steps.
EVERY_KIND = [
    ConstantSchedule(2.5),
    LinearSchedule(1, 4, 6),
    LinearSchedule(5, 0.5, 8, stairs=3),
    ExponentialSchedule(30, 8, start=0.5, temperature=3, warmup_steps=2),
    GeometricSchedule(40, 0.5, 6),
    StageSchedule(3, 3),
    LinearSchedule(5, 0.5, 8, stairs=2, rest=0.5),
]


def test_capacity_of_other_implementations(schedule_oracle):
    values = schedule_oracle("schedules")
    for row in values["anneal"]:
        schedule = LinearSchedule(0, row["c_max"], row["iteration_threshold"])
        assert float(schedule(row["step"])) == pytest.approx(row["c"], rel=1e-6)
    for row in values["linear_annealing"]:
        schedule = LinearSchedule(row["init"], row["fin"], row["annealing_steps"])
        assert float(schedule(row["step"])) == pytest.approx(row["value"], rel=1e-6)


def test_annealed_vae_regularizer(schedule_oracle):
    for row in schedule_oracle("schedules")["annealed_vae_regularizer"]:
        capacity = float(LinearSchedule(0, row["c_max"], row["iteration_threshold"])(row["step"]))
        assert row["gamma"] * abs(row["kl"] - capacity) == pytest.approx(row["regularizer"])


def test_exponential_annealing(schedule_oracle):
    for row in schedule_oracle("schedules")["exp_annealing"]:
        schedule = ExponentialSchedule(
            row["beta_h"],
            row["total_steps"],
            temperature=row["temp"],
            warmup_steps=row["warmup_steps"],
        )
        assert float(schedule(row["step"])) == pytest.approx(row["beta"], rel=1e-6)


def test_exponential_annealing_between_its_limits():
    schedule = ExponentialSchedule(100, 1000, start=0, temperature=np.log(100))
    # From 1 at step 0 by a factor of 10 each 500 steps, and finite long after the end.
    got = [float(schedule(step)) for step in (0, 500, 1000, 2_000_000_000)]
    np.testing.assert_allclose(got, [1, 10, 100, 100], rtol=1e-6)
    assert float(ExponentialSchedule(0, 10, start=0)(2_000_000_000)) == 0


@pytest.mark.parametrize(("start", "end"), [(200, 0.5), (0.5, 200)])
def test_geometric_schedule_is_a_geometric_sequence(start, end):
    schedule = GeometricSchedule(start, end, 10)
    got = [float(schedule(step)) for step in (*range(11), 2_000_000_000)]
    np.testing.assert_allclose(got[:11], np.geomspace(start, end, 11), rtol=1e-5)
    assert got[10] == got[11] == end


def test_stages_of_cascade_vae(schedule_oracle):
    for row in schedule_oracle("schedules")["cascade_vae_c"]:
        stage = StageSchedule(row["stage_steps"], row["num_latent"])(row["step"])
        assert keras.backend.standardize_dtype(stage.dtype) == "int32"
        assert int(stage) + 1 == row["beta_per_latent"].count(row["beta_min"])


@pytest.mark.parametrize("name", ["defaults", "low_beta", "ramp"])
def test_stairs_of_dynamic_vae(schedule_oracle, name):
    ramp = schedule_oracle("controllers")["ramps"][f"dynamicvae_erow_{name}"]
    steps = ramp["total_steps"]
    schedule = LinearSchedule(0, ramp["C"], steps, stairs=steps // ramp["K"])
    got = [float(schedule(step)) for step in range(len(ramp["target"]))]
    np.testing.assert_allclose(got, ramp["target"], rtol=1e-6)


@pytest.mark.parametrize("name", ["defaults", "large_gains", "const_target"])
def test_stairs_of_control_vae(schedule_oracle, name):
    case = schedule_oracle("controllers")["position"][f"controlvae_erow_{name}"]
    steps, period = case["total_steps"], case["step_iteration"]
    schedule = LinearSchedule(case["init_C"], case["C"], steps, stairs=steps // period)
    # That code takes the first stair at step 0 already.
    got = [float(schedule(step + period)) for step in range(len(case["target"]))]
    np.testing.assert_allclose(got, case["target"], rtol=1e-6)


@pytest.mark.parametrize(
    ("steps", "stairs"), [(1_500_000, 1000), (1_500_000, 7), (999_983, 640), (10, 10), (3, 2)]
)
def test_no_stair_is_a_step_off(steps, stairs):
    schedule = LinearSchedule(0, stairs, steps, stairs=stairs)
    edges = [k * steps // stairs for k in (0, 1, 2, stairs // 3, stairs // 2, stairs - 1, stairs)]
    for step in sorted({max(edge + d, 0) for edge in edges for d in (-1, 0, 1)}):
        stair = min(fractions.Fraction(step * stairs, steps).__floor__(), stairs)
        assert float(schedule(step)) == pytest.approx(stair, rel=1e-6), step


@pytest.mark.parametrize(("start", "end"), [(0.0, 6.0), (6.0, 0.5)])
@pytest.mark.parametrize(("steps", "stairs"), [(24, 3), (25, 4), (7, 7), (10, 1)])
@pytest.mark.parametrize("rest", [0.0, 0.25, 0.5, 0.99])
def test_a_value_rests_and_then_climbs_to_the_next_stair(start, end, steps, stairs, rest):
    schedule = LinearSchedule(start, end, steps, stairs=stairs, rest=rest)
    begun = [-(-k * steps // stairs) for k in range(stairs + 1)]
    levels = np.linspace(start, end, stairs + 1)
    # The corners of the way: where a stair begins, and where its rest ends.
    corners = [(b, level) for b, level in zip(begun, levels, strict=True)]
    corners += [
        (b + rest * (after - b), level)
        for b, after, level in zip(begun[:-1], begun[1:], levels[:-1], strict=True)
    ]
    expected = np.interp(range(steps + 3), *zip(*sorted(corners), strict=True))
    got = [float(schedule(step)) for step in range(steps + 3)]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_no_rest_is_a_line_and_only_rest_is_stairs():
    for step in range(0, 1_500_001, 99_999):
        line, stairs = LinearSchedule(0, 20, 1_500_000), LinearSchedule(0, 20, 1_500_000, 10)
        resting = [LinearSchedule(0, 20, 1_500_000, 10, rest) for rest in (0, 1)]
        assert float(resting[0](step)) == pytest.approx(float(line(step)), abs=2e-5)
        assert float(resting[1](step)) == float(stairs(step))


@pytest.mark.parametrize(("start", "end"), [(0.1, 25), (25, 0.1)])
def test_line_starts_and_ends_on_its_values(start, end):
    schedule = LinearSchedule(start, end, 7)
    assert float(schedule(0)) == np.float32(start)
    assert {float(schedule(step)) for step in (7, 8, 2_000_000_000)} == {float(np.float32(end))}


@pytest.mark.parametrize("schedule", EVERY_KIND, ids=repr)
def test_values_are_scalars_and_the_step_may_be_of_any_integer_type(schedule):
    value = schedule(4)
    expected = "int32" if isinstance(schedule, StageSchedule) else "float32"
    assert keras.backend.standardize_dtype(value.dtype) == expected
    assert tuple(value.shape) == ()
    counter = StepCounter()
    counter.set(4)
    for step in (np.int64(4), ops.convert_to_tensor(4, "uint8"), counter.step):
        assert float(schedule(step)) == float(value)
    assert float(schedule(-3)) == float(schedule(0))


@pytest.mark.parametrize("step", [1.0, np.array([1, 2]), True])
def test_step_must_be_a_whole_number(step):
    with pytest.raises(UsageError, match="`step` must be a whole number or a scalar"):
        LinearSchedule(0, 1, 10)(step)


def test_schedules_move_in_a_compiled_step():
    class Recorder(keras.Model):
        """Writes the values of one step down."""

        def __init__(self):
            super().__init__()
            self.counter = StepCounter()
            self.seen = self.add_weight(shape=(len(EVERY_KIND),), trainable=False, name="seen")
            self.factor = self.add_weight(shape=(), name="factor")
            self.built = True

        def call(self, x):
            return ops.multiply(x, self.factor)

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            values = [ops.cast(schedule(self.counter.step), "float32") for schedule in EVERY_KIND]
            self.seen.assign(ops.stack(values))
            self.counter.advance()
            return ops.mean(y_pred)

    model = Recorder()
    model.compile(keras.optimizers.SGD(0.0), jit_compile=keras.backend.backend() != "torch")
    rows = []
    for _ in range(11):
        model.train_on_batch(np.zeros((1, 1), "float32"))
        rows.append(ops.convert_to_numpy(model.seen).copy())
    columns = np.array(rows).T
    np.testing.assert_allclose(columns[0], 2.5)
    np.testing.assert_allclose(columns[1], [1, 1.5, 2, 2.5, 3, 3.5, 4, 4, 4, 4, 4])
    np.testing.assert_allclose(columns[2], [5, 5, 5, 3.5, 3.5, 3.5, 2, 2, 0.5, 0.5, 0.5])
    # 30 e^-3 = 1.4936 after the warm-up of two steps, then a factor of e^(3/8) a step.
    growth = 1.4936121 * np.exp(0.375 * np.arange(-2, 9))
    np.testing.assert_allclose(columns[3], growth, rtol=1e-6)
    np.testing.assert_allclose(columns[4][:7], np.geomspace(40, 0.5, 7), rtol=1e-5)
    np.testing.assert_allclose(columns[4][7:], 0.5)
    np.testing.assert_allclose(columns[5], [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
    resting = [5, 5, 5, 3.875, 2.75, 2.75, 2.75, 1.625, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(columns[6], resting, rtol=1e-6)


@pytest.mark.parametrize("schedule", EVERY_KIND, ids=repr)
def test_config_round_trip(schedule):
    config = keras.saving.serialize_keras_object(schedule)
    assert config["registered_name"] == f"keras_devae>{type(schedule).__name__}"
    again = get_schedule(config)
    assert again is not schedule
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert [float(again(step)) for step in range(12)] == [float(schedule(s)) for s in range(12)]
    # Reading a configuration leaves it usable.
    assert get_schedule(config) == schedule


def test_schedules_differ_in_class_or_arguments():
    assert LinearSchedule(0, 1, 10) != LinearSchedule(0, 1, 10, stairs=10)
    assert ConstantSchedule(1) != ConstantSchedule(2)
    assert ConstantSchedule(1) != 1
    assert len({*EVERY_KIND, *EVERY_KIND}) == len(EVERY_KIND)


def test_get_schedule():
    assert get_schedule(3) == ConstantSchedule(3.0)
    assert get_schedule(np.float32(0.5)) == ConstantSchedule(0.5)
    assert get_schedule(EVERY_KIND[1]) is EVERY_KIND[1]
    with pytest.raises(UsageError, match="`beta` must be a finite number of at least 0"):
        get_schedule(-1, "beta")
    optimizer = keras.saving.serialize_keras_object(keras.optimizers.SGD())
    for value in ("linear", None, True, [1, 2], optimizer):
        with pytest.raises(UsageError, match="`beta` must be a number, a schedule or a schedule's"):
            get_schedule(value, "beta")


@pytest.mark.parametrize(
    "wrong",
    [
        {"class_name": "Spiral", "registered_name": "keras_devae>Spiral"},
        {"config": {"height": 3}},
    ],
)
def test_configuration_of_an_unknown_schedule_or_with_other_arguments(wrong):
    wrong = {**keras.saving.serialize_keras_object(LinearSchedule(0, 1, 10)), **wrong}
    with pytest.raises(UsageError, match="`beta` must be the configuration of a registered"):
        get_schedule(wrong, "beta")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: ConstantSchedule(float("nan")), "value"),
        (lambda: LinearSchedule(-1, 1, 10), "start"),
        (lambda: LinearSchedule(0, float("inf"), 10), "end"),
        (lambda: LinearSchedule(0, 1, 0), "steps"),
        (lambda: LinearSchedule(0, 1, 10.5), "steps"),
        (lambda: LinearSchedule(0, 1, 10, stairs=0), "stairs"),
        (lambda: LinearSchedule(0, 1, 10, stairs=11), "stairs"),
        (lambda: LinearSchedule(0, 1, 10, stairs=2, rest=1.1), "rest"),
        (lambda: LinearSchedule(0, 1, 10, stairs=2, rest=-0.1), "rest"),
        (lambda: LinearSchedule(0, 1, 10, stairs=2, rest=float("nan")), "rest"),
        (lambda: LinearSchedule(0, 1, 10, rest=0.5), "rest"),
        (lambda: ExponentialSchedule(0.5, 10), "end"),
        (lambda: ExponentialSchedule(10, 0), "steps"),
        (lambda: ExponentialSchedule(10, 10, start=-1), "start"),
        (lambda: ExponentialSchedule(10, 10, temperature=0), "temperature"),
        (lambda: ExponentialSchedule(10, 10, warmup_steps=-1), "warmup_steps"),
        (lambda: GeometricSchedule(0, 1, 10), "start"),
        (lambda: GeometricSchedule(1, 0, 10), "end"),
        (lambda: GeometricSchedule(1, 2, 0), "steps"),
        (lambda: StageSchedule(0, 2), "stage_steps"),
        (lambda: StageSchedule(2, 0), "num_stages"),
    ],
)
def test_arguments_out_of_range(make, name):
    with pytest.raises(UsageError, match=f"^`{name}` must be"):
        make()


def test_base_class_is_not_a_schedule_of_its_own():
    with pytest.raises(NotImplementedError):
        Schedule()(0)
