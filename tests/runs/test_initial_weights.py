"""Runs that begin with the weights of another one."""

import shutil

import numpy as np
import pytest

from keras_devae.errors import FailureError, UsageError
from keras_devae.files import file_hash
from keras_devae.models.saving import load_saved
from keras_devae.runs import Run, RunConfig

TINY = {
    "dataset": "dsprites",
    "source": "rendered",
    "image_size": 32,
    "network": "mlp",
    "network_units": (8, 6),
    "variants": ("subset:20",),
    "batch_size": 8,
    "checkpoint_every": 2,
    "steps": 2,
    "latent_dim": 3,
    "model": "beta_vae",
    "metrics": ("kl",),
    "evaluation_images": 20,
    "mixed_precision": "off",
}


def begin(path, **settings):
    return Run.new(RunConfig(**{**TINY, **settings}), path)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    with begin(tmp_path_factory.mktemp("runs") / "the other", seed=5) as run:
        run.train(progress=False)
    return run.folder


def layers(part):
    found = [[np.array(weight) for weight in layer.weights] for layer in part.layers]
    return [weights for weights in found if weights]


def test_a_layer_is_taken_whole_or_not_at_all(other, tmp_path, caplog):
    caplog.set_level("INFO", "keras_devae")
    source = load_saved(other.model_file)
    # The mean's kernel has another shape here, its bias and the decoder's last layer do not.
    source.encoder.get_layer("z_mean").bias.assign(np.ones(3))
    source.save(tmp_path / "source.keras")
    with begin(tmp_path / "run", network_units=(8, 5), init_from=str(tmp_path / "source.keras")):
        pass
    (message,) = caplog.messages
    taken, begun, _ = message.split("; ")
    assert "encoder/dense" in taken and "encoder/z_mean" in begun
    with begin(tmp_path / "same", init_from=str(tmp_path / "source.keras")) as run:
        assert np.array(run.model.encoder.get_layer("z_mean").bias).tolist() == [1, 1, 1]
    assert caplog.messages[1] == f"The weights of all layers come from {tmp_path / 'source.keras'}."


@pytest.mark.backends
@pytest.mark.parametrize("model", ["beta_vae", "devae", "factor_vae"])
def test_what_fits_is_taken(other, tmp_path, model, caplog):
    source = load_saved(other.model_file)
    with begin(tmp_path / "run", model=model, init_from=str(other.path)) as run:
        for part in ("encoder", "decoder"):
            taken, given = layers(getattr(run.model, part)), layers(getattr(source, part))
            # What a model adds to the decoder's input comes first.
            for ours, theirs in zip(taken, given, strict=True):
                if [one.shape for one in ours] == [one.shape for one in theirs]:
                    for one, from_other in zip(ours, theirs, strict=True):
                        np.testing.assert_array_equal(one, from_other)
        assert int(run.model.steps.step) == 0
        run.train(progress=False)
    assert run.folder.read_config().training.init_from == str(other.path.resolve())
    recorded = run.folder.read_record()["init_from"]
    assert recorded == {"file": str(other.model_file), "sha256": file_hash(other.model_file)}
    named = [message for message in caplog.messages if "beginning anew" in message]
    assert bool(named) == (model != "beta_vae")


@pytest.mark.backends
def test_what_does_not_fit_is_named(other, tmp_path, caplog):
    with begin(tmp_path / "run", latent_dim=4, init_from=str(other.model_file)):
        pass
    (message,) = (message for message in caplog.messages if "beginning anew" in message)
    taken, begun, unused = message.split("; ")
    # Two layers of means and variances and the decoder's first depend on the latent dimensions.
    for layer in ("encoder/z_mean", "encoder/z_log_var", "decoder/dense"):
        assert layer in begun and layer in unused
    assert "encoder/dense," in taken and "decoder/dense_1" in taken


def test_nothing_fits(other, tmp_path):
    with pytest.raises(UsageError, match="fit"):
        begin(
            tmp_path / "run", network_units=(5,), latent_dim=7, image_size=64,
            init_from=str(other.path),
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["missing", "missing.keras", "."])
def test_no_weights_there(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        begin(tmp_path / "run", init_from=name)
    assert not (tmp_path / "run").exists()


def test_fitted_models_refuse(other):
    with pytest.raises(UsageError, match="init_from"):
        RunConfig(model="pca", init_from=str(other.path))


@pytest.fixture
def kill_where(other, tmp_path, monkeypatch):
    """Begins `run` with a copy of other weights, kills it in a function, and returns the copy."""

    def killed(*arguments, **options):
        raise KeyboardInterrupt

    def kill(name):
        file = tmp_path / "weights.keras"
        shutil.copy(other.model_file, file)
        with monkeypatch.context() as patched, begin(tmp_path / "run", init_from=str(file)) as run:
            patched.setattr(f"keras_devae.runs.recorder.{name}", killed)
            with pytest.raises(KeyboardInterrupt):
                run.train(progress=False)
        return file

    return kill


def test_killed_before_the_first_checkpoint(other, tmp_path, kill_where):
    file = kill_where("save_model")
    file.rename(tmp_path / "away.keras")
    with Run.resume(tmp_path / "run") as run, pytest.raises(FailureError, match="gone"):
        run.train(progress=False)
    (tmp_path / "away.keras").rename(file)
    with Run.resume(tmp_path / "run") as run:
        run.train(progress=False)
    with begin(tmp_path / "whole", init_from=str(other.path)) as whole:
        whole.train(progress=False)
    for one, from_other in zip(run.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, from_other, rtol=1e-5, atol=1e-7)


def test_the_other_run_is_not_needed_any_more(tmp_path, kill_where):
    kill_where("RunRecorder.on_train_batch_begin").unlink()
    with Run.resume(tmp_path / "run") as run:
        run.train(progress=False)
    assert run.folder.is_trained()
