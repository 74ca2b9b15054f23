"""Predictability of code units from each other (Schmidhuber 1992)."""

from keras import ops

from keras_devae.backend.replicas import mean_over_batch
from keras_devae.checks import Tensor


def without_own_unit(codes: Tensor) -> Tensor:
    """Returns what each unit's predictor sees: the codes of all units, its own set to 0.

    Args:
        codes: `(batch, d)`.

    Returns:
        `(batch, d, d)`, whose entry `[:, i]` is for unit i.
    """
    others = 1 - ops.eye(codes.shape[-1], dtype=codes.dtype)
    return ops.expand_dims(codes, 1) * others


def prediction_errors(codes: Tensor, predictions: Tensor) -> Tensor:
    """Computes the mean squared error of the prediction of each unit.

    Args:
        codes: Units, `(batch, d)`.
        predictions: What is predicted of each from the others, `(batch, d)`.

    Returns:
        Errors `(d,)`.
    """
    return ops.mean(ops.square(codes - predictions), axis=0)


def unpredicted_variances(codes: Tensor, predictions: Tensor) -> Tensor:
    """Computes the variance of the prediction error of each unit.

    For good predictors, whose errors average 0, it is the mean squared error. Unlike that, it does
    not grow when a unit moves by as much for all images before its predictor follows.

    Args:
        codes: Units, `(batch, d)`.
        predictions: What is predicted of each from the others, `(batch, d)`.

    Returns:
        Variances `(d,)`.
    """
    errors = codes - predictions
    squares = ops.mean(ops.square(errors), axis=0)
    return squares - ops.square(mean_over_batch(ops.mean(errors, axis=0)))
