"""Studies of many runs: their files, the engines that run them, and tables of their results."""

from keras_devae.studies.study import Study
from keras_devae.studies.sweep import expand
from keras_devae.studies.table import result_rows

__all__ = ["Study", "expand", "result_rows"]
