"""Terms of categorical posteriors, and their relaxed samples."""

import math

import keras
from keras import ops

from keras_devae.backend.replicas import part_of_batch
from keras_devae.checks import Tensor

# The outermost float32 numbers between 0 and 1 whose double logarithm is finite, with a margin.
SMALLEST_UNIFORM = 1e-20
LARGEST_UNIFORM = 1 - 1e-7


def categorical_kl(logits: Tensor) -> Tensor:
    """Computes the Kullback-Leibler divergence of a categorical distribution from the uniform one.

    This is `log K` minus the entropy, computed as the average over the categories of
    `t log t - (t - 1)` with `t = K p`: no term is negative and each is of second order near the
    uniform distribution, where `log K` minus the entropy would leave nothing but rounding.

    Args:
        logits: Finite logits `(batch, categories)`, any float dtype.

    Returns:
        Float32 tensor `(batch,)` in nats, from 0 to `log K`.
    """
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    log_ratio = log_probabilities + math.log(logits.shape[-1])
    return ops.mean(ops.exp(log_ratio) * log_ratio - ops.expm1(log_ratio), axis=-1)


def gumbel_softmax(
    logits: Tensor, temperature: Tensor | float, seed: keras.random.SeedGenerator | int
) -> Tensor:
    """Draws relaxed one-hot samples of a categorical distribution, differentiable in the logits.

    The Gumbel-softmax of Jang et al. (2017), which is the concrete distribution of Maddison et al.
    (2017): `softmax((logits + g) / temperature)` with `g = -log(-log(u))`, `u` uniform.

    Args:
        logits: Logits `(batch, categories)`, any float dtype.
        temperature: Positive number or scalar tensor; samples approach one-hot ones as it falls.
        seed: A `keras.random.SeedGenerator`, or an integer for the same noise every time.

    Returns:
        Float32 tensor `(batch, categories)`, rows sum to 1.
    """
    logits = ops.cast(logits, "float32")
    uniform = part_of_batch(
        lambda shape: keras.random.uniform(shape, dtype="float32", seed=seed),
        ops.shape(logits),
        axis=0,
    )
    uniform = ops.clip(uniform, SMALLEST_UNIFORM, LARGEST_UNIFORM)
    perturbed = logits - ops.log(-ops.log(uniform))
    # With the largest at 0, the division by a tiny temperature can only overflow to weight 0.
    perturbed = perturbed - ops.max(perturbed, axis=-1, keepdims=True)
    return ops.softmax(perturbed / temperature, axis=-1)
