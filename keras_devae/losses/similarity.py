"""Similarity of representations, for models that compare two views of an image."""

from keras import ops

from keras_devae.checks import Tensor

#: Length below which a vector counts as having no direction.
_SHORTEST = 1e-6


def unit_vectors(vectors: Tensor) -> Tensor:
    """Divides vectors by their Euclidean lengths.

    Args:
        vectors: Vectors `(batch, d)`.

    Returns:
        Vectors of length 1, `(batch, d)`; about 0 where a vector is 0.
    """
    vectors = ops.convert_to_tensor(vectors)
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(ops.maximum(squares, _SHORTEST**2))


def cosine_distance(predictions: Tensor, targets: Tensor) -> Tensor:
    """Returns `2 - 2 cos` of pairs of vectors, the squared distance of their directions.

    Equation 2 of Grill et al. (2020), Bootstrap Your Own Latent.

    Args:
        predictions: `(batch, d)`.
        targets: `(batch, d)`.

    Returns:
        `(batch,)`, from 0 for equal directions to 4 for opposite ones.
    """
    return 2 - 2 * ops.sum(unit_vectors(predictions) * unit_vectors(targets), axis=-1)


def spread_of_directions(vectors: Tensor) -> Tensor:
    """Returns how far the directions of a batch of vectors differ, a scalar.

    It is the standard deviation of unit vectors over the batch, averaged over their d numbers and
    multiplied by the root of d: 1 for directions spread evenly, 0 for a collapse to a single one
    (Chen & He 2021, Exploring Simple Siamese Representation Learning). A single vector, which
    cannot tell, has 1.

    Args:
        vectors: `(batch, d)`.
    """
    deviations = ops.std(unit_vectors(vectors), axis=0)
    is_single = ops.equal(ops.shape(vectors)[0], 1)
    return ops.where(is_single, 1.0, ops.mean(deviations) * vectors.shape[-1] ** 0.5)
