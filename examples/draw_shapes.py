"""Draws a folder of 600 bars with named colours and measured angles, to try own images with.

python examples/draw_shapes.py shapes
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue")
LENGTHS = (8, 12, 16)


def main(folder="shapes", count=600, side=64):
    """Writes pictures and `factors.csv` into a folder: colour, angle in degrees, length."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    with (folder / "factors.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "colour", "angle", "length"])
        for number in range(count):
            name = f"{number:03}.png"
            colour, length = rng.choice(COLOURS), rng.choice(LENGTHS)
            angle = rng.uniform(0, 90)
            picture = Image.new("RGB", (side, side), "white")
            bar = _corners(side / 2, 1.6 * length, 0.7 * length, np.radians(angle))
            ImageDraw.Draw(picture).polygon(bar, fill=str(colour))
            picture.save(folder / name)
            table.writerow([name, colour, f"{angle:.2f}", length])
    return folder


def _corners(centre, half_length, half_width, angle):
    """Returns the corners of a turned bar, as pairs of pixels."""
    along = half_length * np.array([np.cos(angle), np.sin(angle)])
    across = half_width * np.array([-np.sin(angle), np.cos(angle)])
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return [tuple((centre + a * along + b * across).tolist()) for a, b in signs]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="shapes", help="[default: %(default)s]")
    print(main(parser.parse_args().folder))
