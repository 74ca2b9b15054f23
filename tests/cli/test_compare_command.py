"""`keras-devae compare`."""

import csv
import json
import shutil

import numpy as np
import pytest
from running import run

from keras_devae.runs import RunConfig, RunDirectory
from keras_devae.runs.config.run_config import load_dataset


@pytest.fixture(scope="module")
def runs(tmp_path_factory, tiny, blobs):
    """Two finished runs each of two values of beta, with models, and one that is not finished."""
    folder = tmp_path_factory.mktemp("runs")
    np.savez(folder / "images.npz", images=blobs(60))
    for beta, seed in ((4.0, 0), (4.0, 1), (16.0, 0), (16.0, 1), (16.0, 2)):
        directory = RunDirectory(folder / f"beta{beta:g}-{seed}")
        directory.path.mkdir()
        dataset = f"npz:{folder / 'images.npz'}"
        config = RunConfig(model="beta_vae", model_options={"beta": beta}, dataset=dataset)
        config = RunConfig(**{**config.to_dict(), "seed": seed})
        directory.write_record(config, load_dataset(config).provenance, {})
        if seed < 2:
            scores = {"mig.score": 0.1 + 0.2 * seed, "kl.total": beta + seed, "sap.score": 0.5}
            directory.write_metrics({"layers": [{"layer": 0, **scores}]})
            tiny("beta_vae", beta=beta, seed=seed).save(directory.model_file)
    return folder


def test_mean_and_spread_over_seeds(runs, tmp_path, capsys):
    table = tmp_path / "table.md"
    assert run("compare", runs, "--metrics", "all", "--output", table) == 0
    printed, warned = capsys.readouterr()
    assert "Warning: Fewer than 5 seeds" in warned and "beta_vae beta=4 (2)" in warned
    assert "0.200 ± 0.141" in printed and "[-1.071, 1.471]" in printed
    assert printed.index("beta_vae beta=4") < printed.index("beta_vae beta=16")
    assert "No rank correlation (the same in all runs): sap.score" in printed
    assert "Left out (not finished): beta16-2" in printed
    assert "| beta_vae beta=4 | 2 | 0.200 ± 0.141 [-1.071, 1.471] |" in table.read_text()


def test_for_machines(runs, tmp_path, capsys):
    assert run("compare", runs, "--json", "--output", tmp_path / "t.csv") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["metrics"] == ["mig.score", "kl.total"]
    assert told["groups"][0]["scores"]["kl.total"]["mean"] == 4.5
    # Of the ranks 1.5 3.5 1.5 3.5 and 1 2 3 4.
    correlation = told["rank_correlations"]["matrix"][0][1]
    assert correlation == pytest.approx(2 / np.sqrt(4 * 5))
    assert (tmp_path / "t.csv").read_text().startswith("group,model,beta,runs,seeds,mig.score,")


@pytest.mark.thorough
@pytest.mark.backends
def test_selection_by_udr(runs, tmp_path, capsys):
    table = tmp_path / "ranking.csv"
    assert run("compare", runs, "--select", "udr", "--images", "50", "--output", table) == 0
    printed = capsys.readouterr()
    assert f"Take {runs}/beta" in printed.out and "cannot be ranked" in printed.out
    assert "beta4-0: encoding 50 of 50 images" in printed.err
    with table.open(newline="") as file:
        ranking = list(csv.DictReader(file))
    scores = [float(row["udr"]) for row in ranking]
    assert scores == sorted(scores, reverse=True) and len(scores) == 4
    assert {row["mig.score"] for row in ranking if row["seed"] == "1"} == {str(0.1 + 0.2)}


def test_five_seeds_go_without_a_warning(runs, tmp_path, capsys):
    for seed in range(5):
        shutil.copytree(runs / "beta4-0", tmp_path / str(seed))
        (tmp_path / str(seed) / "config.json").write_text(
            (runs / "beta4-0" / "config.json").read_text().replace('"seed": 0', f'"seed": {seed}')
        )
    assert run("compare", tmp_path) == 0
    assert capsys.readouterr().err == ""
    assert run("compare", *(tmp_path / str(seed) for seed in range(4))) == 0
    assert "Fewer than 5 seeds" in capsys.readouterr().err


def test_one_run_a_group_has_no_spread(runs, capsys):
    words = ["compare", runs / "beta4-0", runs / "beta16-0"]
    assert run(*words) == 0
    assert "±" not in capsys.readouterr().out
    # Neither have three runs a rank correlation.
    assert run(*words, runs / "beta4-1") == 0
    printed = capsys.readouterr().out
    assert "No rank correlation (needs 4 runs or more, here 3): mig.score, kl.total" in printed
    assert "rank correlation  " not in printed
    assert run(*words, "--select", "udr") == 2
    assert "two or more of each" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--metrics", "migg"), "Did you mean 'mig'"),
        (("--by", "bta"), "Did you mean 'beta'"),
        (("--layer", "2"), "no scores of layer 2"),
        (("--output", "table.txt"), "written as .csv or .md"),
        (("--output", "/dev/null/table.md"), "Cannot write"),
        (("--images", "50"), "needs --select udr"),
        (("--select", "uda"), "'udr'"),
    ],
)
def test_wrong_use_is_one_sentence(runs, capsys, words, message):
    assert run("compare", runs, *words) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_scores_are_compared_without_a_backend(runs, fresh_python):
    output, errors = fresh_python("-X", "importtime", "-m", "keras_devae.cli", "compare", runs)
    assert "beta_vae beta=4" in output
    modules = {line.split("|")[-1].strip().split(".")[0] for line in errors.splitlines()}
    assert not modules & {"tensorflow", "jax", "torch", "keras"}
