"""Running the command line in the process of the test."""

import pytest

from keras_devae.cli import main


def run(*words):
    """Runs the command line in this process and returns its exit code."""
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code
