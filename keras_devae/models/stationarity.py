"""From which step on a model's objective stays the same, without importing Keras."""

from collections.abc import Mapping
from typing import Any


def stationary_from(options: Mapping[str, Any], latent_dim: int) -> int:
    """Returns the number of steps after which a model's schedules and stages have ended.

    Losses of earlier steps belong to another objective and cannot be compared. The weights that a
    controller sets never come to rest; of these only the set point counts.

    Args:
        options: The model's options, complete.
        latent_dim: Number of latent dimensions.
    """
    lengths = ("capacity_steps", "kl_target_steps", "kl_warmup_steps")
    ends = [options.get(name, 0) for name in lengths]
    if isinstance(beta := options.get("beta"), dict):
        ends += [sum(beta["config"].get(name, 0) for name in ("steps", "warmup_steps"))]
    if "stage_steps" in options:
        matching = options.get("matching_stage")
        stages = len(options["betas"]) if "betas" in options else latent_dim
        stages = stages - 1 if matching is None else max(stages, matching)
        ends += [stages * options["stage_steps"]]
    return max(ends)
