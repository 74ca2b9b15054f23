"""Every data set pickles, and is the same in a process that was started anew."""

import multiprocessing
import pickle
import warnings

import numpy as np
import pytest
from PIL import Image

from keras_devae.data import from_arrays, from_folder, from_npy, from_npz, load, prepare, variants
from keras_devae.data.builtin.catalogue import BUILTIN_SETS, builtin_set
from keras_devae.data.builtin.mpi3d import MPI3DFile
from keras_devae.data.store.reading import open_files
from keras_devae.input.batches import Batches

ROWS = [3, 0, 3, 5]


def read(pickled):
    """Runs in the spawned process."""
    dataset = pickle.loads(pickled)
    if isinstance(dataset, Batches):
        return dataset[1][0], dataset.indices(7)
    factors = None if dataset.factor_names is None else dataset.factors(ROWS)
    return dataset.images(ROWS), factors


@pytest.fixture(scope="module")
def spawned():
    """One process for all."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spawned")
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 1), dtype=np.uint8)
    factors = np.indices((2, 3)).reshape(2, -1).T
    (folder / "pictures").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / "pictures" / f"{number}.png")
    np.savez(folder / "x.npz", images=images, factors=factors)
    np.save(folder / "x.npy", images)
    np.save(folder / "factors.npy", factors)
    return folder


def streamed(path):
    """3D Shapes read from the file chunk by chunk, after some of them have been kept."""
    official = builtin_set("shapes3d")
    with pytest.warns(UserWarning, match="slow"):
        dataset = open_files(official, [path], 64, memory_limit=1)
    dataset.images([0])
    return dataset


def drawn(name):
    dataset = load(name, source="rendered", image_size=32)
    # Whatever is kept after the first image must not stand in the way.
    dataset.images([0])
    return dataset


def own(folder):
    return from_npz(folder / "x.npz")


MAKE = {
    "dsprites": lambda folder: drawn("dsprites"),
    "shapes3d": lambda folder: drawn("shapes3d"),
    "dsprites without its 40th": lambda folder: load(
        "dsprites", source="rendered", image_size=32, drop_duplicate_orientation=True
    ),
    "arrays": lambda folder: from_arrays(own(folder).images(range(6))),
    "npz": own,
    "npy": lambda folder: from_npy(folder / "x.npy", factors_file=folder / "factors.npy"),
    "folder": lambda folder: from_folder(folder / "pictures", 8),
    "select factors": lambda folder: variants.select_factors(
        drawn("shapes3d"), ["scale", "shape=1"]
    ),
    "subset": lambda folder: variants.subset(own(folder), 6),
    "hidden": lambda folder: variants.hidden(own(folder), ["factor_0"]),
    "held out": lambda folder: variants.held_out(
        drawn("dsprites"), [{"shape": 1}], complement=True
    ),
    "correlated": lambda folder: variants.correlated(
        own(folder), [("factor_0", "factor_1", 0.4)], length=9
    ),
    "colour": lambda folder: variants.colour(own(folder)),
    "noise": lambda folder: variants.noise(drawn("shapes3d")),
    "background": lambda folder: variants.background(own(folder), folder / "pictures"),
    "chained": lambda folder: variants.apply(own(folder), ["subset:6", "colour", "noise"]),
    "batches": lambda folder: drawn("shapes3d").batches(4, seed=3),
}


def same(spawned, dataset):
    here, there = read(pickle.dumps(dataset)), spawned.apply(read, (pickle.dumps(dataset),))
    direct = dataset[1][0] if isinstance(dataset, Batches) else dataset.images(ROWS)
    for one, other in zip((direct, *here[1:]), there, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(here[0], direct)


@pytest.mark.parametrize("name", MAKE)
def test_gives_the_same_in_a_spawned_process(spawned, folder, name):
    same(spawned, MAKE[name](folder))


@pytest.mark.parametrize("how", ["store", "file"])
@pytest.mark.parametrize("name", ["dsprites", "shapes3d", "cars3d", "smallnorb"])
def test_published_files_and_stores_do_too(spawned, miniature, tmp_path, name, how):
    writer = {"smallnorb": "write_small_norb"}.get(name, f"write_{name}")
    published = tmp_path / "published"
    published.mkdir()
    getattr(miniature, writer)(published)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = prepare(name, published, tmp_path / "data") if how == "store" else published
        same(spawned, load(name, path=store))


def test_a_streamed_h5_file_does_too(spawned, shapes3d_h5):
    same(spawned, streamed(shapes3d_h5()[0]))


def test_a_mapped_file_travels_by_its_name(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (500, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    assert len(pickle.dumps(from_npy(tmp_path / "x.npy"))) < 10_000


def test_every_published_set_is_tried():
    assert {"dsprites", "shapes3d", "cars3d", "smallnorb"} | {
        name for name in BUILTIN_SETS if builtin_set(name).file_format is MPI3DFile
    } == set(BUILTIN_SETS)
