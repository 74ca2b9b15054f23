"""Comparison of finished runs, groups and selection without factors: `keras-devae compare`."""
