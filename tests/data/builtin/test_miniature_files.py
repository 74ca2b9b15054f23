"""Every set from a file in its published format to the images of a batch."""

import dataclasses

import numpy as np
import pytest
from data_folder import visible
from PIL import Image

from keras_devae.data import FactorGrid, info, load, names, prepare, verify
from keras_devae.data.builtin import catalogue
from keras_devae.data.builtin.mpi3d import MPI3DFile
from keras_devae.errors import FailureError, UsageError

MPI3D_SIZES = (2, 3, 2, 2, 2, 4, 3)
#: Name of the function that writes a miniature, and the sizes of its grid.
WRITERS = {
    "dsprites": ("write_dsprites", (3, 2, 3, 3, 3)),
    "shapes3d": ("write_shapes3d", (2,) * 6),
    "cars3d": ("write_cars3d", (4, 24, 3)),
    "smallnorb": ("write_small_norb", (2, 2, 2, 3, 3)),
    "mpi3d_toy": ("write_mpi3d", MPI3D_SIZES),
    "mpi3d_realistic": ("write_mpi3d", MPI3D_SIZES),
    "mpi3d_real": ("write_mpi3d", MPI3D_SIZES),
}


class SmallMPI3DFile(MPI3DFile):
    grid = FactorGrid(MPI3DFile.factor_names, MPI3D_SIZES)


@pytest.fixture
def written(request, miniature, tmp_path, monkeypatch):
    """Writes the miniature of a set by its name; makes MPI3D's readable."""

    def write(name):
        folder = tmp_path / "published"
        folder.mkdir()
        options = {}
        if name.startswith("mpi3d"):
            options = {"name": f"{name}.npz"}
            small = dataclasses.replace(catalogue.builtin_set(name), file_format=SmallMPI3DFile)
            monkeypatch.setitem(catalogue.BUILTIN_SETS, name, small)
        return folder, getattr(miniature, WRITERS[name][0])(folder, **options)

    return write


def expected(written, sizes, size):
    """Images by the row numbers of the grid, resized by Pillow."""
    places = np.ravel_multi_index(tuple(written.factors.T), sizes)
    resized = [
        np.asarray(Image.fromarray(image.squeeze()).resize((size, size), Image.Resampling.LANCZOS))
        for image in written.images
    ]
    images = np.empty((len(places), size, size, written.images.shape[-1]), np.uint8)
    images[places] = np.reshape(resized, images.shape)
    return images


def test_the_script_writes_the_files_of_every_set(miniature, tmp_path, capsys):
    miniature.main(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(capsys.readouterr().out.splitlines()) == 10


def test_there_is_a_miniature_of_every_set():
    assert set(WRITERS) == set(names())


@pytest.mark.parametrize("name", WRITERS)
def test_prepared_images_are_those_of_the_file(name, written, tmp_path):
    folder, files = written(name)
    sizes = WRITERS[name][1]
    images = expected(files, sizes, 64)
    store = prepare(name, folder, tmp_path / "data")
    dataset = load(name, data_dir=tmp_path / "data")
    assert store.parent == tmp_path / "data" and dataset.grid.sizes == sizes
    assert dataset.grid.names == tuple(info(name)["factors"])
    rows = np.random.default_rng(0).permutation(len(images))
    np.testing.assert_array_equal(dataset.images(rows), images[rows])
    np.testing.assert_array_equal(
        dataset.factors(rows), np.stack(np.unravel_index(rows, sizes), axis=1)
    )
    np.testing.assert_array_equal(dataset.grid.indices(dataset.factors(rows)), rows)
    assert dataset.is_binary == (name == "dsprites")
    assert set(verify(name, tmp_path / "data").values()) == {"as it was prepared"}
    assert not dataset.provenance["matches_published"]


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_read_without_preparing_them(name, written):
    folder, files = written(name)
    dataset = load(name, path=folder)
    images = expected(files, WRITERS[name][1], 64)
    np.testing.assert_array_equal(dataset.images(np.arange(len(images))), images)
    prepare(name, folder)
    assert load(name).provenance == dataset.provenance


@pytest.mark.parametrize(("name", "size"), [("cars3d", 128), ("smallnorb", 96)])
def test_images_can_be_kept_as_published(name, size, written):
    folder, files = written(name)
    store = prepare(name, folder, image_size=size)
    assert store.name == f"{name}-{size}"
    dataset = load(name, image_size=size)
    places = np.ravel_multi_index(tuple(files.factors.T), WRITERS[name][1])
    np.testing.assert_array_equal(dataset.images(places), files.images)
    assert list(info(name)["prepared"]) == [str(store)]
    prepare(name, folder)
    assert len(info(name)["prepared"]) == 2 and load(name).image_shape[0] == 64
    np.testing.assert_array_equal(
        load(name, path=folder, image_size=size).images(places), files.images
    )


def test_all_files_of_a_set_are_fetched_from_one_folder(written, server, tmp_path, monkeypatch):
    _, files = written("smallnorb")
    server.answers = [(200, path.read_bytes()) for path in files.paths]
    monkeypatch.setenv("KERAS_DEVAE_SMALLNORB_URL", server.url)
    dataset = load("smallnorb", source="official", data_dir=tmp_path / "data")
    places = np.ravel_multi_index(tuple(files.factors.T), WRITERS["smallnorb"][1])
    np.testing.assert_array_equal(
        dataset.images(places[:20]), expected(files, WRITERS["smallnorb"][1], 64)[places[:20]]
    )
    asked = [request["path"].rpartition("/")[2] for request in server.requests]
    assert asked == [path.name for path in files.paths]
    assert "6 official files" in dataset.description
    assert dataset.provenance["file"].count(", ") == 5


def test_a_download_of_one_of_many_files_is_looked_at(written, server, tmp_path):
    _, files = written("smallnorb")
    bodies = [path.read_bytes() for path in files.paths]
    server.answers = [(200, bodies[0]), (200, b"<html>moved</html>")]
    with pytest.raises(FailureError, match=r"cat\.mat\.gz.*what http.*--from FOLDER"):
        prepare("smallnorb", data_dir=tmp_path / "data", url=server.url)
    assert visible(tmp_path / "data") == [files.paths[0].name]
    server.answers = [(200, body) for body in bodies[1:]]
    prepare("smallnorb", data_dir=tmp_path / "data", url=server.url)


def test_says_how_to_replace_a_damaged_file_in_the_data_folder(written, tmp_path):
    _, files = written("cars3d")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / files.paths[0].name).write_bytes(files.paths[0].read_bytes()[:-200])
    with pytest.raises(FailureError, match="force=True"):
        prepare("cars3d", data_dir=folder)


@pytest.mark.parametrize("size", [np.int64(128), "128", 128.0, 32, (64, 128)])
def test_image_sizes_are_whole_numbers_that_there_are(written, tmp_path, size):
    folder, _ = written("cars3d")
    if size in (128, "128") and not isinstance(size, float):
        assert prepare("cars3d", folder, image_size=size).name == "cars3d-128"
        return
    with pytest.raises(UsageError, match=r"64 or 128 pixels per side|must be a whole number"):
        prepare("cars3d", folder, tmp_path / "data", image_size=size)
    assert not (tmp_path / "data").exists()
