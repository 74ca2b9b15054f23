"""The stand-in for a good preset."""

from stand_in_presets import _stage, begun, hub, made, preset, shipped

__all__ = ["_stage", "begun", "hub", "made", "preset", "shipped"]
