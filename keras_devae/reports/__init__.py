"""Pages that people read: the report of a run, and the comparison of several."""

from keras_devae.reports.comparison_report import write_comparison
from keras_devae.reports.run_report import write_report

__all__ = ["write_comparison", "write_report"]
