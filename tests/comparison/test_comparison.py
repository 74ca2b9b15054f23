"""Runs side by side: groups, spreads and rank correlations."""

import csv
import io

import numpy as np
import pytest
import scipy.stats

from keras_devae.comparison.comparing import compare_runs
from keras_devae.comparison.table_files import markdown, write_table_file
from keras_devae.comparison.tables import (
    comparison_cells,
    comparison_dict,
    comparison_rows,
    shown_metrics,
)
from keras_devae.errors import UsageError
from keras_devae.runs import RunConfig, RunDirectory
from keras_devae.studies import Study


@pytest.fixture
def write_run(tmp_path):
    """Leaves the folder of a finished run, without training one."""

    def write(name, layers, options=None, **settings):
        run = RunDirectory(tmp_path / name)
        run.path.mkdir(parents=True)
        config = RunConfig(**{"model": "beta_vae", "model_options": options or {}, **settings})
        run.write_record(config, {"source": "rendered"}, {})
        if layers is not None:
            layers = [layers] if isinstance(layers, dict) else layers
            run.write_metrics({"layers": [{"layer": i, **s} for i, s in enumerate(layers)]})
        return run.path

    return write


def names(comparison):
    return [group.name for group in comparison.groups]


def test_runs_that_differ_in_the_seed_are_a_group(write_run):
    for seed, mig in enumerate((0.1, 0.2, 0.6)):
        write_run(f"a{seed}", {"mig.score": mig}, {"beta": 4}, seed=2 - seed)
    folder = write_run("b", {"mig.score": 0.5}, {"beta": 16}).parent
    four, sixteen = compare_runs([folder]).groups
    assert (four.name, four.settings) == ("beta_vae beta=4", {"model": "beta_vae", "beta": 4})
    assert four.seeds == (0, 1, 2) and [run.name for run in four.runs] == ["a2", "a1", "a0"]
    assert four.values("mig.score") == [0.6, 0.2, 0.1]
    spread = four.scores["mig.score"]
    interval = scipy.stats.ttest_1samp([0.1, 0.2, 0.6], 0).confidence_interval(0.95)
    assert spread.mean == pytest.approx(0.3) and spread.std == pytest.approx(0.07**0.5)
    np.testing.assert_allclose([spread.low, spread.high], interval)
    assert sixteen.name == "beta_vae beta=16" and sixteen.scores["mig.score"].count == 1


def test_how_a_run_was_carried_out_makes_no_group(write_run):
    write_run("a", {"mig.score": 0.1}, data_dir="/data", backend="jax", keep=5, track=("kl",))
    folder = write_run("b", {"mig.score": 0.2}, seed=1, checkpoint_every=100).parent
    assert names(compare_runs([folder])) == ["beta_vae"]


def test_names_tell_what_differs(write_run):
    write_run("a", {"mig.score": 0.1}, {"betas": [1, 10]}, model="devae", metric_settings="fast")
    write_run("b", {"mig.score": 0.1}, {"betas": [1, 4.5]}, model="devae")
    write_run("c", {"mig.score": 0.1}, {"beta": 4}, metric_settings="fast")
    folder = write_run("d", {"mig.score": 0.1}, model="pca", network="linear", steps=1).parent
    assert names(compare_runs([folder])) == [
        "beta_vae metric_settings=fast",
        "devae betas=1,4.5 metric_settings=paper",
        "devae betas=1,10 metric_settings=fast",
        "pca metric_settings=paper",
    ]
    assert names(compare_runs([folder], by=["metric_settings"])) == [
        "metric_settings=fast",
        "metric_settings=paper",
    ]
    assert len(compare_runs([folder], by=["model", "beta"]).groups) == 3


def test_different_images_are_allowed_and_said(write_run):
    write_run("a", {"mig.score": 0.1}, image_size=32, dataset="dsprites")
    folder = write_run("b", {"mig.score": 0.2}, image_size=64).parent
    found = compare_runs([folder])
    assert names(found) == ["beta_vae dsprites image_size=32", "beta_vae shapes3d image_size=64"]
    assert found.remarks == (
        "These runs are of different data sets: dsprites, shapes3d.",
        "These runs are of different image sizes: 32, 64.",
    )


def test_a_seed_that_comes_twice_is_said(write_run):
    write_run("a", {"mig.score": 0.1})
    (remark,) = compare_runs([write_run("b", {"mig.score": 0.1}).parent]).remarks
    assert "not independent" in remark


def test_a_run_that_is_named_twice_counts_once(write_run):
    run = write_run("a", {"mig.score": 0.1})
    assert len(compare_runs([run, run.parent, run / ".." / "a"]).runs) == 1


def test_runs_of_a_study(write_run, tmp_path):
    Study(tmp_path / "s", {n: (n, RunConfig(model="beta_vae")) for n in ("a", "b")}).write()
    write_run("s/a", {"mig.score": 0.1})
    write_run("s/other", {"mig.score": 0.1}, seed=1)
    found = compare_runs([tmp_path / "s"])
    assert [run.name for run in found.runs] == ["a"]
    assert found.left_out == {"b": "not finished"}


