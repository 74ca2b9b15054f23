"""A thousand codes: what the paper's wide models need."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import pathlib
import sys
import numpy as np
from keras_devae import metrics

rng = np.random.default_rng(0)
factors = np.stack([rng.integers(size, size=10_000) for size in (3, 6, 40, 32, 32)], axis=1)
codes = rng.normal(size=(10_000, 1024)).astype(np.float32)
codes[:, :5] = factors
scores = {
    **metrics.mig(codes, factors),
    **metrics.med(codes, factors, top_k=1, informativeness=False),
    **metrics.active_variables(codes, np.zeros_like(codes)),
}
assert scores["mig.score"] > 0.85 and scores["active_variables.varying_means"] == 1024
assert scores["med.top_k_completeness"] > scores["med.completeness"]
# Not getrusage: its maximum begins with what the parent process held.
status = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1]
print(int(status.split()[0]) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_thousand_codes_fit_in_two_gigabytes():
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=600
    )
    assert int(answer.stdout) < 2e9
