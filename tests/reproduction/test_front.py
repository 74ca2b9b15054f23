"""The front of disentanglement against reconstruction: its runs, and what lies below it."""

import pytest

from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.reproduction import front
from keras_devae.reproduction.catalogue import plans_of
from keras_devae.reproduction.front_outcomes import front_outcome, hypervolume
from keras_devae.reproduction.results import INFOM, MIG, RECONSTRUCTION, Results
from keras_devae.reproduction.scales import SCALES
from keras_devae.runs.config.flat_settings import config_from_settings

SMALL = SCALES["small"]


def options_of(group):
    (plan,) = (plan for plan in plans_of("front", SMALL, 1) if plan.group == group)
    return {
        name: value
        for name, value in plan.settings.items()
        if name in MODEL_CATALOGUE[plan.settings["model"]].options
    }


@pytest.mark.parametrize(
    ("group", "options"),
    [
        # A quarter of the published defaults, as there are a quarter of the pixels.
        ("beta-VAE, strength 8", {"beta": 12.0}),
        ("beta-TCVAE, strength 0.5", {"beta": 1.5}),
        ("FactorVAE, strength 4", {"gamma": 35.0}),
        ("DIP-VAE, strength 0.25", {"lambda_od": 0.625}),
        # A target, which does not scale with the pixels, and is lower under a stronger pressure.
        ("DynamicVAE, strength 4", {"kl_target": 5.0}),
        ("DeVAE, strength 4", {"betas": [1.0, 10.0, 40.0]}),
        ("DeVAE, strength 1", {}),
        ("DeVAE, K = 2, strength 4", {"betas": [1.0, 10.0]}),
        (
            "DeVAE, summed, strength 0.25",
            {"objective": "summed", "betas": [0.0625, 0.625, 2.5]},
        ),
    ],
)
def test_pressure_of_each_method(group, options):
    assert options_of(group) == options


def test_runs_are_those_of_other_experiments_where_pressures_are_the_defaults():
    known = [
        plan.settings
        for name in ("figure2", "table3", "table4", "table6")
        for plan in plans_of(name, SMALL)
    ]
    plans = plans_of("front", SMALL)
    assert {plan.group for plan in plans if plan.settings in known} == {
        f"{name}, strength 1"
        for name in (
            *("beta-VAE", "beta-TCVAE", "FactorVAE", "DynamicVAE", "DeVAE"),
            *("DeVAE, K = 2", "DeVAE, K = 5", "DeVAE, s = 0.5", "DeVAE, s = 2"),
        )
    }


@pytest.mark.parametrize("scale", SCALES)
def test_every_run_of_the_front_can_be_configured_and_is_only_once(scale):
    configs = [config_from_settings(plan.settings) for plan in plans_of("front", SCALES[scale])]
    assert len({repr(config.to_dict()) for config in configs}) == len(configs)
    # Six methods at six strengths, and eight options at three, three seeds each.
    assert len(configs) == (16 if scale == "smoke" else 3 * (6 * 6 + 8 * 3))


def test_hypervolume_of_a_staircase():
    """By hand: from 0 to 20 nothing, to 30 0.05, to 45 0.10, to 100 0.25."""
    points = [(30.0, 0.10), (20.0, 0.05), (45.0, 0.25), (60.0, 0.22), (33.0, 0.09)]
    expected = (10 * 0.05 + 15 * 0.10 + 55 * 0.25) / 100
    assert hypervolume(points, 100.0) == pytest.approx(expected)


def test_hypervolume_is_that_of_another_library():
    """moocore 0.3.2, `hypervolume` of the errors and negative scores, `ref=[95, 0]`, over 95."""
    errors = (50.9, 86.0, 21.5, 85.9, 34.9, 43.9, 76.2, 42.7, 54.0, 12.2, 70.3, 53.1)
    scores = (0.198, 0.473, 0.182, 0.272, 0.08, 0.242, 0.122, 0.157, 0.45, 0.168, 0.291, 0.588)
    volume = hypervolume(zip(errors, scores, strict=True), 95.0)
    assert volume == pytest.approx(0.3421347368421052)


@pytest.mark.parametrize(
    ("points", "volume"),
    [([], 0.0), ([(95.0, 0.7)], 0.0), ([(0.0, 1.0)], 1.0), ([(19.0, 0.5), (19.0, 0.2)], 0.4)],
)
def test_hypervolume_at_its_ends(points, volume):
    assert hypervolume(points, 95.0) == pytest.approx(volume)


def runs_of(made_up, name, gaps, seeds=3, spread=0.01):
    """Runs at strengths 1, 2, ..., whose errors are 10 and 20 times the strength, and so on."""
    return [
        made_up(
            front.group_at(name, strength),
            [{MIG: gap + spread * seed, INFOM: 0.5, RECONSTRUCTION: 10.0 * strength}],
            seed,
        )
        for seed in range(seeds)
        for strength, gap in zip((1, 2, 4), gaps, strict=False)
    ]


def mean_volume(table, *of):
    """The mean over three seeds of the hypervolume of a method, at strengths, by a score."""
    keys = ("method", "strengths", "score")
    found = [r["hypervolume"] for r in table.tidy if tuple(r[key] for key in keys) == of]
    assert len(found) == 3
    return sum(found) / 3


