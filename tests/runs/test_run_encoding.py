"""The codes that a run's folder keeps, and whose they are."""

import logging

import pytest

from keras_devae import data
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.trained_model import load_trained, run_encoding


@pytest.fixture
def images(blobs):
    return data.from_arrays(blobs(8))


@pytest.fixture
def run(tiny, tmp_path):
    """The folder of a run of which there is one checkpoint."""
    run = RunDirectory(tmp_path / "run")
    run.checkpoints.mkdir(parents=True)
    run.write_record(RunConfig(model="devae", latent_dim=3, dataset="npz:images.npz"), {}, {})
    tiny().save(run.checkpoint_file(10))
    return run


def codes_of(run, model, images):
    with run_encoding(model, run, images) as encoding:
        codes = encoding.codes(range(8), 0)
    return codes, encoding.encoded_count


def test_codes_are_kept_for_the_weights_that_made_them(run, tiny, images):
    early = load_trained(run)
    # Before anything is encoded, the run goes on.
    tiny(seed=9).save(run.checkpoint_file(20))
    codes_of(run, early, images)
    codes, encoded = codes_of(run, load_trained(run), images)
    assert encoded == 8
    assert codes == pytest.approx(tiny(seed=9).encode(images.images(range(8))), abs=1e-6)
    assert codes_of(run, load_trained(run), images)[1] == 0


def test_a_folder_that_cannot_be_written_loses_the_codes_alone(run, images, caplog):
    run.codes.write_text("no folder")
    model = load_trained(run)
    with caplog.at_level(logging.WARNING, "keras_devae"):
        codes, _ = codes_of(run, model, images)
    assert codes.shape[0] == 8 and "The codes are not kept." in caplog.text
