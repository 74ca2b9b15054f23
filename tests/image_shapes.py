"""Shapes of images, square and not, small and large, with few and many channels."""

SHAPES = [
    *((16, 16, 1), (17, 23, 16), (28, 28, 1), (48, 80, 3), (64, 64, 4), (96, 96, 3)),
    *((100, 60, 2), (218, 178, 3), (224, 224, 3), (512, 16, 1), (16, 511, 1), (129, 31, 5)),
]
