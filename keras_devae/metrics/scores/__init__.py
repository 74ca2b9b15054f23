"""One file a score: `METRIC`, its declaration, and the function of the same name as the file.

`keras_devae.metrics.METRICS` finds the files by itself. SciPy, scikit-learn and the estimators that
need them are imported when a score is computed, so that lists and checks of names are quick.
"""
