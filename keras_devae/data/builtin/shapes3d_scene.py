"""The scene of 3D Shapes: a room with one solid in it, a lamp, and a camera that circles both.

Lengths are in room units. x points to the right wall, y to the back wall, z up; the origin is on
the floor in the middle of the room. The numbers were fitted to frames that the data set's authors
published (Burgess and Kim, "3D Shapes Dataset", 2018); most came out as round numbers.
"""

import functools

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.solids import SOLIDS, Solid, Triple

HALF_ROOM = 3.5
WALL_HEIGHT = 2.0
CAMERA_DISTANCE = 2.5
CAMERA_HEIGHT = 0.75
HALF_FIELD_OF_VIEW = np.radians(25.0)
LAMP = (-1.5, 0.5, 7.5)

AMBIENT = 0.35
HEADLIGHT = 0.59
LAMPLIGHT = 0.96
SPOT_EXPONENT = 10
HIGHLIGHT = 0.12
HIGHLIGHT_EDGE = 0.065

STAIN_DEPTH = 0.06
STAIN_HEIGHT = 1.07
STAIN_SPREAD = (0.13, 0.27)
# Honeycomb of each surface: its pitch, and the (cosine, sine) strengths of its three waves.
BACK_WALL_WAVES = (0.2325, (0.0052, 0.0002, -0.0021, 0.0050, -0.0028, 0.0048))
SIDE_WALL_WAVES = (0.24, (-0.0014, -0.0014, 0.0067, -0.0024, -0.0054, 0.0049))
FLOOR_WAVES = (0.245, (0.0037, 0.0064, 0.0074, 0.0028, 0.0071, -0.0022))
# Stain on the back, right and left wall: its position along the wall, and which way it leans.
STAINS = ((0.2, 1), (1.85, -1), (0.25, 1))

# The published images look like a picture of three times the size without anti-aliasing, shrunk
# with a Lanczos filter of three lobes.
SUPERSAMPLING = 3
LANCZOS_LOBES = 3
_PIXELS_IN_BLOCK = 8

MAPS = (
    "floor",
    "floor_at_most_1",
    "wall",
    "wall_at_most_1",
    "object",
    "highlight",
    "object_and_highlight_at_most_1",
    "sky",
)


