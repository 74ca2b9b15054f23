"""The benchmarks of other papers, on codes of which the outcome is known."""

import dataclasses
import json

import numpy as np
import pytest

from keras_devae.data import load
from keras_devae.data.variants import apply
from keras_devae.reproduction import benchmark_outcomes, benchmarks
from keras_devae.reproduction.catalogue import EXPERIMENTS, plans_of
from keras_devae.reproduction.measurements import LabelledCodes
from keras_devae.reproduction.results import MIG, RECONSTRUCTION, Results
from keras_devae.reproduction.scales import SCALES
from keras_devae.runs.config.flat_settings import config_from_settings

DCI = "dci.disentanglement"


class Images:
    """Factors without images, in the place of a run's data set."""

    def __init__(self, names, factors):
        self.factor_names, self.values = names, factors

    def __len__(self):
        return len(self.values)


def with_settings(run, **settings):
    return dataclasses.replace(run, config=run.config.replace(**settings))


@pytest.fixture
def known_codes(monkeypatch):
    """Makes the benchmarks see factors, and codes that are a function of them."""

    def see(names, factors_of, encode):
        def images_as(result, variants):
            del result
            return Images(names, factors_of(tuple(variants)))

        def codes_of(result, model, dataset, images=None):
            del result, model
            factors = dataset.values[:images]
            return LabelledCodes(encode(factors), factors, 2 * len(factors) // 3)

        training = Images(names, factors_of(None))
        monkeypatch.setattr(benchmark_outcomes, "loaded", lambda result: (None, training))
        monkeypatch.setattr(benchmark_outcomes, "images_as", images_as)
        monkeypatch.setattr(benchmark_outcomes, "codes_of", codes_of)

    return see


def turned(factors):
    """The first two factors turned by 45 degrees over two codes, the third in its own."""
    first, second, third = factors.T
    return np.stack([first + second, first - second, third], axis=1) * 1.0


def test_a_pair_in_mixed_codes_is_entangled_until_labels_part_it(made_up, known_codes):
    random = np.random.default_rng(0)
    known_codes(
        ("orientation", "position_x", "scale"),
        lambda variants: random.integers(6, size=(1500, 3)),
        turned,
    )
    run = made_up("DeVAE, sigma 0.2", [{}])
    run = with_settings(run, metric_settings="fast", evaluation_images=1500)
    outcome = benchmark_outcomes.correlation_outcome(Results([run]))
    found = dict(zip(outcome.header[3:], map(float, outcome.rows[0][3:]), strict=True))
    assert list(found) == [
        "DCI disentanglement",
        "the pair",
        "other pairs, median",
        "the pair, 100 labels",
        "the pair, 1,000 labels",
    ]
    assert 0.35 < found["the pair"] < 0.55 and found["other pairs, median"] < 0.05
    assert found["the pair, 100 labels"] < 0.05 and found["the pair, 1,000 labels"] < 0.05
    assert any("orientation and position_x of dsprites" in remark for remark in outcome.remarks)
    assert {row["measured"]: row["value"] for row in outcome.tidy}["the pair"] == pytest.approx(
        found["the pair"], abs=5e-4
    )


def test_transfer_is_perfect_where_codes_are_and_chance_where_they_are_noise(made_up, known_codes):
    random = np.random.default_rng(0)

    def factors_of(variants):
        # Noisy images have other values of the first factor, by which their codes are told.
        values = random.integers(4, size=(900, 3))
        values[:, 0] += 10 * ("noise" in (variants or ()))
        return values

    def encode(factors):
        noise = random.normal(size=factors.shape)
        return np.where(factors[:, :1] >= 10, noise, factors + 0.01 * noise)

    known_codes((benchmarks.SHIFTED, "scale", "shape"), factors_of, encode)
    run = made_up("DeVAE", [{DCI: 0.5}], dataset="shapes3d")
    outcome = benchmark_outcomes.transfer_outcome(Results([run]))
    found = dict(zip(outcome.header[3:], map(float, outcome.rows[0][3:]), strict=True))
    for title in ("same kind", "colours new to the predictors", "colours new to the model too"):
        assert found[f"accuracy, {title}"] > 0.99
    assert found["accuracy, noisy"] == pytest.approx(0.25, abs=0.1)
    assert found["MIG, same kind"] > 0.95 and found["MIG, noisy"] < 0.1
    assert found["DCI disentanglement"] == 0.5


def kept_run(made_up, name, group, seed, measured, **scores):
    """A run whose measurement has been kept in its folder."""
    run = made_up(group, [scores], seed, dataset="shapes3d")
    folder = run.directory.path / "reproduction"
    folder.mkdir()
    (folder / f"{name}.json").write_text(json.dumps(measured))
    return run


def test_runs_are_measured_once_and_ranked(made_up):
    accuracy = {f"accuracy, {title}": 0.5 for title in benchmarks.TRANSFER_TO}
    runs = [
        kept_run(
            made_up,
            "transfer",
            "DeVAE",
            seed,
            {**accuracy, "accuracy, noisy": 0.9 - seed / 10, "DCI disentanglement": seed / 10},
        )
        for seed in range(5)
    ]
    outcome = benchmark_outcomes.transfer_outcome(Results(runs))
    ranked = [remark for remark in outcome.remarks if remark.startswith("Rank correlation")]
    # Accuracies that are all equal have no ranks.
    assert ranked == [
        "Rank correlation of DCI disentanglement with the accuracy, noisy: -1.00 over 5 runs."
    ]
    assert outcome.rows[0][:3] == ["DeVAE", "shapes3d", "5"]
    panels = {axes.get_title(loc="left"): axes.get_xlim() for axes in outcome.figure.axes}
    same, noisy = (panels[f"accuracy, {title}"] for title in ("same kind", "noisy"))
    assert same == noisy and same[0] < 0.5 and same[1] > 0.9


@pytest.mark.parametrize("dataset", ["dsprites", "shapes3d"])
def test_what_is_held_out_is_what_the_authors_hold_out(dataset):
    """The conditions of their code, on the values that factors have there."""
    images = load(dataset, source="rendered", image_size=32)
    factors = images.factors(np.arange(len(images)))
    if dataset == "dsprites":
        shape, scale, turn, x, y = factors.T
        scale, turn, x, y = 0.5 + scale / 10, 360 * turn / 39, x / 31, y / 31
        expected = {
            "recombination to element": (shape == 1)
            & (scale > 0.65)
            & (turn > 120)
            & (turn < 240)
            & (x > 0.66)
            & (y > 0.66),
            "recombination to range": (shape == 0) & (x > 0.5),
            "extrapolation": x > 0.5,
        }
    else:
        floor, wall, thing, size, shape, turn = factors.T
        size, turn = 0.75 + size / 14, -30 + turn * 60 / 14
        expected = {
            "recombination to element": (thing >= 8)
            & (wall >= 8)
            & (floor >= 8)
            & (size >= 1.1)
            & (shape == 1)
            & (turn > 20),
            "recombination to range": (shape == 3) & (thing >= 5),
            "extrapolation": floor >= 5,
        }
    for condition, combinations in benchmarks.HELD_OUT[dataset].items():
        held, seen = (apply(images, [f"{n}:{combinations}"]) for n in ("held-out-only", "held-out"))
        rows = np.flatnonzero(expected[condition])
        assert len(held) == len(rows) > 50 and len(held) + len(seen) == len(images)
        np.testing.assert_array_equal(held.factors(np.arange(len(held))), factors[rows])


def test_factors_that_are_held_out_at_one_value_are_not_scored():
    images = load("shapes3d", source="rendered", image_size=32)
    held = apply(images, ["held-out-only:shape=pill,object_hue=5..9"])
    scored = benchmark_outcomes._without_constant_factors(held)
    assert set(images.factor_names) - set(scored.factor_names) == {"shape"}
    assert len(scored) == len(held)
    assert benchmark_outcomes._without_constant_factors(images) is images


def test_remarks_say_what_was_held_out(made_up, monkeypatch):
    condition = "extrapolation"
    combinations = benchmarks.HELD_OUT["dsprites"][condition]
    titles = ("reconstruction, nats", "MIG", "DCI disentanglement")
    measured = {f"{t}, {part}": v for t in titles for part, v in (("seen", 1), ("held out", 3))}
    monkeypatch.setattr(benchmark_outcomes, "kept", lambda *given: measured)
    monkeypatch.setattr(benchmark_outcomes, "_reconstructed", lambda results: "a picture")
    run = made_up("extrapolation, DeVAE", [{MIG: 0.1, RECONSTRUCTION: 1.0}])
    run = with_settings(run, variants=(f"held-out:{combinations}",))
    outcome = benchmark_outcomes.generalisation_outcome(Results([run]))
    assert "dsprites, extrapolation: without position_x=16..31." in outcome.remarks
    assert any("held out against seen: +200 %" in remark for remark in outcome.remarks)
    assert outcome.pictures == {"reconstructions": "a picture"}


@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
@pytest.mark.parametrize("scale", SCALES)
def test_every_run_can_be_configured_and_is_only_once(name, scale):
    plans = plans_of(name, SCALES[scale])
    configs = [config_from_settings(plan.settings) for plan in plans]
    assert len({repr(config.to_dict()) for config in configs}) == len(configs) > 1
    assert {plan.settings["seed"] for plan in plans} == set(range(benchmarks.SEEDS[scale]))


def test_runs_without_correlation_are_those_of_other_experiments():
    small = SCALES["small"]
    of_figure = [plan.settings for plan in plans_of("figure2", small)]
    own = [plan for plan in plans_of("correlated-factors", small) if "uncorrelated" in plan.group]
    assert len(own) == 4 and all(plan.settings in of_figure for plan in own)


def test_the_findings_of_other_papers_have_their_names():
    assert EXPERIMENTS["transfer"].finding.startswith("Dittadi et al. 2021: ")
    assert EXPERIMENTS["table1"].finding == EXPERIMENTS["table1"].known