def test_the_best_setting_is_named_and_beats_what_is_below_it(made_up):
    results = [
        *runs_of(made_up, "beta-VAE", (0.1, 0.1, 0.1)),
        *runs_of(made_up, "DeVAE", (0.2, 0.3, 0.2)),
        *runs_of(made_up, "DeVAE, K = 2", (0.3, 0.5)),
    ]
    outcome = front_outcome(Results(results))
    assert outcome.header[:3] == ["", "strength", "seeds"]
    assert [row[:4] for row in outcome.rows[:2]] == [
        ["beta-VAE", "1", "3", "0.110 [0.085, 0.135]"],
        ["beta-VAE", "2", "3", "0.110 [0.085, 0.135]"],
    ]
    volumes, comparisons = outcome.tables
    # Of 40 nats in all, 10 to 40 lie right of the first run. InfoM is 0.5 everywhere.
    found = mean_volume(volumes, "beta-VAE", "1, 2, 4", MIG)
    assert found == pytest.approx(0.11 * 30 / 40)
    assert volumes.rows[0][-1] == "0.375 [0.375, 0.375]"
    # At the strengths that the settings share, and so are compared at.
    found = mean_volume(volumes, "DeVAE", "1, 2", MIG)
    assert found == pytest.approx((0.21 * 10 + 0.31 * 20) / 40)
    found = mean_volume(volumes, "DeVAE, K = 2", "1, 2", MIG)
    assert found == pytest.approx((0.31 * 10 + 0.51 * 20) / 40)
    assert [row[:2] for row in volumes.rows] == [
        ["beta-VAE", "1, 2, 4"],
        ["DeVAE", "1, 2, 4"],
        ["DeVAE, K = 2", "1, 2"],
        ["beta-VAE", "1, 2"],
        ["DeVAE", "1, 2"],
    ]
    assert comparisons.header[2] == "DeVAE, K = 2 against"
    assert [row[1:3] for row in comparisons.rows] == [
        ["hypervolume of MIG", "beta-VAE"],
        ["hypervolume of InfoM", "beta-VAE"],
    ]
    assert [row["result"] for row in comparisons.tidy] == ["higher", "undecided"]
    named, judged = outcome.remarks[-2:]
    assert "DeVAE, K = 2 has the largest mean hypervolume of MIG at strengths 1, 2: 0.33" in named
    assert judged == "By the rule, DeVAE, K = 2 beats every other method at strengths 1, 2."


def test_one_sibling_that_is_not_beaten_suffices(made_up):
    results = [
        *runs_of(made_up, "beta-VAE", (0.1, 0.1, 0.1)),
        *runs_of(made_up, "FactorVAE", (0.3, 0.3, 0.3), spread=0.1),
        *runs_of(made_up, "DeVAE", (0.3, 0.4, 0.4)),
    ]
    judged = front_outcome(Results(results)).remarks[-1]
    assert judged == (
        "By the rule, DeVAE does not beat the other methods at strengths 1, 2, 4: its hypervolume "
        "of MIG is not shown to be above the hypervolume of FactorVAE."
    )


def test_seeds_that_are_not_complete_and_scores_that_are_not_numbers(made_up):
    runs = runs_of(made_up, "beta-VAE", (0.1, 0.2)) + runs_of(made_up, "DeVAE", (0.3, 0.4))
    # The third seed of DeVAE lacks a strength, and a run of the second has no gap.
    assert runs.pop().group == "DeVAE, strength 2"
    runs[9].layers[0][MIG] = float("nan")
    assert (runs[9].group, runs[9].config.training.seed) == ("DeVAE, strength 2", 1)
    volumes, comparisons = front_outcome(Results(runs)).tables
    mine = {
        row["seed"]: row["hypervolume"]
        for row in volumes.tidy
        if (row["method"], row["score"]) == ("DeVAE", MIG)
    }
    # Nothing lies beyond the largest error, 20; without its gap, a run covers nothing.
    assert mine == pytest.approx({0: 0.3 / 2, 1: 0.31 / 2})
    assert comparisons.tidy[0]["runs"] == 2 and comparisons.tidy[0]["runs_against"] == 3


def test_a_score_that_was_not_computed_has_no_hypervolume(made_up):
    runs = runs_of(made_up, "beta-VAE", (0.1, 0.2)) + runs_of(made_up, "DeVAE", (0.3, 0.4))
    for run in runs:
        del run.layers[0][INFOM]
    outcome = front_outcome(Results(runs))
    assert {row[-1] for row in outcome.tables[0].rows} == {"-"}
    assert {row["score"] for row in outcome.tables[1].tidy} == {"hypervolume of MIG"}
    outcome.figure.draw_without_rendering()


def test_a_favourite_or_siblings_alone_are_not_compared(made_up):
    for name in ("DeVAE", "beta-VAE"):
        outcome = front_outcome(Results(runs_of(made_up, name, (0.1, 0.2), seeds=1)))
        assert [table.name for table in outcome.tables] == ["hypervolumes"]
        assert outcome.remarks[-1].startswith("The rule")


def test_the_picture_shows_methods_and_below_them_options(made_up):
    runs = runs_of(made_up, "beta-VAE", (0.1, 0.2)) + runs_of(made_up, "DeVAE", (0.3, 0.4))
    titles = [axes.get_title("left") for axes in front_outcome(Results(runs)).figure.axes]
    assert titles == ["MIG", "InfoM"]
    runs += runs_of(made_up, "DeVAE, K = 2", (0.3, 0.4))
    panels = front_outcome(Results(runs)).figure.axes
    titles += ["MIG, DeVAE's options", "InfoM, DeVAE's options"]
    assert [axes.get_title("left") for axes in panels] == titles
    assert [line.get_label() for line in panels[0].lines] == ["beta-VAE", "DeVAE"]
    assert [line.get_label() for line in panels[2].lines] == ["DeVAE", "DeVAE, K = 2"]
    assert panels[0].lines[1].get_color() == panels[2].lines[0].get_color()
    assert panels[0].lines[0].get_ydata() == pytest.approx([0.11, 0.21])
