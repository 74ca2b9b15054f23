"""Write miniatures of the published data set files, to try out whatever reads them.

Run from the repository: python tests/data/miniature_files.py FOLDER

Each file has the name, the members, the types, the order and the compression of the published one
and a small part of its images. Those of dSprites and 3D Shapes are drawn by the package's own
renderers; the others are stand-ins made of a few polygons, in which each factor shows as well.
"""

import gzip
import io
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import scipy.io
from PIL import Image, ImageDraw

import keras_devae as kd

SMALL_NORB_HALVES = (
    "smallnorb-5x46789x9x18x6x2x96x96-training",
    "smallnorb-5x01235x9x18x6x2x96x96-testing",
)
#: Names that the archive of Cars3D has in this order, and its list in the order of their numbers.
CAR_NAMES = ("car_004_mesh", "car_001_mesh", "car_002_mesh")


class Written(NamedTuple):
    """What was written: the files, and the images with their factor values in that order.

    The values of each factor are numbered from 0.
    """

    paths: list[Path]
    images: np.ndarray
    factors: np.ndarray


def write_dsprites(folder, sizes=(3, 2, 3, 3, 3)):
    """Writes some shapes, scales, orientations and places of dSprites."""
    images, factors, chosen = _rendered("dsprites", sizes)
    full = (3, 6, 40, 32, 32)
    scales = (np.arange(1, 4), np.linspace(0.5, 1, 6), np.linspace(0, 2 * np.pi, 40))
    values = (*scales, np.linspace(0, 1, 32), np.linspace(0, 1, 32))
    names = ("color", "shape", "scale", "orientation", "posX", "posY")
    metadata = {
        "title": "A miniature of the dSprites dataset",
        "latents_names": names,
        "latents_sizes": np.array((1, *full)),
    }
    path = Path(folder) / "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
    np.savez_compressed(
        path,
        metadata=np.array(metadata, dtype=object),
        imgs=images[..., 0] // 255,
        latents_classes=np.insert(factors, 0, 0, axis=1),
        latents_values=np.insert(_values_of(values, chosen), 0, 1.0, axis=1),
    )
    return Written([path], images, factors)


def write_shapes3d(folder, sizes=(2, 2, 2, 2, 2, 2)):
    """Writes some colours, scales, shapes and orientations of 3D Shapes."""
    images, factors, chosen = _rendered("shapes3d", sizes)
    hues = [np.linspace(0, 0.9, 10)] * 3
    values = (*hues, np.linspace(0.75, 1.25, 8), np.arange(4), np.linspace(-30, 30, 15))
    path = Path(folder) / "3dshapes.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=(8, 64, 64, 3), compression="gzip")
        file.create_dataset("labels", data=_values_of(values, chosen))
    return Written([path], images, factors)


def write_cars3d(folder, names=CAR_NAMES):
    """Writes a few cars of Cars3D in all their 96 views, and what else the archive has.

    The archive has the cars in the order of `names`, the list in alphabetical order.
    """
    path = Path(folder) / "nips2015-analogy-data.tar.gz"
    listed = sorted(names)
    views = np.indices((4, 24)).reshape(2, -1).T
    images, factors = [], []
    with (
        gzip.GzipFile(path, "wb", mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed) as tar,
    ):
        _add_member(tar, "data/sprites/README", b"The sprites are left out.\n")
        for name in names:
            number = listed.index(name)
            cars = np.stack([_draw_car(number, *view) for view in views.tolist()])
            _add_member(tar, f"data/cars/{name}.mat", _car_as_matlab(cars))
            images.append(cars)
            factors.append(np.insert(views, 2, number, axis=1))
        _add_member(tar, "data/shapes48.mat", b"The shapes are left out.\n")
        _add_member(tar, "data/cars/list.txt", "".join(f"{name}\n" for name in listed).encode())
    return Written([path], np.concatenate(images), np.concatenate(factors))


