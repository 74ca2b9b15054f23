"""How the images of `validation_dataset` are read."""

import numpy as np
import pytest
from PIL import Image

from keras_devae.runs.config.run_config import RunConfig, load_dataset
from keras_devae.runs.validation import held_out_images


def held_out(config):
    return held_out_images(config, load_dataset(config))


@pytest.fixture
def write_pictures(tmp_path, monkeypatch):
    """Writes six pictures of a mode, and a table of their factors, to a folder of a name."""
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(tmp_path / "data"))

    def write(name, mode):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(6):
            Image.new(mode, (16, 16), 40 * number).save(folder / f"{number}.png")
        rows = [f"{n}.png,{n / 7:.3f},{n // 2}" for n in range(6)]
        (folder / "factors.csv").write_text("\n".join(["file,angle,video", *rows]))
        return f"folder:{folder}"

    return write


def test_factors_and_colours_are_read_as_the_runs(write_pictures, tmp_path):
    settings = {"bins": {"angle": 3}, "sequence_column": "video", "image_size": 16}
    config = RunConfig(
        dataset=write_pictures("colour", "RGB"),
        validation_dataset=write_pictures("grey", "L"),
        data_dir=str(tmp_path / "elsewhere"),
        **settings,
    )
    other = held_out(config)
    assert other.image_shape == (16, 16, 3)
    assert other.factor_names == other.continuous_factors == ("angle",)
    np.testing.assert_array_equal(np.unique(other.factors(range(6))), [0, 1, 2])
    np.testing.assert_array_equal(other.sequences, [0, 0, 1, 1, 2, 2])
    assert len(list((tmp_path / "elsewhere/folders").iterdir())) == 2
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("names", [None, ("angle",)])
def test_columns_may_be_missing(write_pictures, tmp_path, names):
    arrays = {} if names is None else {"factors": np.arange(5)[:, None], "factor_names": names}
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "other.npz", images=images, **arrays)
    config = RunConfig(
        dataset=write_pictures("colour", "RGB"),
        validation_dataset=f"npz:{tmp_path / 'other.npz'}",
        factor_kinds={"angle": "classes"},
        sequence_column="video",
        image_size=16,
    )
    other = held_out(config)
    assert other.factor_names == names and other.nominal_factors == (names or ())
