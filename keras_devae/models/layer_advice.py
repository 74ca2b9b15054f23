"""Advice for when a layer other than the exported one reconstructs best."""

import math
import os
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

#: Mention another layer only if its loss is lower by this share: seeds alone differ by as much.
_MENTIONED = 0.01
#: Flat key of the score that counts as the reconstruction loss.
RECONSTRUCTION = "reconstruction_error.negative_log_likelihood"


def losses_of(layers: Iterable[Mapping[str, Any]]) -> dict[int, float | None]:
    """Returns the reconstruction loss of each layer from its flat scores."""
    return {layer["layer"]: layer.get(RECONSTRUCTION) for layer in layers}


def layer_advice(
    losses: Mapping[int, float | None], layer: int = 0, run: str | os.PathLike[str] = "RUN"
) -> str | None:
    """Returns advice if a layer other than the exported one reconstructs best, else `None`.

    `losses` are nats per image by layer. Differences up to 1 % do not count. `run` is the folder of
    the run, for the command that exports another layer.
    """
    known = {n: loss for n, loss in losses.items() if loss is not None and not math.isnan(loss)}
    if layer not in known:
        return None
    best = min(known, key=known.__getitem__)
    if known[layer] - known[best] <= _MENTIONED * abs(known[layer]):
        return None
    numbers, values = zip(*sorted(known.items()), strict=True)
    return (
        f"Layer {layer}, which is exported{'' if layer else ' by default'}, does not reconstruct "
        f"best: layers {' / '.join(map(str, numbers))} lose "
        f"{' / '.join(f'{value:,.1f}' for value in values)} nats per image. Train for longer, or "
        f"export layer {best}: keras-devae export {shlex.quote(str(run))} FOLDER "
        f"--layer {best}, in Python "
        f"model.export_encoder(folder, layer={best})."
    )