def write_small_norb(folder, sizes=(2, 2, 2, 3, 3)):
    """Writes some toys of SmallNORB, of which each half of the files has half of the instances.

    `sizes` are the numbers of categories, instances (even), elevations, azimuths and lightings,
    5, 10, 9, 18 and 6 at most. As in the published files, the rows are in no order.
    """
    factors = np.indices(sizes).reshape(5, -1).T
    factors = np.random.default_rng(0).permutation(factors)
    # The published halves have the instances 4, 6, 7, 8 and 9, and 0, 1, 2, 3 and 5.
    is_training = factors[:, 1] >= sizes[1] // 2
    azimuths = _spread(18, sizes[3]) * 2
    elevations, lightings = _spread(9, sizes[2]), _spread(6, sizes[4])
    paths, images, written = [], [], []
    for stem, rows in zip(SMALL_NORB_HALVES, (is_training, ~is_training), strict=True):
        half = factors[rows]
        labels = [
            half[:, 1],
            elevations[half[:, 2]],
            azimuths[half[:, 3]],
            lightings[half[:, 4]],
        ]
        info = np.stack(labels, axis=1).astype("<i4")
        pairs = np.stack(
            [
                [_draw_toy(category, *row, camera) for camera in (0, 1)]
                for category, row in zip(half[:, 0].tolist(), info.tolist(), strict=True)
            ]
        )
        for part, matrix in (("dat", pairs), ("cat", half[:, 0].astype("<i4")), ("info", info)):
            paths.append(Path(folder) / f"{stem}-{part}.mat.gz")
            paths[-1].write_bytes(gzip.compress(matrix_bytes(matrix), mtime=0))
        images.append(pairs[:, 0, ..., None])
        written.append(half)
    return Written(paths, np.concatenate(images), np.concatenate(written))


def write_mpi3d(folder, sizes=(2, 3, 2, 2, 2, 4, 3), name="mpi3d_toy.npz", compressed=True):
    """Writes an arm with an object in the layout of MPI3D.

    `sizes` are the numbers of object colours, shapes and sizes, camera heights, background
    colours and angles of the two axes; the published ones are 6, 6, 2, 3, 3, 40 and 40. The file
    does not say which they are. That is why `keras_devae` refuses it, unless a subclass of its
    reader has them as its `grid`: only the 1,036,800 images of the whole set tell by their number
    what they show.
    """
    path = Path(folder) / name
    factors = np.indices(sizes).reshape(7, -1).T
    images = np.stack([_draw_arm(row, sizes) for row in factors.tolist()])
    (np.savez_compressed if compressed else np.savez)(path, images=images)
    return Written([path], images, factors)


def matrix_bytes(matrix):
    """Returns a uint8 or int32 array in the format of the SmallNORB files."""
    magic = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54}[matrix.dtype.name]
    sizes = [*matrix.shape, 1, 1][: max(3, matrix.ndim)]
    return np.array([magic, matrix.ndim, *sizes], "<i4").tobytes() + matrix.tobytes()


def _spread(size, count):
    """Returns `count` of the numbers below `size`, far from each other."""
    return np.arange(count) * size // count


def _rendered(name, sizes):
    """Returns images of a sub-grid, their numbers in it, and their factors in the whole grid."""
    data = kd.data.load(name, source="rendered")
    factors = np.indices(sizes).reshape(len(sizes), -1).T
    spread = [_spread(*pair) for pair in zip(data.grid.sizes, sizes, strict=True)]
    chosen = np.stack([one[column] for one, column in zip(spread, factors.T, strict=True)], axis=1)
    return data.images(data.grid.indices(chosen)), factors, chosen


def _values_of(values, classes):
    columns = [np.asarray(one)[column] for one, column in zip(values, classes.T, strict=True)]
    return np.stack(columns, axis=1).astype(np.float64)


