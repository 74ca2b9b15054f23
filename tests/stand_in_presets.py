"""A run of a few steps, and the preset made from it, as a stand-in for a good one."""

import functools
import importlib.machinery
import shutil
import sys
import types

import pytest

from keras_devae.presets import builtin
from keras_devae.runs import Run, RunConfig

TINY = {
    "model": "devae",
    "dataset": "dsprites",
    "source": "rendered",
    "image_size": 32,
    "variants": ("subset:300",),
    "network": "mlp",
    "network_units": (8,),
    "latent_dim": 3,
    "steps": 30,
    "batch_size": 16,
    "learning_rate": 3e-3,
    "checkpoint_every": 15,
    "metrics": ("mig", "kl", "reconstruction_error"),
    "evaluation_images": 100,
    "mixed_precision": "off",
}


@functools.cache
def _run_in(folder):
    with Run.new(RunConfig(**TINY), folder / "tiny") as run:
        run.train(progress=False)
        run.evaluate()
    return run.folder.path


@functools.cache
def _preset_in(folder):
    from keras_devae.reports.preset_making import make_preset

    return make_preset(Run.open(_run_in(folder)), folder / "presets" / "stand_in")


@pytest.fixture(scope="session")
def _stage(tmp_path_factory):
    # One folder, although the fixtures are known in two places.
    return tmp_path_factory.getbasetemp() / "stand-in"


@pytest.fixture(scope="session")
def begun(_stage):
    """The folder of a trained run."""
    return _run_in(_stage)


@pytest.fixture(scope="session")
def made(_stage):
    """The preset `stand_in`, made from that run."""
    return _preset_in(_stage)


@pytest.fixture
def preset(made, tmp_path):
    """A copy of that preset, to damage."""
    return shutil.copytree(made, tmp_path / "copied" / "stand_in")


@pytest.fixture
def shipped(made, monkeypatch, tmp_path):
    """Lets the preset `stand_in` be the only one that comes with the package; works elsewhere."""
    monkeypatch.setattr(builtin, "FILES", made.parent)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return "stand_in"


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Puts a folder in the place of the Hugging Face Hub, for this package and for Keras."""
    from keras.src.saving import saving_lib

    stored = tmp_path / "hub"

    class HfApi:
        def __init__(self, **options):
            pass

        def create_repo(self, name, exist_ok):
            assert exist_ok
            (stored / name).mkdir(parents=True, exist_ok=True)
            return types.SimpleNamespace(repo_id=name)

        def upload_folder(self, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, stored / repo_id, dirs_exist_ok=True)

    def snapshot_download(repo_id, **options):
        if not (stored / repo_id).is_dir():
            raise OSError("404 Client Error.\n\nRepository Not Found")
        return str(stored / repo_id)

    module = types.ModuleType("huggingface_hub")
    module.__spec__ = importlib.machinery.ModuleSpec("huggingface_hub", None)
    module.HfApi, module.snapshot_download = HfApi, snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.setattr(saving_lib, "huggingface_hub", module)
    return stored
