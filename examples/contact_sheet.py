"""Draws a contact sheet of every data set, and of variants of dSprites.

It needs a clone of the repository, whose tests hold the published frames:
python examples/contact_sheet.py examples/results

- dSprites and 3D Shapes: published frames above the same frames by the built-in renderers.
- Cars3D, SmallNORB and MPI3D: a row for each factor; the real images of a data set that is
  prepared on this machine, otherwise small stand-ins in the published format.
- dSprites plain, coloured, with noise, and with a background of scikit-learn's sample pictures.
"""

import argparse
import runpy
import tempfile
from pathlib import Path

import numpy as np
import sklearn.datasets

import keras_devae as kd
from keras_devae.data.builtin.mpi3d import MPI3DFile

TEST_DATA = Path(__file__).parents[1] / "tests" / "data"
MINIATURES = runpy.run_path(str(TEST_DATA / "miniature_files.py"))


def contact_sheet(name, file, columns=12):
    """Returns the figure of a data set: published frames in the first row, drawn in the second."""
    frames = np.load(TEST_DATA / "reference" / file)
    chosen = np.linspace(0, len(frames["images"]) - 1, columns).astype(int)
    published = frames["images"][chosen].reshape(columns, 64, 64, -1)
    published = published * 255 if published.max() == 1 else published
    data = kd.data.load(name, source="rendered")
    drawn = data.images(data.grid.indices(frames["factors"][chosen]))
    return kd.figures.contact_sheet(
        np.concatenate([published, drawn]), columns=columns, row_labels=["published", "rendered"]
    )


class SmallMPI3DFile(MPI3DFile):
    """Reads the miniature of MPI3D, whose file does not say that its grid is smaller."""

    grid = kd.data.FactorGrid(MPI3DFile.factor_names, (4, 6, 2, 3, 3, 4, 4))


def stand_in(name, folder):
    """Returns a miniature of a data set, read from a file in the published format."""
    if name == "cars3d":
        MINIATURES["write_cars3d"](folder)
    elif name == "smallnorb":
        MINIATURES["write_small_norb"](folder, (5, 2, 4, 6, 4))
    else:
        (path,) = MINIATURES["write_mpi3d"](folder, SmallMPI3DFile.grid.sizes).paths
        file = SmallMPI3DFile(path)
        images = np.concatenate(list(file.chunks()))
        return kd.data.from_arrays(images, file.factors, file.factor_names, name=name)
    return kd.data.load(name, path=folder)


def factor_sheet(data, columns=8):
    """Returns a figure with a row for each factor, which varies while the others are held."""
    middle = np.array(data.grid.sizes) // 2
    rows = []
    for j, size in enumerate(data.grid.sizes):
        factors = np.tile(middle, (columns, 1))
        factors[:, j] = np.arange(columns) * size // columns
        rows.append(data.images(data.grid.indices(factors)))
    return kd.figures.contact_sheet(
        np.concatenate(rows), columns=columns, row_labels=list(data.grid.names)
    )


def variant_sheet(columns=12):
    """Returns a figure of dSprites in each of the variants that change pixels."""
    data = kd.data.load("dsprites", source="rendered")
    pictures = Path(sklearn.datasets.__file__).parent / "images"
    variants = {
        "plain": data,
        "colour": kd.data.variants.colour(data),
        "noise": kd.data.variants.noise(data),
        "background": kd.data.variants.background(data, pictures),
    }
    rows = np.random.default_rng(0).integers(len(data), size=columns)
    images = [np.broadcast_to(v.images(rows), (columns, 64, 64, 3)) for v in variants.values()]
    return kd.figures.contact_sheet(
        np.concatenate(images), columns=columns, row_labels=list(variants)
    )


def main(folder):
    """Writes the sheets into a folder."""
    figures = {
        "dsprites": contact_sheet("dsprites", "gif_320.npz"),
        "shapes3d": contact_sheet("shapes3d", "notebook_50.npz"),
        "variants": variant_sheet(),
    }
    for name in ("cars3d", "smallnorb", "mpi3d_toy"):
        with tempfile.TemporaryDirectory() as miniatures:
            is_here = kd.data.info(name)["prepared"]
            data = kd.data.load(name) if is_here else stand_in(name, miniatures)
            figures[name] = factor_sheet(data)
    for name, figure in figures.items():
        print(kd.figures.save(figure, Path(folder) / f"contact_sheet_{name}.png"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default=".", help="[default: the working directory]")
    main(parser.parse_args().folder)
