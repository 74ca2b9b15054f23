"""Training on half a million images must not need their memory."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["dsprites", "shapes3d"])
def test_training_and_evaluation_stay_under_1500_megabytes(dataset, tmp_path):
    words = ["train", "--dataset", dataset, "--source", "rendered", "--steps", "50"]
    command = [sys.executable, "-m", "keras_devae.cli", *words]
    process = subprocess.Popen(command, cwd=tmp_path)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert usage.ru_maxrss < 1_500_000
