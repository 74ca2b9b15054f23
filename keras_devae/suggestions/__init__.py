"""Proposals: the settings that suit a data set, from its images and a short annealed run."""

from keras_devae.suggestions.suggesting import Suggestion, propose, suggest

__all__ = ["Suggestion", "propose", "suggest"]
