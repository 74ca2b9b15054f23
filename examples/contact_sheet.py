"""Draw published frames of dSprites and 3D Shapes above the same frames by the built-in renderers.

Run from the repository: python examples/contact_sheet.py examples/results
"""

import sys
from pathlib import Path

import numpy as np

import keras_devae as kd

REFERENCE = Path(__file__).parents[1] / "tests" / "data" / "reference"


def contact_sheet(name, file, columns=12):
    """Returns the figure of a data set: published frames in the first row, drawn in the second."""
    frames = np.load(REFERENCE / file)
    chosen = np.linspace(0, len(frames["images"]) - 1, columns).astype(int)
    published = frames["images"][chosen].reshape(columns, 64, 64, -1)
    published = published * 255 if published.max() == 1 else published
    data = kd.data.load(name, source="rendered")
    drawn = data.images(data.grid.indices(frames["factors"][chosen]))
    return kd.figures.contact_sheet(
        np.concatenate([published, drawn]), columns=columns, row_labels=["published", "rendered"]
    )


def main(folder):
    """Writes one sheet for each data set into a folder."""
    for name, file in (("dsprites", "gif_320.npz"), ("shapes3d", "notebook_50.npz")):
        figure = contact_sheet(name, file)
        print(kd.figures.save(figure, Path(folder) / f"contact_sheet_{name}.png"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
