"""Models without a posterior, and without a decoder: every command works or says why not."""

import dataclasses
import json
import re

import pytest
from running import run

import keras_devae as kd
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.declarations import ModelDeclaration
from keras_devae.models.image_model import ImageModel
from keras_devae.models.loss_terms import LossTerms
from keras_devae.runs import Run, RunDirectory

TINY = [
    *("--dataset", "dsprites", "--source", "rendered", "--variant", "subset:60"),
    *("--image-size", "32", "--network", "mlp", "--network-units", "8", "--batch-size", "16"),
    *("--latent-dim", "3", "--steps", "4", "--checkpoint-every", "2", "--evaluation-images", "50"),
]
NO_DECODER = "has no decoder"
NO_POSTERIOR = "has none"


@pytest.fixture(scope="module", autouse=True)
def registered():
    """Two models in the catalogue: one decodes, the other does not, neither has a posterior."""
    import keras

    @keras.saving.register_keras_serializable("keras_devae_tests")
    class Codes(ImageModel):
        declaration = ModelDeclaration("Codes", "reconstruction", "no paper", posterior="none")

    @keras.saving.register_keras_serializable("keras_devae_tests")
    class Spread(ImageModel):
        declaration = dataclasses.replace(Codes.declaration, class_name="Spread", decodes=False)
        penalty_names = ("spread",)

        def loss_terms(self, pixels, outputs, training):
            variances = keras.ops.var(outputs["z"], axis=0)
            return LossTerms(
                penalties={"spread": (1.0, keras.ops.sum(keras.ops.square(variances - 1)))}
            )

    with pytest.MonkeyPatch.context() as patch:
        for kind in (Codes, Spread):
            name = kind.__name__.lower()
            patch.setitem(MODELS, name, kind)
            patch.setitem(MODEL_CATALOGUE, name, kind.declaration)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory, registered):
    """A folder with trained runs: `codes`, `spread`, `spread-2` and `vae`."""
    folder = tmp_path_factory.mktemp("runs")
    tracked = ["--track", "information,mig", "--track-every", "2"]
    for name, seed in (("codes", 0), ("spread", 0), ("spread-2", 1), ("vae", 0)):
        more = ["--seed", seed, "--run", name, "--runs-dir", folder, *tracked]
        model = name.partition("-")[0]
        assert run("train", "--model", model, *TINY, *more, "--save-best") == 0
    return folder


def said(capsys, *words, code=2):
    capsys.readouterr()
    assert run(*words) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def page(folder):
    """The report without its pictures."""
    return re.sub(r"base64,[^\"]+", "", (folder / "report.html").read_text())


def test_runs_are_described_in_their_own_terms(folder, capsys):
    report = page(folder / "spread")
    assert "There is no decoder" in report and "no decoder; seed 0" in report
    assert "model.reconstruct" not in report and "of the posterior means" not in report
    assert "nan" not in report and "in nats" not in report
    assert not (folder / "spread" / "figures" / "traversal.png").exists()
    report = page(folder / "codes")
    assert "quantile of its values" in report and "model.reconstruct" in report
    assert "nats</th>" not in report and "nats</th>" in page(folder / "vae")
    assert "KL divergence has exploded" not in report
    config = RunDirectory.open(folder / "spread").read_config()
    assert config.model.likelihood is None
    assert config.evaluation.metrics == ("mig",)
    assert RunDirectory.open(folder / "codes").read_config().evaluation.metrics == (
        "mig",
        "reconstruction_error",
    )
    assert {*RunDirectory.open(folder / "spread").read_history()[-1]} >= {"loss", "spread_loss"}
    capsys.readouterr()
    assert run("runs", "list", "--runs-dir", folder) == 0
    assert "spread-2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--model", "spread", "--likelihood", "gaussian"], "leave --likelihood out"),
        (["--model", "spread", "--decoder", "broadcast"], "leave --decoder out"),
        (["--model", "spread", "--track", "traversal"], "no decoder"),
        (["--model", "codes", "--track", "kl"], "no posterior"),
        (["--model", "codes", "--track", "sampled-information"], "no posterior"),
        (["--model", "codes", "--metrics", "kl"], "there are no log-variances"),
        (["--model", "codes", "--track", "active_variables"], "there are no log-variances"),
        (["--model", "spread", "--metrics", "reconstruction_error"], "there are no reconstr"),
        (["--model", "codes", "--monitor", "kl_loss", "--save-best"], "kl_loss"),
        (
            ["--model", "spread", "--monitor", "reconstruction_loss", "--save-best"],
            "Unknown value to watch",
        ),
    ],
)
def test_what_does_not_apply_is_refused_before_training(words, reason, tmp_path, capsys):
    message = said(capsys, "train", *TINY, "--runs-dir", tmp_path / "runs", *words)
    assert reason.lower() in message.lower()
    assert not (tmp_path / "runs").exists()


def test_they_train_with_what_they_have(folder, tmp_path, capsys):
    more = ["--validation-split", "0.2", "--early-stopping", "1", "--monitor", "val_loss"]
    more += ["--init-from", folder / "vae", "--runs-dir", tmp_path, "--run", "new"]
    assert run("train", "--model", "spread", *TINY, *more) == 0
    out = capsys.readouterr().out
    assert "no decoder, 3 latent dimensions" in out
    assert run("train", "--resume", tmp_path / "new", "--steps", "6") == 0
    assert run("doctor", tmp_path / "new") == 0