def _add_member(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _car_as_matlab(images):
    """Returns 96 images of a car as a MATLAB file, without the time that is at its start."""
    views = images.reshape(4, 24, 128, 128, 3).transpose(2, 3, 4, 1, 0)
    file = io.BytesIO()
    mask = (views < 255).any(axis=2).astype(np.uint8)
    scipy.io.savemat(file, {"im": views, "mask": mask}, do_compression=True)
    return b"MATLAB 5.0 MAT-file".ljust(116) + file.getvalue()[116:]


# The stand-ins for cars and toys are a few solids: outlines in the plane of x (to the front) and z
# (up), which y (to the side) gives a thickness. Each is convex, so that it hides itself where its
# faces are turned away, and the solids are painted from the farthest to the nearest.


class _Solid(NamedTuple):
    outline: list[tuple[float, float]]
    sides: tuple[float, float]
    color: tuple[int, int, int]


def _block(x, y, z, color):
    """Returns a block from its extents `(from, to)`."""
    return _Solid([(x[0], z[0]), (x[1], z[0]), (x[1], z[1]), (x[0], z[1])], y, color)


def _wheel(x, z, radius, sides):
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    outline = [(x + radius * np.cos(one), z + radius * np.sin(one)) for one in angles]
    return _Solid(outline, sides, (50, 50, 50))


def _wheels(places, radius, width, floor):
    thick = 0.12
    sides = ((-width, -width + thick), (width - thick, width))
    return [_wheel(x, floor + radius, radius, side) for x in places for side in sides]


def _faces(solid):
    """Returns the corners of each face of a solid, `(corners, 3)`, and its normals."""
    left, right = (
        np.array([(x, side, z) for x, z in solid.outline], float) for side in solid.sides
    )
    normals = [np.array([0, -1.0, 0]), np.array([0, 1.0, 0])]
    faces = [left, right]
    for here in range(len(left)):
        there = (here + 1) % len(left)
        faces.append(np.stack([left[here], left[there], right[there], right[here]]))
        along = left[there] - left[here]
        normals.append(np.array([along[2], 0, -along[0]]) / np.hypot(along[0], along[2]))
    return faces, normals


def _draw_solids(solids, azimuth, elevation, light, size, background):
    """Draws solids of about -1 to 1 from an azimuth and an elevation, in degrees."""
    turn, tilt = np.radians(azimuth), np.radians(elevation)
    cos, sin = np.cos(turn), np.sin(turn)
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]).T
    # Rows: to the right in the picture, up in it, and out of it.
    camera = np.array(
        [[0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)], [np.cos(tilt), 0, np.sin(tilt)]]
    )
    light = np.asarray(light) / np.linalg.norm(light)
    large = 2 * size
    picture = Image.new("RGB", (large, large), background)
    draw = ImageDraw.Draw(picture)
    bodies = []
    for solid in solids:
        faces, normals = _faces(solid)
        faces = [face @ turned @ camera.T for face in faces]
        depth = (faces[0].mean(axis=0) + faces[1].mean(axis=0))[2]
        bodies.append((depth, faces, np.array(normals) @ turned @ camera.T, solid.color))
    for _, faces, normals, color in sorted(bodies, key=lambda body: body[0]):
        for face, normal in zip(faces, normals, strict=True):
            if normal[2] > 0:
                shade = 0.4 + 0.6 * max(0.0, float(normal @ light))
                places = large * (0.5 + 0.36 * face[:, :2] * [1, -1])
                fill = tuple(min(255, round(shade * one)) for one in color)
                draw.polygon([tuple(place) for place in places.tolist()], fill=fill)
    return np.asarray(picture.reduce(2))


def _car(number, color):
    """Returns the solids of a car; the number makes it longer, and its cabin lower."""
    length, low, high = 0.9 + 0.12 * (number % 3), -0.25, 0.08
    roof, front = 0.5 - 0.07 * (number % 4), 0.3 + 0.1 * (number % 2)
    body = [(-length, low), (length, low), (length, high - 0.12), (0.4, high), (-length, high)]
    glass = [(-0.85, high), (front + 0.2, high), (front - 0.15, roof), (-0.6, roof)]
    return [
        _Solid(body, (-0.42, 0.42), color),
        _Solid(glass, (-0.36, 0.36), (150, 190, 215)),
        _Solid(
            [(-0.62, roof), (front - 0.13, roof), (front - 0.2, roof + 0.05), (-0.55, roof + 0.05)],
            (-0.36, 0.36),
            color,
        ),
        *_wheels((-0.55, 0.58), 0.2, 0.46, -0.42),
    ]


def _draw_car(number, elevation, azimuth):
    colors = ((215, 45, 40), (45, 95, 200), (240, 185, 40), (50, 150, 80), (130, 60, 150))
    solids = _car(number, colors[number % len(colors)])
    return _draw_solids(
        solids, 15 * azimuth, 10 + 10 * elevation, (0.4, 0.7, 0.6), 128, (255, 255, 255)
    )


def _toy(category, instance):
    """Returns the solids of an animal, a human, an airplane, a truck or a car."""
    grey, more = (205, 205, 205), 0.05 * instance
    if category == 0:
        legs = [
            _block((x, x + 0.16), (y, y + 0.16), (-0.7, -0.1), grey)
            for x in (-0.6, 0.4)
            for y in (-0.3, 0.14)
        ]
        neck = _block((0.4, 0.62), (-0.12, 0.12), (0.25, 0.45 + more), grey)
        head = _block((0.4, 0.95), (-0.16, 0.16), (0.45 + more, 0.75 + more), grey)
        tail = _block((-0.9, -0.65), (-0.06, 0.06), (0.1, 0.2), grey)
        return [*legs, _block((-0.65, 0.6), (-0.3, 0.3), (-0.1, 0.25), grey), neck, head, tail]
    if category == 1:
        legs = [_block((-0.12, 0.12), (y, y + 0.2), (-0.95, -0.2), grey) for y in (-0.25, 0.05)]
        arms = [
            _block((-0.1, 0.1 + 2 * more), (y, y + 0.15), (-0.15, 0.45), grey) for y in (-0.5, 0.35)
        ]
        trunk = _block((-0.16, 0.16), (-0.32, 0.32), (-0.2, 0.45), grey)
        return [*legs, *arms, trunk, _block((-0.18, 0.18), (-0.18, 0.18), (0.5, 0.9), grey)]
    if category == 2:
        nose = [(-0.9, -0.1), (0.8, -0.1), (1.0, 0.05), (0.8, 0.15), (-0.9, 0.15)]
        wings = [
            _block((-0.15, 0.3), side, (-0.02, 0.05), grey)
            for side in ((-0.95 - more, -0.14), (0.14, 0.95 + more))
        ]
        fin = [(-0.9, 0.15), (-0.5, 0.15), (-0.8, 0.5), (-0.95, 0.5)]
        rear = [
            _block((-0.9, -0.7), side, (0.1, 0.15), grey) for side in ((-0.4, -0.14), (0.14, 0.4))
        ]
        return [_Solid(nose, (-0.14, 0.14), grey), *wings, *rear, _Solid(fin, (-0.03, 0.03), grey)]
    if category == 3:
        load = _block((-0.95, 0.3), (-0.4, 0.4), (-0.3, 0.35 + more), grey)
        cabin = [(0.38, -0.3), (0.95, -0.3), (0.95, 0.0), (0.8, 0.3), (0.38, 0.3)]
        return [load, _Solid(cabin, (-0.36, 0.36), grey), *_wheels((-0.6, 0.65), 0.2, 0.44, -0.5)]
    return _car(instance, grey)


