"""Training on half a million images must not need their memory."""

import resource
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["dsprites", "shapes3d"])
def test_training_and_evaluation_stay_under_1500_megabytes(dataset, tmp_path):
    words = ["train", "--dataset", dataset, "--source", "rendered", "--steps", "50"]
    subprocess.run([sys.executable, "-m", "keras_devae.cli", *words], check=True, cwd=tmp_path)
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert kilobytes < 1_500_000
