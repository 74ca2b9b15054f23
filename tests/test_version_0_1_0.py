"""What version 0.1.0 left on disk is read as it was; see data/version_0_1_0/README.md."""

import csv
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

import keras_devae as kd
from keras_devae.cli import main

FIXTURE = Path(__file__).parent / "data" / "version_0_1_0"
#: Written by `train` or `annealing-test`, and trained to the end.
FINISHED = ("annealing", "beta_tc_vae", "devae", "pca")
#: The finished runs of a study.
OF_THE_STUDY = (
    *("vae-dsprites-seed0-128a5758ad4f", "vae-dsprites-seed1-44c93af11df9"),
    *("beta_vae-dsprites-seed0-76acc0a88ccd", "beta_vae-dsprites-seed1-fd26a5cbbb80"),
)
SAVED = (
    *("beta_vae_schedule", "cascade_vae", "control_vae", "deft", "devae_linear"),
    *("devae_parallel", "factor_vae", "joint_vae"),
)

# Tiny models have dead codes, which metrics and callbacks warn of.
pytestmark = [
    pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning"),
    pytest.mark.filterwarnings("ignore:.*the posterior has collapsed:UserWarning"),
]


def call(*words):
    """Runs the command line in this process and returns its exit code."""
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code


def unpack(folder):
    """Makes the folder that version 0.1.0 left, with its own path where that is written down."""
    shutil.copytree(FIXTURE, folder)
    for archive in folder.glob("*.tar.xz"):
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    for file in folder.rglob("*.json"):
        text = file.read_text(encoding="utf-8")
        if "FIXTURE" in text:
            file.write_text(text.replace("FIXTURE", str(folder)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """That folder, for tests that change nothing in it."""
    return unpack(tmp_path_factory.mktemp("version_0_1_0").resolve() / "left")


@pytest.fixture
def left(whole, monkeypatch, tmp_path):
    """That folder as the working directory; nobody's own data are in reach."""
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(whole)
    return whole


@pytest.fixture
def changed(left, monkeypatch, tmp_path):
    """One that a test may change, as the working directory."""
    folder = unpack(tmp_path.resolve() / "left")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def printed_json(capsys):
    """Runs a command, which must succeed, and returns the JSON that it prints."""

    def run(*words):
        capsys.readouterr()
        assert call(*words) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


def table(path):
    """Reads a CSV file, a dictionary a row; numbers as numbers."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: number(text) for name, text in row.items()} for row in csv.DictReader(file)]


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def has_all(found, expected, where=""):
    """Checks that all is there that was before, numbers but for rounding; more may be there."""
    if isinstance(expected, dict):
        assert set(expected) <= set(found), where
        for name, value in expected.items():
            # Sentences may say the same in other words.
            value = len(value) if name == "remarks" else value
            one = len(found[name]) if name == "remarks" else found[name]
            has_all(one, value, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for row, (one, other) in enumerate(zip(found, expected, strict=True)):
            has_all(one, other, f"{where}[{row}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6, nan_ok=True), where
    else:
        assert found == expected, where


def expected_json(folder, name):
    return json.loads((folder / "expected" / f"{name}.json").read_text(encoding="utf-8"))


def score_layers(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["layers"]


@pytest.mark.backends
def test_runs_are_listed_as_before(left, printed_json):
    expected = {row["run"]: row for row in expected_json(left, "listed")}
    found = {
        row["run"]: row for row in printed_json("runs", "list", "--runs-dir", "trained", "--json")
    }
    has_all(found, expected)
    words = ("runs", "list", "--runs-dir", "trained", "--filter", "model=pca,seed=5", "--json")
    assert [row["run"] for row in printed_json(*words)] == ["pca"]


@pytest.mark.backends
def test_the_doctor_finds_nothing_wrong(left, printed_json):
    for name in FINISHED:
        findings = printed_json("doctor", f"trained/{name}", "--json")
        assert not [each for each in findings if each["state"] == "problem"], findings


def test_scores_are_computed_as_before(left, printed_json):
    found = printed_json("evaluate", "trained/devae", "--json")
    expected = expected_json(left, "devae-scores")
    has_all(found["layers"], expected["layers"])
    has_all(found["details"], expected["details"])


@pytest.mark.parametrize("name", ["beta_tc_vae", "pca"])
def test_scores_on_images_of_ones_own(left, printed_json, name):
    found = printed_json("evaluate", f"trained/{name}", "--json")
    has_all(found["layers"], score_layers(left / "trained" / name))


def test_figures_are_drawn(left, tmp_path):
    def draw(kind, *runs):
        file = tmp_path / f"{kind}.png"
        assert call("plot", kind, *runs, "--out", file) == 0, kind
        assert file.stat().st_size > 1000

    for kind in ("traversal", "learning-curves", "information-diffusion", "kl-diffusion"):
        draw(kind, "trained/devae")
    draw("learning-curves", "trained/annealing")
    draw("mig-reconstruction", "trained/betas")


def test_pages_are_made(left, tmp_path):
    for runs, page in (("devae", "one.html"), ("betas", "several.html")):
        assert call("report", f"trained/{runs}", "--output", tmp_path / page) == 0
        assert "<html" in (tmp_path / page).read_text(encoding="utf-8")


def test_encoders_are_exported(left, tmp_path):
    import tensorflow

    assert call("export", "trained/devae", tmp_path / "encoder") == 0
    encoder = tensorflow.saved_model.load(str(tmp_path / "encoder"))
    with np.load("expected/encodings.npz") as expected:
        codes = encoder.encode(expected["shapes3d"])["z_mean"].numpy()
        np.testing.assert_allclose(codes, expected["devae|shapes3d|0|mean"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name", [*FINISHED, *(pytest.param(f"betas/{name}", id=name) for name in OF_THE_STUDY)]
)
@pytest.mark.backends
def test_models_of_runs_encode_as_before(left, name):
    import keras

    model = keras.models.load_model(f"trained/{name}/model.keras")
    with np.load("expected/encodings.npz") as expected:
        keys = [key for key in expected if key.startswith(f"{name}|")]
        assert keys
        for key in keys:
            _, images, layer, what = key.split("|")
            if what == "pixels":
                found = model.reconstruct(expected[images])
            else:
                found = model.posterior(expected[images], layer=int(layer))[what == "log_var"]
            np.testing.assert_allclose(found, expected[key], rtol=1e-4, atol=1e-5, err_msg=key)


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.backends
def test_saved_models_encode_as_before(left, name):
    import keras

    model = keras.models.load_model(f"models/{name}.keras", safe_mode=True)
    with np.load("expected/models.npz") as expected:
        images = expected["images"]
        found = {
            "codes": model.encode(images),
            "log_variances": model.posterior(images)[1],
            "pixels": model.reconstruct(images),
        }
        if f"{name}.categories" in expected:
            found["categories"] = model.encode_categories(images)
        for what, values in found.items():
            wanted = expected[f"{name}.{what}"]
            np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-5, err_msg=what)


@pytest.mark.parametrize("name", ["beta_vae_schedule", "factor_vae"])
def test_a_saved_model_trains_on(left, name):
    import keras

    model = keras.models.load_model(f"models/{name}.keras")
    assert int(model.steps.step) == int(model.optimizer.iterations) == 18
    with np.load("own.npz") as own:
        model.fit(own["images"][:8], batch_size=8, verbose=0)
    assert int(model.steps.step) == 19


@pytest.mark.parametrize("name", ["interrupted", "killed", "official"])
def test_an_interrupted_run_ends_as_if_nothing_had_happened(changed, printed_json, name):
    printed_json("train", "--resume", f"trained/{name}", "--json")
    run, expected = changed / "trained" / name, changed / "expected" / name
    for file in expected.rglob("*.csv"):
        has_all(table(run / file.relative_to(expected)), table(file), file.name)
    has_all(score_layers(run), score_layers(expected))


def test_an_annealing_test_goes_on(changed, printed_json):
    found = printed_json("annealing-test", "--resume", "trained/annealing-killed", "--json")
    run, expected = (changed / "trained" / name for name in ("annealing-killed", "annealing"))
    has_all(found, json.loads((expected / "freezing.json").read_text(encoding="utf-8")))
    for file in ("history.csv", "freezing.csv"):
        has_all(table(run / file), table(expected / file), file)


def test_an_annealing_test_is_known_by_its_settings(changed, printed_json, capsys):
    found = printed_json("annealing-test", "--resume", "trained/annealing", "--json")
    run = changed / "trained" / "annealing"
    has_all(found, json.loads((FIXTURE / "trained/annealing/freezing.json").read_text()))
    has_all(table(run / "freezing.csv"), table(FIXTURE / "trained/annealing/freezing.csv"))
    words = ("--dataset", "npz:own.npz", "--run", "annealing", "--runs-dir", "trained")
    assert call("train", *words) == 2
    assert "annealing-test --resume trained/annealing" in capsys.readouterr().err
    assert call("annealing-test", "--resume", "trained/devae") == 2


@pytest.mark.backends
@pytest.mark.parametrize("study", ["betas.toml", "trained/betas"])
def test_a_study_is_known_by_its_file_and_by_its_folder(left, printed_json, study):
    words = (study, "--runs-dir", "trained")
    status = printed_json("study", "status", *words, "--json")
    assert {row["run"]: row["state"] for row in status["runs"]} == dict.fromkeys(
        OF_THE_STUDY, "done"
    )
    rows = printed_json("study", "table", *words, "--json")
    # Of a study file's runs that is another order than the folder's.
    found = {(row["run"], row["layer"], row["metric"]): row for row in rows}
    expected = table("expected/betas.csv")
    assert len(found) == len(expected)
    for row in expected:
        has_all(found[row["run"], row["layer"], row["metric"]]["value"], row["value"])


@pytest.mark.backends
def test_the_table_of_a_study_has_all_its_columns(left, tmp_path):
    assert call("study", "table", "trained/betas", "--output", tmp_path / "betas.csv") == 0
    has_all(table(tmp_path / "betas.csv"), table("expected/betas.csv"))


def test_a_finished_study_is_not_run_again(changed):
    before = {path: path.read_bytes() for path in Path("trained/betas").glob("*/*.*")}
    assert call("study", "run", "betas.toml", "--runs-dir", "trained") == 0
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(Path("trained/betas").glob("*/config.json"))) == len(OF_THE_STUDY)


@pytest.mark.backends
def test_a_failed_run_keeps_its_reason(left, printed_json):
    words = ("diverging.toml", "--runs-dir", "trained", "--json")
    (row,) = printed_json("study", "status", *words)["runs"]
    assert row["state"] == "failed" and "kl_loss became inf" in row["reason"]


@pytest.mark.backends
def test_runs_are_compared_as_before(left, printed_json):
    has_all(printed_json("compare", "trained/betas", "--json"), expected_json(left, "comparison"))


def test_models_are_selected_as_before(left, printed_json):
    words = ("compare", "trained/betas", "--select", "udr", "--images", 60, "--json")
    has_all(printed_json(*words)["selection"], expected_json(left, "udr")["selection"])


@pytest.mark.backends
def test_codes_are_scored_as_before(left, printed_json):
    expected = expected_json(left, "codes-scores")
    names = ",".join(expected["settings"])
    words = ("--metrics", names, "--metric-settings", "fast", "--json")
    found = printed_json("evaluate", "--codes", "codes.npz", *words)
    for settings in expected["settings"].values():
        for version in ("versions", "package_version"):
            settings.pop(version, None)
    # Scores of the top codes come by themselves now.
    del expected["settings"]["med"]["top_k"], expected["details"]["med"]["top_k_codes"]
    has_all(found, expected)


@pytest.mark.backends
def test_prepared_data_are_read(left, printed_json):
    for name, count in (("dsprites", 48), ("shapes3d", 8)):
        states = printed_json("data", "verify", name, "--data-dir", "prepared", "--json")
        assert set(states.values()) == {"as it was prepared"} and len(states) == 2
        data = kd.data.load(name, source="official", data_dir="prepared")
        assert len(data) == count and data.images(np.arange(count)).max() > 0
        assert len(np.unique(data.factors(np.arange(count)), axis=0)) == count


@pytest.mark.backends
@pytest.mark.parametrize("name", ["figure11", "table1"])
def test_experiments_use_what_is_there(left, tmp_path, name):
    words = ("--scale", "smoke", "--runs-dir", "trained", "--output", tmp_path)
    seeds = ("--seeds", 1) if name == "figure11" else ()
    assert call("reproduce", name, "--no-train", *seeds, *words) == 0
    has_all(table(tmp_path / f"{name}.csv"), table(f"expected/{name}.csv"))
