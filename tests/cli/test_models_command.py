"""The models on the command line: the list, and runs of those that differ from the others."""

import json

import numpy as np
import pytest
from running import one_line, run
from thoroughness import quick_first

from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs import RunDirectory

TINY = [
    *("--dataset", "dsprites", "--source", "rendered", "--image-size", "32"),
    *("--batch-size", "16", "--latent-dim", "3", "--evaluation-images", "200"),
    *("--steps", "6", "--checkpoint-every", "3", "--network", "mlp"),
]


@pytest.mark.parametrize("width", [60, 80])
def test_models_lists_every_model_and_all_of_them_with_options(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert run("models") == 0
    listed = capsys.readouterr().out
    assert max(map(len, listed.splitlines())) < width
    assert run("models", "all") == 0
    text = capsys.readouterr().out
    for name, entry in MODEL_CATALOGUE.items():
        assert f"{name} " in listed and entry.objective in one_line(listed)
        assert f"{name}\n" in text and entry.paper in one_line(text)
        for option in entry.options:
            assert f"--{option.replace('_', '-')}" in text
    assert "--gamma 1000 " in text and "--discriminator-units 1000,1000," in text
    assert "[scales with pixels / steps]" in one_line(text)


def test_models_for_machines(capsys):
    assert run("models", "deft", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out).values()
    assert entry["options"]["betas"]["default"] == [70, 30, 15, 1]
    assert entry["options"]["stage_steps"]["scales_with"] == ["steps"]


def test_unknown_models_and_options_name_the_close_matches(capsys):
    assert run("models", "dynamic") == 2
    assert "'dynamic_vae'" in capsys.readouterr().err
    assert run("train", "--model", "factorvae") == 2
    assert "'factor_vae'" in capsys.readouterr().err
    assert run("train", "--model", "vae", "--capacity-mx", "3") == 2
    assert "--capacity-max" in capsys.readouterr().err
    assert run("train", "--model", "vae", "--gamma", "3") == 2
    assert "Unknown option of vae 'gamma'" in capsys.readouterr().err
    assert run("train", "--model", "factor_vae", "--discriminator-units", "10,x") == 2
    assert "comma-separated whole numbers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("--model control_vae --beta-min 2 --beta-max 1", "beta_max"),
        ("--model control_vae --beta-max 5 --beta-init 6", "beta_max"),
        ("--model dynamic_vae --beta-min 5 --beta-init 4", "beta_init"),
        ("--model dynamic_vae --beta-max nan", "beta_max"),
        ("--model dynamic_vae --kl-target-rest 0.5", "kl_target_rest"),
        ("--model dynamic_vae --kl-target-stairs 5 --kl-target-rest 1.5", "kl_target_rest"),
        ("--model control_vae --kl-target-stairs 5 --kl-target-steps 4", "kl_target_stairs"),
        ("--model annealed_vae --capacity-start -1", "capacity_start"),
        ("--network residual --network-units 8", "network_units"),
        ("--network mlp --network-units 8,0", "network_units"),
        ("--likelihood-sigma 0.1", "likelihood_sigma"),
        ("--likelihood bernoulli --likelihood-sigma 0.1", "likelihood_sigma"),
        ("--likelihood gaussian --likelihood-sigma 0", "likelihood_sigma"),
        ("--model pca --likelihood gaussian --likelihood-sigma 1", "likelihood_sigma"),
    ],
)
def test_options_that_cannot_be_are_refused_before_any_data(workplace, capsys, words, name):
    assert run("train", "--dataset", "npz:missing.npz", *words.split()) == 2
    said = capsys.readouterr().err
    assert name in said.replace("-", "_") and "missing" not in said and said.count("\n") == 1


def test_limits_of_a_controller_are_kept_with_the_run(workplace, capsys):
    words = "--beta-init 3 --beta-max 4 --kl-target-stairs 2 --kl-target-rest 0.5"
    parts = "--network mlp --network-units 8 --likelihood gaussian --likelihood-sigma 0.5"
    given = f"--model control_vae {words} {parts} --steps 2 --batch-size 8 --latent-dim 2"
    data = ("--dataset", "npz:images.npz", "--metrics", "kl", "--evaluation-images", "50")
    assert run("train", *data, *given.split(), "--run", "limited") == 0
    config = RunDirectory.open("runs/limited").read_config()
    options = config.model.options
    assert (options["beta_init"], options["beta_max"]) == (3, 4)
    assert (options["kl_target_stairs"], options["kl_target_rest"]) == (2, 0.5)
    assert (config.model.network_units, config.model.likelihood_sigma) == ((8,), 0.5)
    assert run("train", "--resume", "runs/limited") == 0