@pytest.mark.parametrize("kind", ["traversal", "reconstructions", "samples"])
def test_figures_of_decoded_images(kind, folder, capsys):
    assert run("plot", kind, folder / "codes") == 0
    assert NO_DECODER in said(capsys, "plot", kind, folder / "spread")


@pytest.mark.parametrize("kind", ["kl", "kl-diffusion"])
def test_figures_of_the_divergence(kind, folder, capsys):
    for name in ("codes", "spread"):
        assert NO_POSTERIOR in said(capsys, "plot", kind, folder / name)


@pytest.mark.parametrize(
    "kind",
    [
        *("information-map", "information-over-layers", "factor-scatter", "learning-curves"),
        *("information-diffusion", "tracked-scores"),
    ],
)
def test_figures_of_codes(kind, folder):
    for name in ("codes", "spread"):
        assert run("plot", kind, folder / name) == 0


def test_traversals_run_over_the_codes_own_values(folder, capsys):
    run_ = folder / "codes"
    assert run("plot", "traversal", run_, "--active-only", "--steps", "3") == 0
    assert run("plot", "traversal", run_, "--out", run_ / "figures" / "moving.gif") == 0
    assert "about the prior" in said(capsys, "plot", "traversal", run_, "--span", "quantiles")
    assert run("plot", "information-map", run_, "--representation", "sample") == 2


def test_reconstructions_are_compared_where_there_are_any(folder, capsys):
    assert run("plot", "mig-reconstruction", folder / "codes", folder / "vae") == 0
    message = said(capsys, "plot", "mig-reconstruction", folder / "codes", folder / "spread")
    assert NO_DECODER in message


def test_scores(folder, capsys, tmp_path):
    for name in ("codes", "spread"):
        capsys.readouterr()
        assert run("evaluate", folder / name, "--metrics", "mig,med", "--json") == 0
        scores = json.loads(capsys.readouterr().out)["layers"][0]
        assert {"mig.score", "med.disentanglement", "med.top_k_disentanglement"} <= scores.keys()
        words = ["--dataset", "dsprites", "--source", "rendered", "--variant", "subset:60"]
        words += ["--report-dir", tmp_path / name, "--metrics", "mig"]
        assert run("evaluate", folder / name, *words, "--image-size", "32") == 0
        assert ("There is no decoder" in page(tmp_path / name)) == (name == "spread")
        assert (tmp_path / name / "figures" / "traversal.png").exists() == (name == "codes")
    assert "log-variances" in said(capsys, "evaluate", folder / "codes", "--metrics", "kl")
    words = ["--representation", "sample"]
    assert "no samples" in said(capsys, "evaluate", folder / "codes", *words)
    saved = folder / "codes" / "model.keras"
    words = ["--dataset", "dsprites", "--source", "rendered", "--image-size", "32"]
    words += ["--variant", "subset:60", "--metrics", "mig", "--report-dir", tmp_path / "file"]
    assert run("evaluate", "--encoder", saved, *words) == 0
    assert (tmp_path / "file" / "figures" / "traversal.png").exists()


def test_comparisons_and_selections(folder, tmp_path, capsys):
    runs = [folder / name for name in ("codes", "spread", "spread-2", "vae")]
    assert run("compare", *runs) == 0
    out = capsys.readouterr().out
    assert "spread" in out and "bernoulli" not in out and "None" not in out
    for name, compared in (("all.html", runs), ("alike.html", runs[1:3])):
        assert run("report", *compared, "--output", tmp_path / name) == 0
        assert "None of the runs has a history" not in (tmp_path / name).read_text()
    capsys.readouterr()
    assert run("compare", *runs[1:3], "--select", "udr") == 0
    assert "nan" not in capsys.readouterr().out


def test_the_explorer_needs_a_decoder(folder, capsys):
    pytest.importorskip("gradio")
    assert NO_DECODER in said(capsys, "explore", folder / "spread", "--no-browser")
    from keras_devae.explorer.session import Session

    opened = Run.open(folder / "codes")
    session = Session(opened.model, opened.dataset, images=50)
    assert "vary." in session.summary(0) and "nan" not in session.summary(0)
    for slider in session.sliders(0):
        low, high = session.ends_of(0, slider.dimension, 0.0)
        assert low <= 0 <= high and "nan" not in slider.remark
    assert session.decode(0, 0, [0.1]).shape == (32, 32, 3)
    with pytest.raises(kd.errors.UsageError, match=NO_DECODER):
        Session(Run.open(folder / "spread").model, opened.dataset)


def test_suggestions_leave_out_what_does_not_apply(capsys):
    words = ["--dataset", "dsprites", "--source", "rendered", "--variant", "subset:200"]
    words += ["--image-size", "32", "--steps", "8", "--network", "mlp", "--json"]
    assert run("suggest", "--model", "spread", *words) == 0
    assert "likelihood" not in json.loads(capsys.readouterr().out)["settings"]


def test_the_list_of_models_says_what_is_lacking(capsys):
    assert run("models", "codes") == 0
    out = capsys.readouterr().out
    assert "without a posterior" in out and "without a decoder" not in out
    assert run("models", "spread") == 0
    assert "without a decoder" in capsys.readouterr().out
    assert run("models", "spread", "--json") == 0
    assert json.loads(capsys.readouterr().out)["spread"]["decodes"] is False
