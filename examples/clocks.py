"""Draws a folder of 3,000 clock faces with their factors, to try own images with.

python examples/clocks.py clocks
keras-devae suggest --dataset folder:clocks
"""

import argparse
import csv
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

#: Name of a colour -> the paint.
COLOURS = {"blue": "royalblue", "green": "seagreen", "orange": "darkorange", "red": "firebrick"}


def clock(hour, minute, colour, size=64):
    """Draws a clock that shows a time, four times as large first, for smooth edges."""
    large, middle = 4 * size, 2 * size
    image = Image.new("RGB", (large, large), "white")
    draw = ImageDraw.Draw(image)
    edge = large // 16
    draw.ellipse((edge, edge, large - edge, large - edge), fill=COLOURS[colour])
    hands = ((hour % 12 + minute / 60) / 12, 0.22, 3), (minute / 60, 0.38, 2)
    for turn, length, width in hands:
        angle = 2 * math.pi * turn
        end = (
            middle + length * large * math.sin(angle),
            middle - length * large * math.cos(angle),
        )
        draw.line(((middle, middle), end), fill="white", width=width * large // 64)
    return image.resize((size, size), Image.Resampling.BOX)


def main(folder="clocks", count=3000, size=64, seed=0):
    """Writes pictures and `factors.csv` into a folder."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with open(folder / "factors.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "hour", "minute", "colour"])
        for number in range(count):
            hour, minute = int(rng.integers(12)), 5 * int(rng.integers(12))
            colour = list(COLOURS)[rng.integers(len(COLOURS))]
            name = f"clock-{number:05d}.png"
            clock(hour, minute, colour, size).save(folder / name)
            table.writerow([name, hour, minute, colour])
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="clocks", help="[default: %(default)s]")
    print(main(parser.parse_args().folder))
