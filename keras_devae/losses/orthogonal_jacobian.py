"""How far the columns of a decoder's Jacobian are from orthogonal to each other."""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
from keras import ops

from keras_devae.backend.replicas import part_of_batch
from keras_devae.checks import Tensor, at_least, positive


class JacobianOrthogonality(NamedTuple):
    """The columns of the Jacobian J at each code, float32 `(batch,)`, see `orthogonal_jacobian`.

    Attributes:
        penalty: Twice the squared entries of `J'J` off its diagonal, or an estimate of that.
        scale: The trace of `J'J`, or an estimate of it: the sum of all squared derivatives.

    Example:
        >>> found = orthogonal_jacobian(lambda z: 3 * z, ops.ones((4, 2)), vectors=0)
        >>> [round(float(value[0]), 3) for value in found]
        [0.0, 18.0]
    """

    penalty: Tensor
    scale: Tensor


def orthogonal_jacobian(
    function: Callable[[Tensor], Tensor],
    z: Tensor,
    vectors: int = 2,
    step: float = 0.1,
    seed: keras.random.SeedGenerator | int | None = None,
) -> JacobianOrthogonality:
    """Measures the orthogonality of a function's Jacobian, OroJaR of Wei et al. (2021).

    With J the derivatives of the function's outputs with respect to its inputs, their penalty is
    the variance of `|J v|^2` over random vectors v of independent entries +1 and -1 (Rademacher
    vectors), which is `2 sum_(i != j) (J'J)_ij^2`: it vanishes where the outputs' changes along any
    two inputs are orthogonal. Both ways to compute it are forward differences of the same function:

    - with several vectors, the unbiased sample variance of `|J v|^2` over them, whose expectation
      is the penalty, and the mean of `|J v|^2`, whose expectation is the trace of `J'J`;
    - with `vectors=0`, both exactly, from the differences along every input.

    The mean penalty divided by the squared mean scale depends neither on the function's scale nor
    on its inputs'. Without it an autoencoder escapes by larger codes and a flatter decoder.
    For a linear function of matrix W it is `2 sum_(i != j) (W'W)_ij^2 / trace(W'W)^2`.

    Args:
        function: From inputs `(rows, latent_dim)` to outputs `(rows, ...)`, row by row. It is
            called once, with `vectors + 1` times the rows of `z`, the unchanged ones first.
        z: Inputs `(batch, latent_dim)`, or with more axes before the last.
        vectors: Number of random vectors for each row, at least 2, the default of the published
            code; or 0 for the exact values, which take `latent_dim` differences.
        step: Length of the differences, above 0; default 0.1, the published one.
        seed: A `keras.random.SeedGenerator`, or an integer for the same vectors every time; not
            needed without vectors.

    Returns:
        Penalty and scale of every row, of the shape of `z` without its last axis.

    Raises:
        UsageError: If the number of vectors is 1, or an argument is out of range.
    """
    at_least("vectors", vectors, 2, or_zero=True)
    positive("step", step)
    z = ops.cast(z, "float32")
    derivatives = _derivatives(function, z, _directions(z, vectors, seed), step)
    if vectors:
        lengths = ops.sum(ops.square(derivatives), axis=-1)
        scale = ops.mean(lengths, axis=0)
        penalty = ops.sum(ops.square(lengths - scale), axis=0) / (vectors - 1)
    else:
        products = ops.einsum("ibp,jbp->bij", derivatives, derivatives)
        off_diagonal = products * (1 - ops.eye(z.shape[-1], dtype="float32"))
        scale = ops.sum(ops.square(derivatives), axis=(0, -1))
        penalty = 2 * ops.sum(ops.square(off_diagonal), axis=(1, 2))
    shape = ops.shape(z)[:-1]
    return JacobianOrthogonality(ops.reshape(penalty, shape), ops.reshape(scale, shape))


def _directions(z, vectors, seed):
    """Returns directions `(number, rows, latent_dim)`: random ones, or the axes."""
    dimensions = z.shape[-1]
    if not vectors:
        return ops.eye(dimensions, dtype="float32")[:, None]
    uniform = part_of_batch(
        lambda shape: keras.random.uniform(shape, dtype="float32", seed=seed),
        (vectors, *ops.shape(z)),
        axis=len(z.shape) - 1,
    )
    signs = ops.where(uniform < 0.5, -1.0, 1.0)
    return ops.reshape(signs, (vectors, -1, dimensions))


def _derivatives(function, z, directions, step):
    """Returns forward differences `(directions, rows, outputs)` divided by the step."""
    rows = ops.reshape(z, (1, -1, z.shape[-1]))
    inputs = ops.concatenate([rows, rows + step * directions], axis=0)
    outputs = ops.cast(function(ops.reshape(inputs, (-1, z.shape[-1]))), "float32")
    width = math.prod(outputs.shape[1:])
    outputs = ops.reshape(outputs, (inputs.shape[0], -1, width))
    return (outputs[1:] - outputs[:1]) / step
