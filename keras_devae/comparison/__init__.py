"""Finished runs side by side: groups, model selection without factors, and tables."""
