"""`keras-devae evaluate` as a user meets it, and what `train --track` leaves."""

import csv
import json
import shutil

import numpy as np
import pytest
from running import run

from keras_devae.runs import RunDirectory

pytestmark = pytest.mark.backends

TINY = [
    *("train", "--dataset", "dsprites", "--source", "rendered", "--image-size", "32"),
    # Metrics that choose factors encode all images that there are.
    *("--variant", "subset:3000", "--network", "mlp", "--batch-size", "16", "--latent-dim", "3"),
    *("--evaluation-images", "200", "--checkpoint-every", "4"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run that tracked things."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["--track", "mig,information,kl,traversal", "--track-every", "5", "--steps", "12"]
    assert run(*TINY, *words, "--run", "r", "--runs-dir", folder) == 0
    return folder / "r"


@pytest.fixture
def codes_file(tmp_path):
    """A file of codes that hold two factors and a little noise."""
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(500, 2))
    codes = np.column_stack([factors[:, 1], factors[:, 0], rng.normal(size=500)])
    file = tmp_path / "codes.npz"
    np.savez(file, codes=codes, factors=factors, factor_names=["size", "hue"], n_train=400)
    return file


@pytest.mark.thorough
@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_all_metrics_factor_by_factor_and_layer_by_layer(trained, capsys):
    words = ["--metrics", "all", "--metric-settings", "fast"]
    assert run("evaluate", trained, *words) == 0
    printed, said = capsys.readouterr()
    assert "Warning: downstream_accuracy leaves out train sizes" in said
    assert "layer 1: dci" in said
    for text in (
        "mig.score",
        "dci.disentanglement",
        "layer 2",
        "mig: shape",
        "dci completeness: scale",
    ):
        assert text in printed, text


@pytest.mark.thorough
def test_one_layer_and_repeats(trained, capsys):
    words = ["--metrics", "mig,irs", "--layer", "1", "--repeats", "3", "--images", "100"]
    assert run("evaluate", trained, *words, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    (layer,) = scores["layers"]
    assert layer["layer"] == 1
    assert layer["mig.score.low"] <= layer["mig.score"] <= layer["mig.score.high"]
    assert len(scores["repeats"][0]) == 3
    assert run("evaluate", trained, *words) == 0
    assert "±" in capsys.readouterr().out


def test_images_are_encoded_once(trained, monkeypatch, capsys):
    from keras_devae.models import DeVAE

    words = ["evaluate", trained, "--metrics", "mig,factor_vae_score", "--images", "150"]
    words += ["--metric-settings", "fast", "--json"]
    assert run(*words) == 0
    first = capsys.readouterr().out
    assert list(RunDirectory(trained).codes.glob("codes-*.npz"))

    def refuse(self, images, batch_size=256):
        raise AssertionError("encoded again")

    monkeypatch.setattr(DeVAE, "encoder_posterior", refuse)
    assert run(*words) == 0
    assert capsys.readouterr().out == first


def test_codes_of_a_run_can_be_samples(trained, capsys):
    told = []
    for kind in ("mean", "sample"):
        words = ["--metrics", "mig", "--layer", "0", "--representation", kind, "--json"]
        assert run("evaluate", trained, *words) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert [scores["settings"]["representation"] for scores in told] == ["mean", "sample"]
    assert told[0]["layers"] != told[1]["layers"]


def test_metrics_are_listed(capsys):
    assert run("metrics") == 0
    printed = capsys.readouterr().out
    assert "mig " in printed and "(no factors needed)" in printed
    assert run("metrics", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["rmig"]["needs_posterior"] and not listed["mig"]["needs_posterior"]
    assert "(no factors needed, needs log-variances)" in printed
    assert listed["dci"]["needs_factors"] and listed["dci"]["fast"]["predictor"] == "lightgbm"


def test_codes_from_elsewhere(codes_file, tmp_path, capsys):
    out = tmp_path / "scores.json"
    words = ["evaluate", "--codes", codes_file, "--metrics", "mig,sap", "--output", out]
    assert run(*words) == 0
    printed = capsys.readouterr().out
    assert "mig.score" in printed and "mig: hue" in printed
    scores = json.loads(out.read_text())
    assert scores["mig.score"] > 0.95
    assert scores["settings"]["sap"]["n_train"] == 400
    assert scores["settings"]["mig"]["factor_names"] == ["size", "hue"]


def test_factors_that_vary_can_be_chosen(trained, capsys):
    words = [
        "--variant",
        "none",
        "--factors",
        "shape,position_x",
        "--metrics",
        "mig",
        "--layer",
        "0",
    ]
    assert run("evaluate", trained, *words, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["settings"]["factor_names"] == ["shape", "position_x"]
    assert scores["settings"]["factor_sizes"] == [3, 32]
    assert scores["settings"]["metrics"]["mig"]["factor_names"] == ["shape", "position_x"]
    assert scores["settings"]["metrics"]["mig"]["factor_sizes"] == [3, 32]
    assert scores["settings"]["metrics"]["mig"]["sample_count"] == 96
    assert RunDirectory(trained).read_config().data.factors is None


@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_outliers_and_few_samples_are_a_line_each_and_quantiles_can_be_asked_for(tmp_path, capsys):
    rng = np.random.default_rng(0)
    factors = rng.integers(4, size=(500, 2))
    codes = factors + 0.01 * rng.normal(size=(500, 2))
    codes[3, 1] = 1e4
    np.savez(tmp_path / "codes.npz", codes=codes, factors=factors)
    words = [
        "evaluate",
        "--codes",
        tmp_path / "codes.npz",
        "--metrics",
        "mig,med,sap,irs",
        "--json",
    ]
    found = []
    for given in ([], ["--discretizer", "quantile", "--bins", "40"]):
        assert run(*words, *given) == 0
        printed, said = capsys.readouterr()
        found.append((json.loads(printed), [s for s in said.splitlines() if "Warning" in s]))
    (emptied, cautions), (kept, fewer) = found
    assert [caution.split(",")[0] for caution in sorted(cautions)] == [
        "Warning: Code 1 has more than 95 % of the points in one of 20 bins of equal width",
        "Warning: Few samples: 500 rows",
    ]
    assert len(fewer) == 1 and "Few samples: 500 rows" in fewer[0]
    assert emptied["mig.score"] < 0.6 and kept["mig.score"] > 0.8
    assert kept["settings"]["mig"]["discretizer"] == "quantile"
    assert kept["settings"]["med"]["bins"] == 40


@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_codes_need_no_run_and_no_backend(codes_file, capsys):
    assert run("evaluate", "--codes", codes_file, "--metrics", "all", "--repeats", "2") == 0
    assert "dci.disentanglement" in capsys.readouterr().out


@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_codes_with_log_variances_have_metrics_of_the_posterior(codes_file, tmp_path, capsys):
    with np.load(codes_file) as stored:
        arrays = dict(stored)
    arrays["z_log_var"] = np.full(arrays["codes"].shape, -4.0)
    file = tmp_path / "posterior.npz"
    np.savez(file, **arrays)
    words = ["--metrics", "rmig,jemmig,wsepin,windin", "--bins", "10"]
    assert run("evaluate", "--codes", file, *words) == 0
    printed = capsys.readouterr().out
    for text in ("rmig.score", "jemmig.one_minus_score", "wsepin.score", "rmig: hue"):
        assert text in printed, text
    assert run("evaluate", "--codes", codes_file, *words) == 2
    assert "Cannot compute rmig, jemmig, wsepin, windin" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "--codes FILE; or an encoder, --encoder"),
        (("RUN", "--codes", "x.npz"), 2, "--codes FILE; or an encoder, --encoder"),
        (("--codes", "missing.npz"), 2, "missing.npz cannot be opened: No such file"),
        (("--codes", "CODES", "--layer", "1"), 2, "--layer needs a run"),
        (("--codes", "CODES", "--representation", "sample"), 2, "--representation needs a run"),
        (("--codes", "CODES", "--metrics", "migg"), 2, "Did you mean 'mig'"),
        (("--codes", "CODES", "--metrics", "kl"), 2, "no log-variances"),
        (("--codes", "CODES", "--metric-settings", "x"), 2, "Known: fast, paper"),
        (("--codes", "TEXT"), 2, "is not an .npz file"),
        (("--codes", "CUT"), 1, "damaged or truncated"),
        (("--codes", "EMPTY"), 2, "must hold an array called 'codes'"),
        (("--codes", "PICKLED"), 2, "plain arrays"),
        (("--codes", "ODD"), 2, "`n_train` in"),
        (("--codes", "NAMED"), 2, "`factor_names` in"),
        (("--codes", "CODES", "--output", "CODES/x.json"), 2, "Cannot write to"),
        (("--codes", "CODES", "--factors", "size"), 2, "--factors needs a run"),
        (("--codes", "CODES", "--bins", "1000000000"), 2, "--bins"),
        (("--codes", "CODES", "--discretizer", "equal"), 2, "'quantile'"),
        (("--codes", "CODES", "--metrics", "irs", "--bins", "9"), 2, "The settings bins are for"),
        (("--codes", "CODES", "--seed", str(2**70)), 2, "--seed"),
        (("--codes", "CODES", "--repeats", "1000000000"), 2, "--repeats"),
        (("--codes", "MASKS"), 2, "--codes must be finite"),
        (("RUN", "--factors", "size"), 2, "Unknown factor 'size'"),
        (("RUN", "--layer", "7"), 2, "latent layers 0 to 2. Received: 7"),
        (("RUN", "--layer", "first"), 2, "Received: first"),
        (("RUN", "--repeats", "0"), 2, "--repeats"),
    ],
)
def test_wrong_use_is_one_sentence(trained, codes_file, tmp_path, capsys, words, code, message):
    (tmp_path / "text.npz").write_text("no arrays")
    np.savez(tmp_path / "empty.npz", other=np.zeros(3))
    np.savez(tmp_path / "odd.npz", codes=np.zeros((3, 2)), n_train=2.5)
    np.savez(tmp_path / "named.npz", codes=np.zeros((3, 2)), factor_names="shape")
    np.savez(tmp_path / "pickled.npz", codes=np.array([{}, None], dtype=object))
    np.savez(tmp_path / "masks.npz", codes=np.full((3, 2), np.nan), factors=np.eye(3, 2))
    (tmp_path / "cut.npz").write_bytes(codes_file.read_bytes()[:-100])
    places = {
        "CUT": tmp_path / "cut.npz",
        "MASKS": tmp_path / "masks.npz",
        "RUN": trained,
        "CODES": codes_file,
        "TEXT": tmp_path / "text.npz",
        "EMPTY": tmp_path / "empty.npz",
        "ODD": tmp_path / "odd.npz",
        "NAMED": tmp_path / "named.npz",
        "CODES/x.json": codes_file / "x.json",
        "PICKLED": tmp_path / "pickled.npz",
    }
    assert run("evaluate", *(places.get(word, word) for word in words)) == code
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_tracking_leaves_tables_and_pictures(trained):
    names = {file.name for file in (trained / "tracking").iterdir()}
    pictures = {f"traversal-step-{step:08d}.png" for step in (0, 5, 10, 12)}
    tables = {"metrics.csv", "information.csv", "information.npz", "kl.csv"}
    assert names == pictures | tables | {"information.png", "kl.png"}
    with (trained / "tracking" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "5", "10", "12"]
    assert all(0 <= float(row["mig.score"]) <= 1 for row in rows)


@pytest.mark.thorough
def test_tracking_changes_nothing_and_a_resumed_run_has_the_same_rows(trained, tmp_path):
    plain = tmp_path / "plain"
    assert run(*TINY, "--steps", "12", "--run", "plain", "--runs-dir", tmp_path) == 0
    assert (plain / "history.csv").read_bytes() == (trained / "history.csv").read_bytes()

    copy = RunDirectory(tmp_path / "copy")
    shutil.copytree(trained, copy.path)
    before = (copy.tracking / "information.csv").read_bytes()
    copy.model_file.unlink()
    copy.checkpoint_file(12).unlink()
    assert run("train", "--resume", copy.path) == 0
    assert (copy.tracking / "information.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--track", "informatoin"), "Did you mean 'information'"),
        (("--track", "mig", "--track-every", "0"), "--track-every must be"),
        (("--metrics", "migg"), "Did you mean 'mig'"),
        (("--metric-settings", "quick"), "Known: fast, paper"),
    ],
)
def test_what_to_track_is_checked_before_training(tmp_path, capsys, words, message):
    assert run(*TINY, *words, "--run", "r", "--runs-dir", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_factors_are_asked_for_before_training(tmp_path, capsys):
    images = tmp_path / "images.npz"
    np.savez(images, images=np.zeros((20, 32, 32, 1), np.uint8))
    words = ["train", "--dataset", f"npz:{images}", "--runs-dir", tmp_path]
    assert run(*words, "--track", "information") == 2
    assert "no ground-truth factors" in capsys.readouterr().err