def test_what_cannot_be_compared_is_left_out_with_the_reason(write_run):
    layers = [{"mig.score": 0.1}, {"mig.score": 0.3, "elbo": None}]
    write_run("good", layers)
    write_run("shallow", layers[:1])
    write_run("waiting", None)
    (write_run("torn", layers) / "metrics.json").write_text("{")
    folder = write_run("odd", layers).parent
    (folder / "odd" / "metrics.json").write_text("[]")
    found = compare_runs([folder], layer=1)
    assert [run.name for run in found.runs] == ["good"] and found.metrics == ("mig.score",)
    assert set(found.left_out) == {"shallow", "waiting", "torn", "odd"}
    assert found.left_out["shallow"] == "no scores of layer 1"
    with pytest.raises(UsageError, match=r"Left out: waiting \(not finished\)"):
        compare_runs([folder / "waiting"])


def test_runs_of_one_name_are_told_apart_by_their_paths(write_run):
    folder = write_run("good", {"mig.score": 0.1}).parent
    paths = [write_run("first/same", None), write_run("second/same", None)]
    found = compare_runs([folder / "good", *paths, write_run("other", None)])
    assert found.left_out == {
        **{str(path): "not finished" for path in paths},
        "other": "not finished",
    }


def test_a_run_given_as_the_folder_one_is_in_has_its_name(write_run, monkeypatch):
    monkeypatch.chdir(write_run("here", {"mig.score": 0.1}))
    (run,) = compare_runs(["."]).runs
    assert run.name == "here"


def test_rank_correlations_are_spearmans(write_run, tmp_path):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, (9, 3)).astype(float)
    for seed, (a, b, c) in enumerate(values):
        scores = {"a.score": a, "b.score": b, "c.score": c, "d.score": 3.0}
        write_run(f"r{seed}", {**scores, **({"e.score": 1.0} if seed else {})}, seed=seed)
    found = compare_runs([tmp_path])
    matrix, metric_names = found.rank_correlations
    assert metric_names == ("a.score", "b.score", "c.score")
    np.testing.assert_allclose(matrix, scipy.stats.spearmanr(values).statistic)
    assert found.not_ranked == {"d.score": "the same in all runs", "e.score": "not in every run"}
    assert found.restricted(["a"]).rank_correlations.matrix.tolist() == [[1.0]]


def test_two_runs_have_no_ranks(write_run):
    write_run("a", {"mig.score": 0.1})
    found = compare_runs([write_run("b", {"mig.score": 0.3}, seed=1).parent])
    assert found.rank_correlations.matrix.shape == (0, 0) and not found.rank_correlations.names
    assert found.not_ranked == {"mig.score": "needs 4 runs or more, here 2"}


def test_which_metrics_are_shown(write_run):
    scores = {"sap.score": 0.1, "dci.completeness": 0.2, "dci.disentanglement": 0.3}
    found = compare_runs([write_run("a", {**scores, "kl.total": 4.0, "mig.score": 0.5})])
    assert shown_metrics(found).metrics == ("mig.score", "dci.disentanglement", "kl.total")
    chosen = ("dci.completeness", "dci.disentanglement", "sap.score")
    assert shown_metrics(found, ("dci", "sap.score")).metrics == chosen
    assert shown_metrics(found, ("all",)).metrics == found.metrics
    with pytest.raises(UsageError, match="Did you mean 'mig"):
        shown_metrics(found, ("mig.scor",))


def test_tables(write_run, tmp_path):
    for seed, kl in enumerate((119.0, 121.0)):
        write_run(f"r{seed}", {"mig.score": 0.1, "kl.total": kl}, {"beta": 4}, seed=seed)
    write_run("one", {"mig.score": 0.25, "sap.score": 2.0}, {"beta": 0.5})
    found = compare_runs([tmp_path])
    titles, (half, four) = comparison_cells(found)
    assert titles == ["group", "runs", "mig", "sap", "kl\n(nats)"]
    assert half == ["beta_vae beta=0.5", "1", "0.250", "2.000", ""]
    assert four[:3] == ["beta_vae beta=4", "2", "0.100 ± 0.000\n[0.100, 0.100]"]
    assert four[3:] == ["", "120.0 ± 1.4\n[107.3, 132.7]"]

    write_table_file(tmp_path / "t.csv", comparison_rows(found), comparison_cells(found))
    _, row = csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text()))
    assert row["group"] == "beta_vae beta=4" and float(row["beta"]) == 4 and row["runs"] == "2"
    assert float(row["kl.total"]) == 120 and row["sap.score"] == "" and row["seeds"] == "[0, 1]"
    write_table_file(tmp_path / "t.md", comparison_rows(found), comparison_cells(found))
    first, *_ = (tmp_path / "t.md").read_text().splitlines()
    assert first == "| group | runs | mig | sap | kl (nats) |"
    assert repr(found).startswith("<Comparison of runs, layer 0: beta_vae beta=0.5 (1), ")
    assert found._repr_markdown_() == (tmp_path / "t.md").read_text() + "\n" + found.caution
    assert markdown(["a"], [["b|c"]]) == "| a |\n| --- |\n| b\\|c |\n"
    (first, _) = comparison_dict(found)["groups"]
    assert first["scores"]["mig.score"]["mean"] == 0.25 and first["runs"] == ["one"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": ["bta"]}, "Did you mean 'beta'"),
        ({"by": ["preset"]}, "Unknown setting 'preset'"),
        ({"layer": 3}, "no scores of layer 3"),
    ],
)
def test_wrong_requests_are_refused(write_run, tmp_path, arguments, message):
    run = write_run("a", {"mig.score": 0.1})
    with pytest.raises(UsageError, match=message):
        compare_runs([run], **arguments)
    with pytest.raises(UsageError, match="no run in"):
        compare_runs([tmp_path / "elsewhere"])