def _draw_toy(category, instance, elevation, azimuth, lighting, camera):
    """Draws a toy as one of two cameras sees it, from the labels that the files have."""
    angle = np.radians(-75 + 30 * lighting)
    light = (1.2 * np.sin(angle), 0.5, np.cos(angle))
    picture = _draw_solids(
        _toy(category, instance),
        10 * azimuth + 4 * camera,
        30 + 5 * elevation,
        light,
        96,
        (235, 235, 235),
    )
    return picture[..., 0]


def _draw_arm(factors, sizes):
    """Draws an arm that stands before a wall, turns and lifts, and has an object at its end."""
    color, shape, size, height, background, horizontal, vertical = factors
    palette = ("white", "limegreen", "red", "blue", "saddlebrown", "olive")
    wall = ((125, 85, 170), (70, 165, 140), (235, 130, 110))[background % 3]
    picture = Image.new("RGB", (128, 128), wall)
    draw = ImageDraw.Draw(picture)
    # The higher the camera, the more of the floor it sees.
    horizon = 92 - 14 * height
    draw.rectangle((0, horizon, 128, 128), fill=tuple(one // 2 for one in wall))
    foot = np.array([64, horizon + 12])
    draw.ellipse((42, horizon + 4, 86, horizon + 20), fill=(60, 60, 65))
    turn = np.pi * (0.12 + 0.76 * (horizontal / max(1, sizes[5] - 1)))
    lift = np.pi * (0.08 + 0.34 * (vertical / max(1, sizes[6] - 1)))
    shoulder = foot - [0, 14]
    hand = shoulder - 46 * np.array([np.cos(turn) * np.cos(lift), np.sin(lift)])
    hand[1] += 8 * np.sin(turn) * np.cos(lift)
    draw.line((*foot, *shoulder), fill=(45, 45, 50), width=12)
    draw.line((*shoulder, *hand), fill=(85, 85, 95), width=8)
    _draw_object(draw, hand, 9 + 6 * size, shape, palette[color % 6])
    return np.asarray(picture.reduce(2))


def _draw_object(draw, middle, radius, shape, color):
    """Draws a cone, a cube, a cylinder, a hexagon, a pyramid or a ball."""
    x, y = middle.tolist()
    left, right, top, bottom = x - radius, x + radius, y - radius, y + radius
    options = {"fill": color, "outline": (20, 20, 20)}
    if shape == 0:
        draw.polygon([(left, bottom), (x, top - radius / 2), (right, bottom)], **options)
        draw.chord((left, bottom - radius / 2, right, bottom + radius / 2), 0, 180, **options)
    elif shape == 1:
        draw.rectangle((left, top, right, bottom), **options)
    elif shape == 2:
        draw.rectangle((left + radius / 3, top, right - radius / 3, bottom), **options)
        draw.ellipse((left + radius / 3, top - 4, right - radius / 3, top + 4), **options)
    elif shape == 3:
        draw.regular_polygon((x, y, 1.1 * radius), 6, **options)
    elif shape == 4:
        draw.polygon([(left, bottom), (x, top), (right, bottom)], **options)
        draw.line((x, top, x + radius / 3, bottom), fill=(20, 20, 20))
    else:
        draw.ellipse((left, top, right, bottom), **options)


def main(folder):
    """Writes the miniatures of all five sets into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for write in (write_dsprites, write_shapes3d, write_cars3d, write_small_norb, write_mpi3d):
        for path in write(folder).paths:
            print(f"{path} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else ".")
