"""Configurations of training runs: settings, kinds, presets."""
