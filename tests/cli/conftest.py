"""The stand-in for a good preset."""

from stand_in_presets import begun, made, shipped

__all__ = ["begun", "made", "shipped"]
