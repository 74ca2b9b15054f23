"""Tables and figures from scores that are known."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from keras_devae.reproduction import outcomes, paper
from keras_devae.reproduction.results import Results, compared
from keras_devae.runs.environment import environment_text

MIG, INFOM, RECONSTRUCTION = outcomes.MIG, outcomes.INFOM, outcomes.RECONSTRUCTION


def scores(gap, error, **more):
    return {MIG: gap, RECONSTRUCTION: error, **more}


def compared_rows(outcome):
    """The rows of the comparisons by score and group, each a dictionary by title."""
    (table,) = outcome.tables
    assert (table.name, table.header[:2]) == ("comparisons", ["data set", "score"])
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    return {(row["data set"], row["score"], row["DeVAE against"]): row for row in rows}


@pytest.fixture
def ablation(made_up):
    """Two seeds of a variant with one layer, and of DeVAE with two."""
    return Results(
        [
            made_up("one latent space", [scores(0.2, 40.0)], 0),
            made_up("DeVAE", [scores(0.4, 20.0, **{INFOM: 0.5}), scores(0.4, 30.0)], 0),
            made_up("one latent space", [scores(0.1, 42.0)], 1),
            made_up("DeVAE", [scores(0.3, 22.0), scores(0.3, 36.0)], 1),
        ]
    )


def texts(figure):
    return {
        text.get_text() for text in figure.findobj(match=lambda part: hasattr(part, "get_text"))
    }


def test_ablation_stands_beside_the_papers_numbers(ablation):
    outcome = outcomes.ablation_outcome(ablation)
    # The mean of 0.3 and 0.4; t's 97.5 % quantile for one degree of freedom, 12.706, times 0.05.
    assert outcome.rows[1] == [
        "DeVAE",
        "0",
        "2",
        "0.350 [-0.285, 0.985]",
        "0.500",
        "21.00 [8.29, 33.71]",
        "0.35",
        "43.29",
    ]
    assert [row[:2] for row in outcome.rows] == [
        ["one latent space", "0"],
        ["DeVAE", "0"],
        ["DeVAE", "1"],
    ]
    assert outcome.rows[0][-2:] == ["0.19", "47.49"]


def test_ablation_says_what_the_paper_says_of_the_difference(ablation):
    outcome = outcomes.ablation_outcome(ablation)
    rows = compared_rows(outcome)
    gap = rows["dsprites", "MIG", "one latent space"]
    # 0.35 against 0.15 here; 0.35 against 0.19 in the paper.
    assert gap["in per cent"] == "+133 %" and gap["the paper"] == "+84 %"
    error = rows["dsprites", "reconstruction, nats", "one latent space"]
    assert error["difference"].startswith("-20.00 [") and error["the paper"] == "-9 %"
    # The other variant has no InfoM, with which DeVAE's could be compared.
    assert len(rows) == 2
    assert any("4 times the pixels" in remark for remark in outcome.remarks)


def test_figure_has_a_box_for_every_layer(ablation):
    shown = texts(outcomes.ablation_outcome(ablation).figure)
    assert {"MIG", "one latent space, 0", "DeVAE, 0", "DeVAE, 1"} <= shown


def test_csv_has_every_number_by_itself(ablation):
    tidy = outcomes.ablation_outcome(ablation).tidy
    assert len(tidy) == 2 * (1 + 2) * 2 + 1
    found = [row for row in tidy if row["group"] == "DeVAE" and row["seed"] == 1]
    assert [(row["layer"], row["metric"], row["value"]) for row in found] == [
        (0, MIG, 0.3),
        (0, RECONSTRUCTION, 22.0),
        (1, MIG, 0.3),
        (1, RECONSTRUCTION, 36.0),
    ]


def test_methods_are_ordered_and_compared(made_up):
    results = Results(
        [
            made_up(group, [scores(gap + 0.01 * seed, error)], seed, dataset=dataset)
            for dataset in ("dsprites", "shapes3d")
            for seed in (0, 1)
            for group, gap, error in (("beta-VAE", 0.2, 30.0), ("DeVAE", 0.3, 21.0))
        ]
    )
    outcome = outcomes.method_outcome(results, (MIG, RECONSTRUCTION))
    assert "dsprites, MIG, highest mean first: DeVAE 0.305, beta-VAE 0.205." in outcome.remarks
    rows = compared_rows(outcome)
    gap = rows["dsprites", "MIG", "beta-VAE"]
    assert gap["in per cent"] == "+49 %" and gap["the paper"] == "+47 % of disentanglement"
    error = rows["dsprites", "reconstruction, nats", "beta-VAE"]
    assert error["in per cent"] == "-30 %" and error["the paper"] == "-30 % of reconstruction"
    assert {"MIG, dsprites", "MIG, shapes3d"} <= texts(outcome.figure)
    assert {row["the paper"] for key, row in rows.items() if key[0] == "shapes3d"} == {"-"}
    # Welch's p of 0.1 with equal variances of 0.00005 is that of t = 14.1 at 2 degrees of freedom;
    # there are two comparisons by MIG, one on each data set.
    p = 2 * stats.t.sf(0.1 / math.sqrt(0.00005), 2)
    assert gap["p"] == f"{p:.3f}" and gap["p, Holm"] == f"{2 * p:.3f}"
    assert gap["result"] == "higher" and error["result"] == "undecided"
    (tidy,) = (
        row
        for row in outcome.tables[0].tidy
        if (row["dataset"], row["score"]) == ("shapes3d", "MIG")
    )
    assert tidy["p"] == pytest.approx(p) and tidy["p_holm"] == pytest.approx(2 * p)


def test_runs_on_images_of_several_sources_are_told_of(made_up):
    first, second = (made_up("DeVAE", [scores(0.3, 20.0)], seed) for seed in (0, 1))
    assert Results([first, second]).mixtures() == []
    second = dataclasses.replace(second, source="read from the official file")
    (warning,) = Results([first, second]).mixtures()
    assert "dsprites" in warning and "built-in renderer, read from the official file" in warning


def test_every_environment_of_the_runs_is_named_once(made_up):
    results = [made_up("DeVAE", [scores(0.3, 20.0)], seed) for seed in range(3)]
    on_jax = {
        "backend": "jax",
        "packages": {"keras": "3.15.1", "jax": "0.10.2"},
        "python": "3.12.1",
    }
    results[1] = dataclasses.replace(results[1], environment=environment_text(on_jax))
    first, second = Results(results).environments()
    assert second == "Keras 3.15.1 on jax 0.10.2, Python 3.12.1" and first != second


def test_the_processor_and_the_days_are_named(made_up):
    described = {
        "backend": "tensorflow",
        "packages": {"keras": "3.15.1", "tensorflow": "2.21.0"},
        "python": "3.12.1",
        "device": "cpu",
        "processor": "AMD EPYC (family 25, model 17)",
        "instruction_sets": ["AVX2", "AVX512_BF16"],
    }
    assert environment_text(described) == (
        "Keras 3.15.1 on tensorflow 2.21.0, Python 3.12.1, "
        "AMD EPYC (family 25, model 17) with AVX2, AVX512_BF16"
    )
    assert environment_text({**described, "accelerator": "Some GPU"}).endswith("Some GPU")
    results = Results(made_up("DeVAE", [scores(0.3, 20.0)], seed) for seed in (2, 0, 1))
    assert results.days() == "2026-11-10 to 2026-11-12"
    assert Results(results[:1]).days() == "2026-11-12" and Results([]).days() == ""


def test_a_score_that_a_method_lacks_is_a_dash(made_up):
    results = Results([made_up("DeVAE", [{MIG: 0.3}]), made_up("PCA", [{RECONSTRUCTION: 9.0}])])
    rows = outcomes.method_outcome(results, (MIG, RECONSTRUCTION)).rows
    assert [row[3:] for row in rows] == [["0.300", "-"], ["-", "9.00"]]


def test_information_lost_on_the_way(made_up):
    entropies = np.array([math.log(2), math.log(4)])
    steps = np.array([0, 10, 20, 30])
    # (steps, latents, factors), as shares: the second latent loses half of the first factor again.
    shares = np.array(
        [
            # An untrained network tells a little, which is not learned, and cannot be lost.
            [[0, 0.9], [0, 0]],
            [[0, 0], [0.2, 0]],
            [[0, 0.5], [0.8, 0]],
            [[0.1, 0.5], [0.4, 0]],
        ],
        dtype=float,
    )
    tracked = {"steps": steps, "information": shares * entropies, "entropies": entropies}
    outcome = outcomes.diffusion_outcome(Results([made_up("DeVAE", [{}], tracked=tracked)]))
    assert outcome.rows == [
        ["DeVAE", "shape", "1", "0.800", "0.400", "0.400"],
        ["DeVAE", "scale", "1", "0.500", "0.500", "0.000"],
    ]
    assert "DeVAE 0.200" in outcome.remarks[-1]
    line = next(line for line in outcome.figure.axes[0].lines)
    np.testing.assert_allclose(line.get_ydata(), [0.2, 0.8, 0.4])
    # A second seed, which loses 0.2 of the first factor.
    other = {**tracked, "information": tracked["information"].copy()}
    other["information"][3, 1, 0] = 0.6 * entropies[0]
    both = [made_up("DeVAE", [{}], seed=i, tracked=t) for i, t in ((1, tracked), (2, other))]
    outcome = outcomes.diffusion_outcome(Results(both))
    low, high = stats.t.interval(0.95, 1, 0.3, stats.sem([0.4, 0.2]))
    assert outcome.rows[0][3:] == [
        "0.800 [0.800, 0.800]",
        f"0.500 [{low + 0.2:.3f}, {high + 0.2:.3f}]",
        f"0.300 [{low:.3f}, {high:.3f}]",
    ]
    assert outcome.remarks[-1].count("DeVAE 0.150 [") == 1
    assert outcome.tables == []
    both.append(made_up("DynamicVAE", [{}], tracked=tracked))
    (row,) = outcomes.diffusion_outcome(Results(both)).tables[0].rows
    # DeVAE loses 0.15 of the factors on average, the other 0.2.
    assert row[:5] == ["dsprites", "lost on the way", "DynamicVAE", "-0.050", "-25 %"]


def test_estimates_are_judged_by_the_papers():
    truth = -10 / 4 * math.log(1 - 0.9**2)
    rows = [
        {"dimensions": 10, "correlation": 0.9, "trial": i, "estimate": e, "truth": truth}
        for i, e in enumerate((4.1, 4.2))
    ]
    rows += [{"dimensions": 100, "correlation": 0.9, "trial": 0, "estimate": 30.0, "truth": 41.52}]
    outcome = outcomes.estimate_outcome(rows)
    assert [row[-1] for row in outcome.rows] == ["yes", "no"]
    assert outcome.rows[0][3] == "4.15"
    # The paper's estimates lie over the trials.
    for axes, expected in zip(outcome.figure.axes, (4.14 / truth, 23.39 / 41.52), strict=True):
        assert axes.collections[-1].get_offsets()[0, 1] == pytest.approx(expected, abs=1e-6)


def test_the_setting_nearest_to_the_paper_is_named():
    def trials(batch_size, rate, shares):
        for (dimensions, known), share in zip(((10, 4.14), (100, 23.39)), shares, strict=True):
            yield {
                "batch_size": batch_size,
                "learning_rate": rate,
                "dimensions": dimensions,
                "correlation": 0.9,
                "trial": 0,
                "estimate": share * known,
            }

    rows = [*trials(64, 1e-4, (math.e, 1)), *trials(256, 1e-3, (0.9, 0.9)), *trials(4, 1, (-1, 1))]
    outcome = outcomes.setting_outcome(rows)
    assert [row[-1] for row in outcome.rows] == ["0.71", "0.11", "inf"]
    assert outcome.remarks[0].startswith("Nearest to the paper: 256 at 0.001.")


def test_papers_truths_are_those_of_the_formula():
    for (dimensions, correlation), (_, truth) in paper.TOTAL_CORRELATION.items():
        assert -dimensions / 4 * math.log(1 - correlation**2) == pytest.approx(truth, abs=0.005)


def test_comparison_is_welchs():
    first, second = [0.3, 0.4, 0.35], [0.2, 0.25, 0.1, 0.15]
    expected = stats.ttest_ind(first, second, equal_var=False)
    # The interval excludes 0 exactly where the test rejects at 5 %.
    text = compared(first, second)
    assert "+100 %" in text and "difference 0.175" in text
    low = float(text.split("interval ")[1].split(" to ")[0])
    assert (low > 0) == (expected.pvalue < 0.05)
    # By hand: variances 0.0025 of 3 and 0.0041667 of 4, 4.98 degrees of freedom.
    error = math.sqrt(0.0025 / 3 + (0.0125 / 3) / 4)
    freedom = error**4 / ((0.0025 / 3) ** 2 / 2 + (0.0125 / 12) ** 2 / 3)
    assert low == pytest.approx(0.175 - stats.t.ppf(0.975, freedom) * error, abs=1e-3)


def test_comparison_of_single_runs_has_no_interval():
    assert compared([0.3], [0.2]) == "+50 % (difference 0.1)"


def test_reconstruction_is_no_disentanglement(made_up):
    """A table that begins with reconstruction must not compare it with the paper's other claim."""
    results = Results(
        [made_up("beta-VAE", [scores(0.2, 30.0)]), made_up("DeVAE", [scores(0.3, 20.0)])]
    )
    outcome = outcomes.method_outcome(results, (RECONSTRUCTION, MIG))
    assert "lowest mean first: DeVAE 20.00, beta-VAE 30.00" in outcome.remarks[0]
    error = compared_rows(outcome)["dsprites", "reconstruction, nats", "beta-VAE"]
    assert error["in per cent"] == "-33 %" and error["the paper"] == "-30 % of reconstruction"
    # A single run of each has no interval.
    assert error["difference"] == "-10.00" and error["p"] == error["p, Holm"] == "-"


def test_only_a_group_with_rivals_is_compared(made_up):
    results = Results([made_up("beta-VAE", [scores(0.2, 30.0)])])
    assert outcomes.method_outcome(results, (MIG,)).tables == []
    both = Results([*results, made_up("DeVAE", [scores(0.3, 20.0)])])
    assert outcomes.method_outcome(both, (MIG,), favourite=None).tables == []


def test_a_score_that_is_not_a_number_is_left_out(made_up):
    results = Results(
        [made_up("DeVAE", [scores(float("nan"), 20.0)]), made_up("DeVAE", [scores(0.3, 22.0)], 1)]
    )
    (row,) = outcomes.method_outcome(results, (MIG, RECONSTRUCTION)).rows
    assert row[3] == "0.300"