class Room:
    """The empty room as the camera sees it from `angle` radians, with `samples` rays per side.

    Attributes:
        wall: Brightness of the walls, float32 `(samples, samples)`, 0 elsewhere.
        sky: Whether a ray leaves above the walls, bool `(samples, samples)`.
        floor_shaded: Brightness of the floor without the lamp, float32 `(samples / 2, samples)`
            for the lower half of the image, 0 on the walls.
        floor_lamplight: Brightness that the lamp adds to `floor_shaded`.
        floor_points: x and y where the rays of the lower half hit the floor.
    """

    def __init__(self, angle: float, samples: int):
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        steps = (2 * np.arange(samples, dtype=np.float32) + 1) / samples - 1
        slope = steps * np.float32(np.tan(HALF_FIELD_OF_VIEW))
        self.camera = (
            sine * np.float32(CAMERA_DISTANCE),
            -cosine * np.float32(CAMERA_DISTANCE),
            np.float32(CAMERA_HEIGHT),
        )
        self.forward = (-sine, cosine)
        # All rays of a column share their horizontal direction, all rays of a row their slope.
        self.columns = (cosine * slope - sine, sine * slope + cosine)
        self.rows = -slope[:, np.newaxis]
        self._see_walls()
        self._see_floor()

    def _see_walls(self) -> None:
        """Computes the walls; a ray's column determines the one wall through which it leaves."""
        dx, dy = self.columns
        to_back = (HALF_ROOM - self.camera[1]) / dy
        to_side = (np.copysign(np.float32(HALF_ROOM), dx) - self.camera[0]) / dx
        back = to_back <= to_side
        distance = np.minimum(to_back, to_side)
        x, y = self.camera[0] + distance * dx, self.camera[1] + distance * dy
        z = self.camera[2] + distance * self.rows
        normal = (np.where(back, 0, -np.sign(dx)), np.where(back, -1, 0), 0)
        facing = normal[0] * self.forward[0] + normal[1] * self.forward[1]
        light, _ = lamplight((x, y, z), normal)
        brightness = AMBIENT + HEADLIGHT * np.maximum(-facing, 0) + light
        brightness = brightness * (1 + _wall_texture(np.where(back, x, y), z, back, dx > 0))
        self.sky = z > WALL_HEIGHT
        self._on_floor = z < 0
        self.wall = np.where(self.sky | self._on_floor, 0, brightness).astype(np.float32)

    def _see_floor(self) -> None:
        lower = slice(len(self.rows) // 2, None)
        distance = -self.camera[2] / self.rows[lower]
        x = self.camera[0] + distance * self.columns[0]
        y = self.camera[1] + distance * self.columns[1]
        texture = self._on_floor[lower] * (1 + _honeycomb(x, y, *FLOOR_WAVES, turn=np.pi / 2))
        light, _ = lamplight((x, y, 0), (0, 0, 1))
        self.floor_points = (x, y)
        self.floor_shaded = (AMBIENT * texture).astype(np.float32)
        self.floor_lamplight = (light * texture).astype(np.float32)


class Scene:
    """A room with a solid: everything about an image except its colours, as eight brightness maps.

    Where a colour channel is 1, the published images were clipped at full brightness before they
    were shrunk; hence the maps limited to 1.
    """

    def __init__(self, image_size: int):
        self.image_size = image_size
        self._samples = image_size * SUPERSAMPLING
        self._weights = lanczos_blocks(image_size, SUPERSAMPLING)
        # The rooms of the fifteen orientations take 8 MB at 64 x 64.
        self._room = functools.cache(functools.partial(Room, samples=self._samples))

    def maps(self, scale: float, shape: int, angle: float) -> Array:
        """Returns the maps of one geometry, float32 `(image_size * image_size, 8)`; see `MAPS`.

        `shape` is an index into `SOLIDS`, `angle` how far the camera has circled, in radians.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            sampled = self._sampled_maps(self._room(angle), SOLIDS[shape](scale))
        shrunk_rows = shrink(sampled, self._weights, SUPERSAMPLING)
        shrunk = shrink(shrunk_rows.swapaxes(1, 2), self._weights, SUPERSAMPLING)
        return shrunk.transpose(2, 1, 0).reshape(-1, len(MAPS))

    def _sampled_maps(self, room: Room, solid: Solid) -> Array:
        maps = np.zeros((len(MAPS), self._samples, self._samples), np.float32)
        floor, _, wall, _, body, highlight, shiny, sky = maps
        x, y = room.floor_points
        to_lamp = (LAMP[0] - x, LAMP[1] - y, np.float32(LAMP[2]))
        lit = np.isinf(solid.distance((x, y, np.float32(0)), to_lamp))
        floor[self._samples // 2 :] = room.floor_shaded + room.floor_lamplight * lit
        wall[:] = room.wall
        sky[:] = room.sky
        rows, columns, body_light, highlight_light = see_solid(room, solid)
        for hidden in (floor, wall, sky):
            hidden[rows, columns] = 0
        body[rows, columns] = body_light
        highlight[rows, columns] = highlight_light
        shiny[rows, columns] = np.minimum(body_light + highlight_light, 1)
        np.minimum(maps[0:4:2], 1, out=maps[1:4:2])
        return maps


def see_solid(room: Room, solid: Solid) -> tuple[Array, Array, Array, Array]:
    """Returns where the solid is visible and how bright it is there, as four arrays `(n,)`.

    These are row and column numbers, and the brightness of the coloured surface and its highlight.
    """
    dx, dy = room.columns
    passes_axis_at = np.abs(room.camera[0] * dy - room.camera[1] * dx) / np.hypot(dx, dy)
    near = np.flatnonzero(passes_axis_at <= solid.radius)
    distance = solid.distance(room.camera, (dx[near], dy[near], room.rows))
    rows, columns = np.nonzero(np.isfinite(distance))
    distance, columns = distance[rows, columns], near[columns]
    direction = (dx[columns], dy[columns], room.rows[rows, 0])
    x, y, z = (start + distance * step for start, step in zip(room.camera, direction, strict=True))
    normal = solid.normal(x, y, z)
    facing = normal[0] * room.forward[0] + normal[1] * room.forward[1]
    light, cosine = lamplight((x, y, z), normal)
    body = AMBIENT + HEADLIGHT * np.maximum(-facing, 0) + light
    highlight = HIGHLIGHT * np.clip(cosine / HIGHLIGHT_EDGE + 0.5, 0, 1)
    return rows, columns, body, highlight


def lamplight(point: Triple, normal: Triple) -> tuple[Array, Array]:
    """Returns the brightness of a surface under the lamp, a spot pointing straight down.

    The second array is the cosine between the outward unit normal and the direction of the lamp.
    """
    toward = tuple(lamp - coordinate for lamp, coordinate in zip(LAMP, point, strict=True))
    distance = np.sqrt(toward[0] ** 2 + toward[1] ** 2 + toward[2] ** 2)
    cosine = sum(n * t for n, t in zip(normal, toward, strict=True)) / distance
    spot = (toward[2] / distance) ** SPOT_EXPONENT
    return LAMPLIGHT * spot * np.maximum(cosine, 0), cosine


def lanczos_matrix(size: int, factor: int) -> Array:
    """Returns the matrix that shrinks `size * factor` samples to `size` pixels, float32."""
    samples = (np.arange(size * factor) + 0.5) / factor
    offset = samples - (np.arange(size)[:, np.newaxis] + 0.5)
    weights = np.sinc(offset) * np.sinc(offset / LANCZOS_LOBES)
    weights[np.abs(offset) >= LANCZOS_LOBES] = 0
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def lanczos_blocks(size: int, factor: int) -> Array:
    """Returns the nonzero parts of `lanczos_matrix` for blocks of pixels, `(size / 8, 8, samples)`.

    The samples cover the block and three pixels on either side. Matrices this small are multiplied
    by a single thread; waiting for a second one on a processor busy training would take far
    longer.
    """
    margin = LANCZOS_LOBES * factor
    matrix = np.pad(lanczos_matrix(size, factor), ((0, 0), (margin, margin)))
    window = _PIXELS_IN_BLOCK * factor + 2 * margin
    starts = range(0, size, _PIXELS_IN_BLOCK)
    return np.stack(
        [
            matrix[start : start + _PIXELS_IN_BLOCK, start * factor : start * factor + window]
            for start in starts
        ]
    )


def shrink(maps: Array, weights: Array, factor: int) -> Array:
    """Shrinks `(maps, size * factor, columns)` to `(maps, size, columns)` by `lanczos_blocks`."""
    margin = LANCZOS_LOBES * factor
    padded = np.pad(maps, ((0, 0), (margin, margin), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weights.shape[2], axis=1)
    blocks = windows[:, :: _PIXELS_IN_BLOCK * factor].swapaxes(2, 3)
    return np.matmul(weights, blocks).reshape(len(maps), -1, maps.shape[2])


def _wall_texture(along, height, back, right) -> Array:
    waves_of_back = _honeycomb(along, height, *BACK_WALL_WAVES)
    waves_of_side = _honeycomb(along, height, *SIDE_WALL_WAVES)
    waves = np.where(back, waves_of_back, waves_of_side)
    position, lean = (
        np.where(back, of_back, np.where(right, of_right, of_left))
        for of_back, of_right, of_left in zip(*STAINS, strict=True)
    )
    return waves - STAIN_DEPTH * _stain(along - position, height - STAIN_HEIGHT, lean)


def _stain(along, height, lean) -> Array:
    """Returns one slanted Gaussian blot in every two units of wall."""
    along = (along + 1) % 2 - 1
    across_blot = (along + lean * height) / np.sqrt(2)
    along_blot = (along - lean * height) / np.sqrt(2)
    exponent = (across_blot / STAIN_SPREAD[0]) ** 2 + (along_blot / STAIN_SPREAD[1]) ** 2
    return np.exp(-exponent / 2)


def _honeycomb(a, b, pitch: float, strengths: tuple[float, ...], turn: float = 0.0) -> Array:
    """Returns the sum of three plane waves at 60 degrees to each other."""
    wave_number = 4 * np.pi / (pitch * np.sqrt(3))
    total = np.zeros((), np.float32)
    for wave, (cosine, sine) in enumerate(zip(strengths[::2], strengths[1::2], strict=True)):
        direction = turn + wave * np.pi / 3
        phase = np.float32(wave_number * np.cos(direction)) * a
        phase = phase + np.float32(wave_number * np.sin(direction)) * b
        total = total + np.float32(cosine) * np.cos(phase) + np.float32(sine) * np.sin(phase)
    return total
