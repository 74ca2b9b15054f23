"""Finished runs side by side: groups, selection without factors, and tables."""
