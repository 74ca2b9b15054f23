"""`keras-devae evaluate` on other images than the run's, and of encoders from files."""

import json

import keras
import numpy as np
import pytest
from running import run

pytestmark = pytest.mark.backends
#: Folders of pages.
NAMES = ("halves", "known", "more")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A run on images of its own, other images, and an encoder of Keras's."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for name, count in (("first", 60), ("more", 90)):
        factors = rng.integers(4, size=(count, 2))
        images = np.zeros((count, 16, 16, 1), np.uint8)
        images[:, :8] += (factors[:, 0] * 60).astype(np.uint8)[:, None, None, None]
        images[:, 8:] += (factors[:, 1] * 60).astype(np.uint8)[:, None, None, None]
        np.savez(folder / f"{name}.npz", images=images, factors=factors)
    words = ["--network", "mlp", "--network-units", "8", "--steps", "2", "--checkpoint-every", "2"]
    words += ["--latent-dim", "2", "--metrics", "kl", "--betas", "1,2", "--likelihood", "bernoulli"]
    dataset = f"npz:{folder / 'first.npz'}"
    assert run("train", "--dataset", dataset, *words, "--run", "r", "--runs-dir", folder) == 0
    inputs = keras.Input((16, 16, 1))
    keras.Model(inputs, keras.layers.Flatten()(inputs[:, ::8, 0])).save(folder / "halves.keras")
    np.savez(folder / "labelled.npz", codes=factors.astype(float), factors=factors)
    np.savez(folder / "codes.npz", codes=factors.astype(float))
    return folder


@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_a_run_is_scored_on_other_images(place, capsys):
    more = f"npz:{place / 'more.npz'}"
    metrics = (place / "r" / "metrics.json").read_bytes()
    words = ["--metrics", "kl", "--output", place / "out.json"]
    assert run("evaluate", place / "r", "--dataset", more, *words) == 0
    assert "more.npz" in capsys.readouterr().out
    scores = json.loads((place / "out.json").read_text("utf-8"))
    assert scores["settings"]["images"] == 90
    assert (place / "r" / "metrics.json").read_bytes() == metrics


@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_an_encoder_of_keras_is_scored(place, capsys):
    more = f"npz:{place / 'more.npz'}"
    words = ["--encoder", place / "halves.keras", "--dataset", more, "--metrics", "mig,sap"]
    assert run("evaluate", *words, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    # Each half's brightness is one factor; chance correlates 90 draws a little.
    assert scores["layers"][0]["mig.score"] > 0.9
    assert scores["settings"]["encoder"]["pixels"] == "0..1"


@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_pages_about_encoders_codes_and_runs_on_other_images(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    more = ["--dataset", f"npz:{place / 'more.npz'}", "--metrics", "mig"]
    assert (
        run("evaluate", "--encoder", place / "halves.keras", *more, "--report-dir", "halves") == 0
    )
    assert capsys.readouterr().out.endswith("halves/report.html\n")
    assert run("evaluate", "--codes", place / "codes.npz", *more, "--report-dir", "known") == 0
    assert run("evaluate", place / "r", *more, "--report-dir", "more") == 0
    found = {name: json.loads((tmp_path / name / "scores.json").read_text()) for name in NAMES}
    assert [scores["settings"]["encoder"]["name"] for scores in found.values()] == [
        *("halves.keras", "codes.npz", "r"),
    ]
    assert found["known"]["layers"][0]["mig.score"] > 0.9
    figures = {name: {f.stem for f in (tmp_path / name / "figures").iterdir()} for name in NAMES}
    assert figures["halves"] == figures["known"] == {"information-map", "factor-scatter"}
    assert {"traversal", "reconstructions"} <= figures["more"]
    page = (tmp_path / "halves/report.html").read_bytes()
    assert run("report", "halves", "--output", "again.html") == 0
    assert (tmp_path / "again.html").read_bytes() == page
    capsys.readouterr()
    assert run("compare", ".", place / "r", "--json") == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert sorted(g["settings"]["model"] for g in groups) == [
        *("codes.npz", "devae", "halves.keras", "r"),
    ]
    assert run("report", ".") == 0


@pytest.mark.parametrize(
    "words, message",
    [
        (["r", "--factors-file", "x.csv"], "--factors-file needs --dataset"),
        (["r", "--pixels", "uint8"], "--pixels needs --encoder"),
        (["--encoder", "halves.keras"], "--encoder needs the images to score: add --dataset"),
        (["r", "--encoder", "halves.keras"], "Give only one of them. Received: 2"),
        ([], "an encoder, --encoder FILE. Give one of them."),
        (["--codes", "first.npz", "--dataset", "npz:more.npz"], "an array called 'codes'"),
        (["--codes", "labelled.npz", "--dataset", "npz:more.npz"], "holds factors, which"),
        (["--codes", "labelled.npz", "--report-dir", "page"], "--report-dir needs --dataset"),
        (["r", "--dataset", "npz:more.npz", "--report-dir", "r"], "holds other files"),
        (["--encoder", "halves.keras", "--dataset", "npz:more.npz", "--layer", "1"], "--layer"),
        (["--encoder", "halves.keras", "--dataset", "npz:more.npz", "--metrics", "kl"], "kl"),
    ],
)
def test_wrong_use_is_refused(place, monkeypatch, capsys, words, message):
    monkeypatch.chdir(place)
    assert run("evaluate", *words) == 2
    assert message in capsys.readouterr().err


def test_a_run_that_watched_held_out_images_is_scored_on_others(place, tmp_path, capsys):
    words = ["--network", "mlp", "--network-units", "8", "--steps", "4", "--checkpoint-every", "2"]
    words += ["--latent-dim", "2", "--metrics", "kl,mig", "--betas", "1,2", "--no-suggest"]
    words += ["--track", "mig", "--track-every", "2", "--monitor", "val_mig", "--save-best"]
    words += ["--validation-split", "0.3", "--run", "watched", "--runs-dir", tmp_path]
    assert run("train", "--dataset", f"npz:{place / 'first.npz'}", *words) == 0
    assert "\nWeights  of step " in capsys.readouterr().out
    # The images have no factors: the run's `mig` is left out.
    np.save(tmp_path / "plain.npy", np.load(place / "more.npz")["images"])
    plain = f"npy:{tmp_path / 'plain.npy'}"
    assert run("evaluate", tmp_path / "watched", "--dataset", plain, "--json") == 0
    scores = json.loads(capsys.readouterr().out)
    assert "kl.total" in scores["layers"][0] and "mig.score" not in scores["layers"][0]
    assert run("evaluate", tmp_path / "watched", "--dataset", f"folder:{tmp_path / 'none'}") == 2
    assert "There is no folder" in capsys.readouterr().err


@pytest.mark.filterwarnings("default::keras_devae.metrics.MetricWarning")
def test_a_column_of_sequences_is_no_factor(place, capsys):
    with np.load(place / "more.npz") as more:
        names = np.array(["upper", "video"])
        np.savez(place / "videos.npz", **more, factor_names=names)
    words = ["--dataset", f"npz:{place / 'videos.npz'}", "--metrics", "mig", "--json"]
    words += ["--sequence-column", "video"]
    encoder = ("--encoder", place / "halves.keras")
    for scored in ([place / "r"], encoder):
        assert run("evaluate", *scored, *words) == 0
        found = json.loads(capsys.readouterr().out)
        assert list(found["details"][0]["mig"]["per_factor"]) == ["upper"]