def test_lists_of_names_are_options_of_models(capsys):
    assert run("models", "byol") == 0
    out = capsys.readouterr().out
    assert "--augmentations brightness,contrast,blur,noise" in out and "shift (position)" in out
    assert run("train", "--model", "byol", "--augmentations", "blur,shfit") == 2
    assert "Did you mean 'shift'" in capsys.readouterr().err


@pytest.mark.backends
@pytest.mark.filterwarnings("ignore:.*constant")
@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("joint_vae", ["--temperature", "0.5", "--jacobian-penalty", "0.1"]),
        pytest.param(
            "cascade_vae",
            ["--stage-steps", "2", "--matching-stage", "1"],
            marks=pytest.mark.thorough,
        ),
        pytest.param("factor_vae", ["--discriminator-units", "8,8"], marks=pytest.mark.thorough),
        pytest.param("beta_tc_vae", ["--estimator", "stratified"], marks=pytest.mark.thorough),
    ],
)
def test_runs_from_training_to_the_report(tmp_path, capsys, model, options):
    words = ["train", *TINY, "--model", model, *options, "--run", "r", "--runs-dir", tmp_path]
    assert run(*words) == 0
    assert "Scaled" in capsys.readouterr().out
    directory = RunDirectory(tmp_path / "r")
    assert [row["step"] for row in directory.read_history()] == [3, 6]
    scores = json.loads((directory.path / "metrics.json").read_text())["layers"][0]
    assert np.isfinite(list(scores.values())).all()
    assert run("plot", "traversal", directory.path, "--out", tmp_path / "t.png") == 0
    assert run("plot", "samples", directory.path, "--out", tmp_path / "s.png") == 0


@pytest.mark.backends
@pytest.mark.parametrize("model", quick_first(["pca", "ica"], ["ica"]))
def test_baselines_are_runs_like_the_others(tmp_path, capsys, model):
    words = ["train", *TINY[:10], "--model", model, "--fit-images", "300"]
    assert run(*words, "--seed", "1", "--run", "r", "--runs-dir", tmp_path) == 0
    assert "3 components" in capsys.readouterr().out
    directory = RunDirectory(tmp_path / "r")
    (row,) = directory.read_history()
    assert row["step"] == 1 and row["reconstruction_loss"] > 0
    assert run("evaluate", directory.path, "--json") == 0
    (layer,) = json.loads(capsys.readouterr().out)["layers"]
    # Of 1024 pixels, three components explain something, and not all.
    assert 0 < layer["reconstruction_error.squared_error"] < 40
    assert run("train", "--resume", directory.path) == 0


@pytest.mark.backends
def test_a_categorical_code_counts_in_the_scores(tmp_path, capsys):
    """The category is one more code: a perfect one gives its factor a gap of almost 1."""
    from keras_devae.evaluation import evaluate
    from keras_devae.models import JointVAE

    class Shapes:
        """Rows whose one factor is the brightness of the picture, and what `evaluate` needs."""

        factor_names, provenance = ("brightness",), {}

        def __len__(self):
            return 60

        def images(self, rows):
            return np.full((1, 8, 8, 1), 100, np.uint8) * (np.asarray(rows) % 3)[
                :, None, None, None
            ].astype(np.uint8)

        def factors(self, rows):
            return (np.asarray(rows) % 3)[:, None]

    class Perfect(JointVAE):
        """Knows the brightness by its category alone."""

        def encode_categories(self, images, batch_size=256):
            return (images[:, 0, 0, 0] // 100).astype(int)

        def encoder_posterior(self, images, batch_size=256):
            shape = (len(images), self.latent_dim)
            noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            return noise, np.zeros(shape, np.float32)

    model = Perfect.for_images((8, 8, 1), latent_dim=2, network="mlp", seed=0)
    scores = evaluate(model, Shapes(), ["mig"], images=60)["layers"][0]
    assert scores["mig.score"] > 0.5
