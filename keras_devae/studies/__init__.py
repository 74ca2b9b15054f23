"""Many runs: a file that says which, processes or a cluster that run them, and a table of them."""

from keras_devae.studies.study import Study
from keras_devae.studies.sweep import expand
from keras_devae.studies.table import result_rows

__all__ = ["Study", "expand", "result_rows"]
