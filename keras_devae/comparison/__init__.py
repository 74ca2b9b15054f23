"""Comparison of finished runs: groups, model selection without factors, and tables."""
