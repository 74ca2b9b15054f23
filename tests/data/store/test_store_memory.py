"""A store of the size of 3D Shapes, mostly holes that take no room on the disk."""

import subprocess
import sys

import numpy as np
import pytest

from keras_devae.data import prepare

SHAPE = (480_000, 64, 64, 3)
SCRIPT = """
import sys
import numpy as np
from keras_devae.data import load
from keras_devae.input.shuffling import EndlessOrder

dataset = load("shapes3d", data_dir=sys.argv[1])
order, last = EndlessOrder(len(dataset), seed=0), len(dataset) - 1
assert dataset.images([last, 0, -1])[:, 5, 6, 2].tolist() == [77, 0, 77]
for step in range(1000):
    dataset.images(order(np.arange(step * 256, (step + 1) * 256)))
with open("/proc/self/status") as file:
    print(next(line for line in file if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_thousand_shuffled_batches_stay_within_a_gigabyte(shapes3d_h5, tmp_path):
    store = prepare("shapes3d", shapes3d_h5()[0], tmp_path / "data")
    images = np.lib.format.open_memmap(store / "images.npy", "w+", np.uint8, SHAPE)
    images[-1, 5, 6, 2] = 77
    images.flush()
    np.save(store / "factors.npy", np.zeros((SHAPE[0], 6), np.uint8))
    command = [sys.executable, "-c", SCRIPT, tmp_path / "data"]
    peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(peak) < 1_000_000
    assert (store / "images.npy").stat().st_blocks * 512 < 10_000_000
