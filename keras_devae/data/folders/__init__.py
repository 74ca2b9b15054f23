"""Folders of pictures: decoded once into the data folder, and opened as data sets."""
