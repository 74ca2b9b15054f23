"""The four solids of 3D Shapes: where a ray enters them, and which way their surface faces.

All solids stand on the floor, `z = 0`, around the vertical axis. Points and directions are triples
of arrays (or numbers) that broadcast together, so that a whole image of rays costs one call.
Exactly vertical rays are not handled: neither the camera nor the lamp sends one to a solid.
"""

import numpy as np

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]


class Cube:
    """A cube whose faces are parallel to the walls.

    Args:
        scale: Factor on the half edge of 0.35 room units.
    """

    def __init__(self, scale: float):
        self.half_edge = np.float32(0.35 * scale)
        self.radius = self.half_edge * np.sqrt(np.float32(2))

    def distance(self, origin: Triple, direction: Triple) -> np.ndarray:
        """Returns the ray parameter at which each ray enters, `inf` where it misses."""
        half = self.half_edge
        x_in, x_out = _slab(-half, half, origin[0], direction[0])
        y_in, y_out = _slab(-half, half, origin[1], direction[1])
        z_in, z_out = _slab(0, 2 * half, origin[2], direction[2])
        entry = np.maximum(np.maximum(x_in, y_in), z_in)
        return _entry_of(entry, np.minimum(np.minimum(x_out, y_out), z_out))

    def normal(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Triple:
        """Returns the outward unit normals at points of the surface."""
        offsets = np.stack([x, y, z - self.half_edge])
        face = np.abs(offsets).argmax(axis=0) == np.arange(3)[:, np.newaxis]
        return tuple(np.where(face, np.sign(offsets), np.float32(0)))


class Cylinder:
    """An upright cylinder.

    Args:
        scale: Factor on the radius of 0.374 and the height of 0.75 room units.
    """

    def __init__(self, scale: float):
        self.radius = np.float32(0.374 * scale)
        self.height = np.float32(0.75 * scale)

    def distance(self, origin: Triple, direction: Triple) -> np.ndarray:
        """Returns the ray parameter at which each ray enters, `inf` where it misses."""
        side_in, side_out = _tube(origin, direction, self.radius)
        z_in, z_out = _slab(0, self.height, origin[2], direction[2])
        return _entry_of(np.maximum(side_in, z_in), np.minimum(side_out, z_out))

    def normal(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Triple:
        """Returns the outward unit normals at points of the surface."""
        distance_from_axis = np.hypot(x, y)
        on_top = self.height - z < self.radius - distance_from_axis
        side = np.where(on_top, np.float32(0), 1 / self.radius)
        return x * side, y * side, on_top.astype(np.float32)


class Sphere:
    """A sphere.

    Args:
        scale: Factor on the radius of 0.424 room units.
    """

    def __init__(self, scale: float):
        self.radius = np.float32(0.424 * scale)

    def distance(self, origin: Triple, direction: Triple) -> np.ndarray:
        """Returns the ray parameter at which each ray enters, `inf` where it misses."""
        return _entry_of(*_ball(origin, direction, self.radius, self.radius))

    def normal(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Triple:
        """Returns the outward unit normals at points of the surface."""
        return x / self.radius, y / self.radius, (z - self.radius) / self.radius


class Capsule:
    """An upright cylinder with a half ball on each end.

    Args:
        scale: Factor on the radius of 0.324 and the distance of 0.65 room units between the
            centres of the half balls.
    """

    def __init__(self, scale: float):
        self.radius = np.float32(0.324 * scale)
        self.lower = self.radius
        self.upper = self.radius + np.float32(0.65 * scale)

    def distance(self, origin: Triple, direction: Triple) -> np.ndarray:
        """Returns the ray parameter at which each ray enters, `inf` where it misses."""
        side_in, side_out = _tube(origin, direction, self.radius)
        z_in, z_out = _slab(self.lower, self.upper, origin[2], direction[2])
        entry = _entry_of(np.maximum(side_in, z_in), np.minimum(side_out, z_out))
        # The capsule is the union of the tube and the two balls, so the first of three entries.
        for height in (self.lower, self.upper):
            ball_entry = _entry_of(*_ball(origin, direction, height, self.radius))
            entry = np.minimum(entry, ball_entry)
        return entry

    def normal(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Triple:
        """Returns the outward unit normals at points of the surface."""
        nearest_on_axis = np.clip(z, self.lower, self.upper)
        return x / self.radius, y / self.radius, (z - nearest_on_axis) / self.radius


# In the order of the values of the factor "shape".
SOLIDS = (Cube, Cylinder, Sphere, Capsule)


def _slab(low, high, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = (low - origin) / direction, (high - origin) / direction
    return np.minimum(first, second), np.maximum(first, second)


def _tube(origin: Triple, direction: Triple, radius) -> tuple[np.ndarray, np.ndarray]:
    """Entry into and exit from the endless vertical cylinder around the axis."""
    a = direction[0] ** 2 + direction[1] ** 2
    b = origin[0] * direction[0] + origin[1] * direction[1]
    c = origin[0] ** 2 + origin[1] ** 2 - radius**2
    return _quadratic_roots(a, b, c)


def _ball(origin: Triple, direction: Triple, height, radius) -> tuple[np.ndarray, np.ndarray]:
    """Entry into and exit from the ball centred on the axis at `height`."""
    rise = origin[2] - height
    a = direction[0] ** 2 + direction[1] ** 2 + direction[2] ** 2
    b = origin[0] * direction[0] + origin[1] * direction[1] + rise * direction[2]
    c = origin[0] ** 2 + origin[1] ** 2 + rise**2 - radius**2
    return _quadratic_roots(a, b, c)


def _quadratic_roots(a, b, c) -> tuple[np.ndarray, np.ndarray]:
    """Roots of `a t^2 + 2 b t + c`, NaN where there are none."""
    root = np.sqrt(b * b - a * c)
    return (-b - root) / a, (root - b) / a


def _entry_of(entry: np.ndarray, leave: np.ndarray) -> np.ndarray:
    """Makes a miss, an empty interval or NaN, an entry at infinity."""
    return np.where(entry <= leave, entry, np.float32(np.inf))
