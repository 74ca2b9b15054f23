"""Images of any number of channels: trained, gone on with, reported on and drawn to the end."""

import numpy as np
import pytest
from PIL import Image
from running import run
from thoroughness import quick_first

from keras_devae.figures.of_models import MODEL_FIGURES
from keras_devae.runs import RunDirectory


def channelled(channels):
    """64 images of 8x8 whose channels are unlike each other, and two factors."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (64, 2))
    images = np.zeros((64, 8, 8, channels), np.uint8)
    for image, (row, column) in zip(images, factors, strict=True):
        image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = rng.integers(50, 255, channels)
    return images, factors


@pytest.fixture(scope="module", params=quick_first([2, 4, 5, 12], [4]))
def trained(request, tmp_path_factory):
    """The folder of a run of such images, with all that draws while it trains."""
    folder = tmp_path_factory.mktemp("channels")
    images, factors = channelled(request.param)
    np.savez(folder / "images.npz", images=images, factors=factors)
    words = ["--dataset", f"npz:{folder / 'images.npz'}", "--network", "mlp", "--latent-dim", "2"]
    words += ["--steps", "4", "--batch-size", "16", "--track", "traversal", "--track-every", "4"]
    assert run("train", *words, "--runs-dir", folder, "--run", "run") == 0
    return folder / "run"


@pytest.mark.parametrize("kind", MODEL_FIGURES)
def test_every_picture_of_a_model_is_drawn(trained, kind, tmp_path):
    assert run("plot", kind, trained, "--out", tmp_path / "a.png") == 0
    with Image.open(tmp_path / "a.png") as picture:
        assert np.asarray(picture).std() > 0


def test_a_traversal_moves(trained, tmp_path):
    assert run("plot", "traversal", trained, "--steps", "2", "--out", tmp_path / "a.gif") == 0
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.size[0] > 100


def test_training_and_its_report_reach_their_end(trained):
    assert RunDirectory.open(trained).is_trained()
    assert len(list((trained / "tracking").glob("traversal-step-*.png"))) == 2
    for name in ("traversal", "reconstructions", "samples"):
        assert (trained / "figures" / f"{name}.png").is_file()
    trained.joinpath("report.html").unlink()
    assert run("report", trained) == 0 and trained.joinpath("report.html").is_file()
    # What was trained is only measured anew.
    assert run("train", "--resume", trained) == 0
