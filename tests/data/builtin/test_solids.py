import numpy as np
import pytest

from keras_devae.data.builtin.solids import SOLIDS, Capsule, Cube, Cylinder, Sphere


def shoot(solid, origin, direction):
    with np.errstate(all="ignore"):
        origin, direction = (tuple(np.float32([x]) for x in v) for v in (origin, direction))
        return float(solid.distance(origin, direction)[0])


@pytest.mark.parametrize(
    ("solid", "height", "expected"),
    [
        (Cube, 0.3, 2 - 0.35),
        (Cylinder, 0.3, 2 - 0.374),
        (Sphere, 0.424, 2 - 0.424),
        (Sphere, 0.2, 2 - np.sqrt(0.424**2 - 0.224**2)),
        (Capsule, 0.6, 2 - 0.324),
        (Capsule, 1.1, 2 - np.sqrt(0.324**2 - (1.1 - 0.974) ** 2)),
    ],
)
def test_level_rays_enter_where_geometry_says(solid, height, expected):
    assert shoot(solid(1.0), (0, -2, height), (0, 1, 0)) == pytest.approx(expected, abs=1e-5)
    # Twice as large, from twice as far away.
    twice = shoot(solid(2.0), (0, -4, 2 * height), (0, 1, 0))
    assert twice == pytest.approx(2 * expected, abs=1e-5)


@pytest.mark.parametrize(
    ("solid", "top"), [(Cube, 0.7), (Cylinder, 0.75), (Sphere, 0.848), (Capsule, 1.298)]
)
def test_rays_from_above_meet_the_top(solid, top):
    assert shoot(solid(1.0), (0.01, 0, 5), (0, 1e-3, -1)) == pytest.approx(5 - top, abs=1e-3)


@pytest.mark.parametrize("solid", SOLIDS)
def test_rays_that_pass_by_miss(solid):
    assert shoot(solid(1.0), (1, -2, 0.3), (0, 1, 0)) == np.inf
    assert shoot(solid(1.0), (0, -2, 1.5), (0, 1, 0)) == np.inf


@pytest.mark.parametrize("solid", SOLIDS)
def test_normals_are_unit_vectors_that_face_the_ray(solid):
    rng = np.random.default_rng(0)
    origin = tuple(np.float32([[0], [-2], [0.75]]))
    direction = tuple(rng.normal((0, 2, -0.2), 0.2, (4000, 3)).T.astype(np.float32))
    with np.errstate(all="ignore"):
        distance = solid(1.0).distance(origin, direction)
    hit = np.isfinite(distance)
    ray = np.stack(direction)[:, hit]
    points = np.stack([o + distance[hit] * d for o, d in zip(origin, ray, strict=True)])
    normal = np.stack(solid(1.0).normal(*points))
    assert hit.sum() > 100
    np.testing.assert_allclose(np.square(normal).sum(0), 1, atol=1e-3)
    assert (np.sum(normal * ray, axis=0) < 1e-3).all()
