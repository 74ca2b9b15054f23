"""What a preset made from a run holds."""

import json

import pytest

from keras_devae.reports.preset_making import make_preset, portable
from keras_devae.runs import Run, RunConfig


def test_the_card_is_complete(made):
    card = (made / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: keras\n")
    titles = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert titles == [
        *("Use", "What it holds", "Images and training", "Scores", "Pictures", "Limits", "Files")
    ]
    assert 'kd.DeVAE.from_preset("stand_in")' in card and "30 steps of 16 images" in card
    metadata = json.loads((made / "metadata.json").read_text())
    assert metadata["sha256"]["model.weights.h5"] in card
    for picture in ("traversal.png", "reconstructions.png"):
        assert f"]({picture})" in card and (made / picture).stat().st_size < 150_000
    scores = json.loads((made / "scores.json").read_text())
    assert f"{scores['layers'][0]['mig.score']:.3f}" in card
    assert scores["settings"]["model_sha256"] == metadata["sha256"]["model.weights.h5"]


def test_paths_of_this_machine_stay_here(squares_run, tmp_path):
    folder = make_preset(Run.open(squares_run), tmp_path / "mine", weights_dtype="float32")
    for file in folder.iterdir():
        if file.suffix in (".json", ".md"):
            assert str(squares_run.parent) not in file.read_text(), file
    with pytest.raises(ValueError, match=r"does not hold the images .* npz:images\.npz"):
        _ = Run.open(folder).dataset


@pytest.fixture(scope="module")
def squares_run(tmp_path_factory, blobs):
    """A run of a user's own images, with images held out."""
    import numpy as np

    folder = tmp_path_factory.mktemp("private")
    np.savez(folder / "images.npz", images=blobs(64))
    config = RunConfig(
        model="beta_vae",
        dataset=f"npz:{folder / 'images.npz'}",
        network="mlp",
        network_units=(8,),
        latent_dim=2,
        steps=2,
        batch_size=8,
        checkpoint_every=2,
        metrics=("kl",),
        evaluation_images=20,
        validation_split=0.25,
    )
    with Run.new(config, folder / "run") as run:
        run.train(progress=False)
    return folder / "run"


def test_records_without_folders():
    record = {
        "settings": {"data": {"dataset": "npz:/elsewhere/a.npz", "data_dir": "/data"}},
        "data": {"source": "npz", "file": "/elsewhere/a.npz"},
        "validation": {"dataset": None, "factors_file": "/elsewhere/f.csv"},
        "variants": ["subset:0.1", "background:/elsewhere/trees"],
    }
    assert portable(record) == {
        "settings": {"data": {"dataset": "npz:a.npz"}},
        "data": {"source": "npz", "file": "a.npz"},
        "validation": {"dataset": None, "factors_file": "f.csv"},
        "variants": ["subset:0.1", "background:trees"],
    }
