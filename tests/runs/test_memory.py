"""Training on half a million images must not need their memory."""

import os
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.slow
@pytest.mark.backends
def test_memory_stays_as_it_is_while_a_run_trains():
    """From step 1,000 to 20,000, with checkpoints and everything tracked."""
    script = Path(__file__).parents[1] / "benchmarks" / "memory_growth.py"
    result = subprocess.run(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=True
    )
    assert "step 20000: " in result.stdout
    grown = float(result.stdout.split("grown by ")[1].split(" MB")[0])
    assert grown < 100
