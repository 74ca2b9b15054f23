"""The command line: `keras-devae`."""

from keras_devae.cli.main import main

__all__ = ["main"]
