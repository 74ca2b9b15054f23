"""Your own images and factors: arrays, files and folders of pictures."""
