import json
from pathlib import Path

import numpy as np
import pytest

ORACLE = Path(__file__).parent / "oracle"


@pytest.fixture(scope="session")
def expected():
    return json.loads((ORACLE / "expected.json").read_text())


@pytest.fixture(scope="session")
def reference():
    """Reads a file of reference values by its name, e.g. "supervised"; see oracle/README.md."""
    return lambda name: json.loads((ORACLE / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def reference_inputs():
    """Reads the arrays that belong to a file of reference values, as a dictionary."""

    def load(name):
        with np.load(ORACLE / f"{name}.npz") as stored:
            return dict(stored)

    return load


@pytest.fixture(scope="session")
def load_case():
    """Reads (codes float64 (n, d), factors int64 (n, f)) of a case; see oracle/README.md."""

    def load(case):
        with np.load(ORACLE / f"{case}.npz") as stored:
            planes, factors = stored["codes"], stored["factors"]
        codes = np.ascontiguousarray(planes.transpose(2, 1, 0)).view("<f4")[..., 0]
        return codes.astype(np.float64), factors.T.astype(np.int64)

    return load
