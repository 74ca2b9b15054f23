"""Measures how fast training, encoding and data are on this machine, and what limits them."""

from keras_devae.runs.benchmark.report import report_text, table_rows
from keras_devae.runs.benchmark.running import run_benchmark
from keras_devae.runs.benchmark.settings import PRECISION_NAMES, BenchmarkSettings

__all__ = ["PRECISION_NAMES", "BenchmarkSettings", "report_text", "run_benchmark", "table_rows"]
