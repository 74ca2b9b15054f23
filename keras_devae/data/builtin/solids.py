"""The four solids of 3D Shapes: where a ray enters them, and which way their surface faces.

All solids stand on the floor, `z = 0`, around the vertical axis. Points and directions are triples
of arrays (or numbers) that broadcast together, so that one call handles all rays of an image.
Exactly vertical rays are not handled: neither the camera nor the lamp sends any to a solid.
"""

import abc
from typing import Any, TypeAlias

import numpy as np

from keras_devae.checks import Array

#: x, y and z, each an array or a number.
Triple: TypeAlias = tuple[Any, Any, Any]


class Solid(abc.ABC):
    """A solid of 3D Shapes; its `scale` multiplies all its lengths.

    Attributes:
        radius: Largest distance of a point from the vertical axis, in room units.
    """

    radius: np.float32

    @abc.abstractmethod
    def __init__(self, scale: float): ...

    @abc.abstractmethod
    def distance(self, origin: Triple, direction: Triple) -> Array:
        """Returns the ray parameter at which each ray enters, `inf` where it misses."""

    @abc.abstractmethod
    def normal(self, x: Array, y: Array, z: Array) -> Triple:
        """Returns the outward unit normals at points of the surface."""


class Cube(Solid):
    """A cube with a half edge of 0.35 room units, its faces parallel to the walls."""

    def __init__(self, scale: float):
        self.half_edge = np.float32(0.35 * scale)
        self.radius = self.half_edge * np.sqrt(np.float32(2))

    def distance(self, origin: Triple, direction: Triple) -> Array:
        """See `Solid.distance`."""
        half = self.half_edge
        x_in, x_out = _slab(-half, half, origin[0], direction[0])
        y_in, y_out = _slab(-half, half, origin[1], direction[1])
        z_in, z_out = _slab(0, 2 * half, origin[2], direction[2])
        entry = np.maximum(np.maximum(x_in, y_in), z_in)
        return _entry_of(entry, np.minimum(np.minimum(x_out, y_out), z_out))

    def normal(self, x: Array, y: Array, z: Array) -> Triple:
        """See `Solid.normal`."""
        offsets = np.stack([x, y, z - self.half_edge])
        face = np.abs(offsets).argmax(axis=0) == np.arange(3)[:, np.newaxis]
        x_side, y_side, z_side = np.where(face, np.sign(offsets), np.float32(0))
        return x_side, y_side, z_side


class Cylinder(Solid):
    """An upright cylinder with a radius of 0.374 and a height of 0.75 room units."""

    def __init__(self, scale: float):
        self.radius = np.float32(0.374 * scale)
        self.height = np.float32(0.75 * scale)

    def distance(self, origin: Triple, direction: Triple) -> Array:
        """See `Solid.distance`."""
        side_in, side_out = _tube(origin, direction, self.radius)
        z_in, z_out = _slab(0, self.height, origin[2], direction[2])
        return _entry_of(np.maximum(side_in, z_in), np.minimum(side_out, z_out))

    def normal(self, x: Array, y: Array, z: Array) -> Triple:
        """See `Solid.normal`."""
        distance_from_axis = np.hypot(x, y)
        on_top = self.height - z < self.radius - distance_from_axis
        side = np.where(on_top, np.float32(0), 1 / self.radius)
        return x * side, y * side, on_top.astype(np.float32)


class Sphere(Solid):
    """A sphere with a radius of 0.424 room units."""

    def __init__(self, scale: float):
        self.radius = np.float32(0.424 * scale)

    def distance(self, origin: Triple, direction: Triple) -> Array:
        """See `Solid.distance`."""
        return _entry_of(*_ball(origin, direction, self.radius, self.radius))

    def normal(self, x: Array, y: Array, z: Array) -> Triple:
        """See `Solid.normal`."""
        return x / self.radius, y / self.radius, (z - self.radius) / self.radius


class Capsule(Solid):
    """An upright cylinder capped by two hemispheres.

    Their radius is 0.324 and the distance between their centres is 0.65 room units.
    """

    def __init__(self, scale: float):
        self.radius = np.float32(0.324 * scale)
        self.lower = self.radius
        self.upper = self.radius + np.float32(0.65 * scale)

    def distance(self, origin: Triple, direction: Triple) -> Array:
        """See `Solid.distance`."""
        side_in, side_out = _tube(origin, direction, self.radius)
        z_in, z_out = _slab(self.lower, self.upper, origin[2], direction[2])
        entry = _entry_of(np.maximum(side_in, z_in), np.minimum(side_out, z_out))
        # The capsule is the union of the tube and the two balls, so the first entry counts.
        for height in (self.lower, self.upper):
            ball_entry = _entry_of(*_ball(origin, direction, height, self.radius))
            entry = np.minimum(entry, ball_entry)
        return entry

    def normal(self, x: Array, y: Array, z: Array) -> Triple:
        """See `Solid.normal`."""
        nearest_on_axis = np.clip(z, self.lower, self.upper)
        return x / self.radius, y / self.radius, (z - nearest_on_axis) / self.radius


# In the order of the values of the factor "shape".
SOLIDS: tuple[type[Solid], ...] = (Cube, Cylinder, Sphere, Capsule)


def _slab(low, high, origin: Array, direction: Array) -> tuple[Array, Array]:
    first, second = (low - origin) / direction, (high - origin) / direction
    return np.minimum(first, second), np.maximum(first, second)


def _tube(origin: Triple, direction: Triple, radius) -> tuple[Array, Array]:
    """Returns where rays enter and leave the infinite vertical cylinder around the axis."""
    a = direction[0] ** 2 + direction[1] ** 2
    b = origin[0] * direction[0] + origin[1] * direction[1]
    c = origin[0] ** 2 + origin[1] ** 2 - radius**2
    return _quadratic_roots(a, b, c)


def _ball(origin: Triple, direction: Triple, height, radius) -> tuple[Array, Array]:
    """Returns where rays enter and leave the ball centred on the axis at `height`."""
    rise = origin[2] - height
    a = direction[0] ** 2 + direction[1] ** 2 + direction[2] ** 2
    b = origin[0] * direction[0] + origin[1] * direction[1] + rise * direction[2]
    c = origin[0] ** 2 + origin[1] ** 2 + rise**2 - radius**2
    return _quadratic_roots(a, b, c)


def _quadratic_roots(a, b, c) -> tuple[Array, Array]:
    """Returns the roots of `a t^2 + 2 b t + c`, NaN where there are none."""
    root = np.sqrt(b * b - a * c)
    return (-b - root) / a, (root - b) / a


def _entry_of(entry: Array, leave: Array) -> Array:
    """Returns the entry, or infinity for a miss (an empty interval or NaN)."""
    return np.where(entry <= leave, entry, np.float32(np.inf))
