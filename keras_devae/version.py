"""The package's version, in a file that packaging can read without importing Keras."""

__version__ = "0.2.0"
