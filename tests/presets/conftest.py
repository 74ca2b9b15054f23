"""The stand-in for a good preset."""

from stand_in_presets import begun, hub, made, preset, shipped

__all__ = ["begun", "hub", "made", "preset", "shipped"]
