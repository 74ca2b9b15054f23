"""Batch size, length and learning rate of a training."""

from __future__ import annotations

import math

#: Images of a batch, unless there are fewer.
BATCH_SIZE = 64
#: Minutes that a training may take unless told otherwise, as the preset `small` takes.
MINUTES = 20.0
#: Fewest and most steps. Fewer do not tell factors apart; more is longer than published runs.
FEWEST_STEPS, MOST_STEPS = 2000, 300_000
#: Most times that each image is seen: beyond it, a small set is learned by heart.
MOST_EPOCHS = 500
#: Learning rate of a run of so many steps, as in the preset `quick`.
RATE, RATE_STEPS = 1e-3, 4500
LEAST_RATE = 1e-4


def batch_size_for(count: int) -> int:
    """Returns `BATCH_SIZE`, or the largest power of two up to the number of images."""
    return min(BATCH_SIZE, 2 ** int(math.log2(max(count, 1))))


def rounded_down(value: float) -> int:
    """Returns the largest of 1, 2, 3 and 5 times a power of ten that is not above the value."""
    power = 10 ** math.floor(math.log10(max(value, 1)))
    return int(max(each for each in (1, 2, 3, 5) if each * power <= max(value, 1)) * power)


def steps_for(steps_per_second: float, count: int, batch_size: int, minutes: float) -> int:
    """Returns the steps of a training of so many minutes, within the limits of this module."""
    epochs = max(1000, MOST_EPOCHS * math.ceil(count / batch_size))
    return rounded_down(min(MOST_STEPS, epochs, max(FEWEST_STEPS, 60 * minutes * steps_per_second)))


def learning_rate_for(steps: int) -> float:
    """Returns the rate that falls with the root of the steps, as it nearly does in the presets."""
    rate = RATE * math.sqrt(RATE_STEPS / steps)
    return float(f"{min(RATE, max(LEAST_RATE, rate)):.1g}")
