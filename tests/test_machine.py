"""What a process may use, and what is installed."""

import os

import numpy as np
import pytest

from keras_devae.machine import installed_version, installed_versions


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux binds processes to cores")
def test_only_cores_of_this_process_count(fresh_python):
    core = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, [{core}]); "
    code += "from keras_devae.machine import usable_cores; print(usable_cores())"
    assert fresh_python("-c", code)[0] == "1\n"


def test_what_is_not_installed_has_no_version():
    assert installed_version("numpy") == np.__version__
    assert installed_version("no-such-thing") is None
    assert installed_versions(["numpy", "no-such-thing"]) == {"numpy": np.__version__}
