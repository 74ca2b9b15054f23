"""The owner of a run: what it claims, in which order, and how few modules the way to a step has."""

import sys

import pytest

from keras_devae.errors import FailureError, UsageError
from keras_devae.files import DiskFullError
from keras_devae.runs import Run, RunConfig, RunDirectory
from keras_devae.runs.run_lock import ClaimedError

pytestmark = pytest.mark.backends

#: Modules that only help: they check, read, write and watch, and lead nowhere.
HELPERS = ("backend", "checks", "errors", "files", "process")


def config(**settings):
    """The configuration of a run of a moment."""
    tiny = {"model": "vae", "network": "mlp", "network_units": (8,), "latent_dim": 2}
    images = {"dataset": "dsprites", "source": "rendered", "image_size": 32}
    lengths = {"steps": 4, "checkpoint_every": 2, "batch_size": 8, "evaluation_images": 50}
    given = {**tiny, **images, **lengths, "variants": ("subset:200",), "metrics": ("kl",)}
    return RunConfig(**{**given, **settings})


def is_claimed(path):
    return RunDirectory(path).is_claimed()


def test_a_run_is_trained_scored_and_reported_on_by_its_owner(tmp_path):
    path = tmp_path / "run"
    with Run.new(config(), path) as run:
        assert run.is_chief and is_claimed(path)
        assert run.train(progress=False) is run.model
        scores = run.evaluate()
        figures = run.report()
    assert not is_claimed(path)
    assert run.folder.is_trained() and run.folder.report_file.is_file()
    assert scores["layers"][0]["kl.total"] == run.folder.read_metrics()["layers"][0]["kl.total"]
    assert all(file.is_file() for file in figures.values()) and "traversal" in figures
    assert run.folder.read_config() == run.config


def test_a_second_owner_is_refused_until_the_first_is_done(tmp_path):
    with Run.new(config(), tmp_path / "run") as run:
        run.train(progress=False)
        with pytest.raises(ClaimedError, match="Another process"):
            Run.resume(tmp_path / "run")
        # Whoever only reads needs no claim.
        assert Run.open(tmp_path / "run").score()["layers"]
    with Run.resume(tmp_path / "run") as resumed:
        assert resumed.train(progress=False) is not run.model


def test_a_claim_ends_where_something_goes_wrong(tmp_path):
    with pytest.raises(ZeroDivisionError), Run.new(config(), tmp_path / "run"):
        raise ZeroDivisionError
    assert not is_claimed(tmp_path / "run")


def test_a_run_that_is_opened_is_not_trained(tmp_path):
    with Run.new(config(), tmp_path / "run") as run:
        run.train(progress=False)
    opened = Run.open(tmp_path / "run")
    with pytest.raises(UsageError, match=r"Run\.resume"):
        opened.train()
    assert opened.scores is None and opened.dataset.image_shape == opened.model.image_shape


def test_only_a_claimed_run_says_how_it_resumes(tmp_path, monkeypatch):
    def full(*_):
        raise DiskFullError("There is no room.")

    monkeypatch.setattr("keras_devae.reports.write_report", full)
    with Run.new(config(), tmp_path / "run") as run:
        run.train(progress=False)
        with pytest.raises(FailureError, match=r"^The run stopped\. .* Resume it with: "):
            run.report()
    with pytest.raises(DiskFullError, match=r"^There is no room\.$"):
        Run.open(tmp_path / "run").report()


def test_a_run_without_a_model_is_not_scored(tmp_path):
    with Run.new(config(), tmp_path / "run") as run:
        with pytest.raises(UsageError, match="neither a model nor a checkpoint"):
            run.evaluate()
        assert not run.folder.metrics_file.exists()


def test_a_taken_name_is_numbered_where_that_is_asked_for(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="is not a run"):
        Run.new(config(), tmp_path / "run")
    with Run.new(config(), tmp_path / "run", numbered=True) as run:
        assert run.folder.path == tmp_path / "run-2"


def test_a_configuration_is_adapted_to_its_data_set(tmp_path):
    def adapt(given, dataset):
        return given.replace(model_options={"beta": float(dataset.image_shape[0])})

    with Run.new(config(model="beta_vae"), tmp_path / "run", adapt=adapt) as run:
        assert run.config.model.options["beta"] == run.model.beta == 32


def modules_of_the_chain(frame):
    """The modules of a chain of calls in order, each once in a row, without helpers."""
    names = []
    while frame is not None:
        names.append(frame.f_globals.get("__name__", ""))
        frame = frame.f_back
    ours = [name for name in reversed(names) if name.startswith("keras_devae.")]
    ways = [name for name in ours if name.split(".")[1] not in HELPERS]
    return [name for i, name in enumerate(ways) if ways[i - 1 : i] != [name]]


def test_the_way_from_the_command_line_to_the_first_step_is_short(tmp_path, monkeypatch):
    """At most six modules from `train` to the call of Keras's loop, none of them twice."""
    import keras

    from keras_devae.cli.main import main

    chains = []
    fit = keras.Model.fit

    def noting(self, *arguments, **options):
        chains.append(modules_of_the_chain(sys._getframe(1)))
        return fit(self, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", noting)
    words = ["--dataset dsprites --source rendered --image-size 32 --variant subset:200"]
    words += ["--model vae --network mlp --network-units 8 --latent-dim 2 --steps 2"]
    words += ["--batch-size 8 --metrics kl --evaluation-images 50 --run r --runs-dir"]
    with pytest.raises(SystemExit) as ending:
        main(["train", *" ".join(words).split(), str(tmp_path)])
    assert ending.value.code == 0
    (chain,) = {tuple(chain) for chain in chains}
    way = chain[chain.index("keras_devae.cli.train") :]
    assert len(set(way)) == len(way) <= 6, way
