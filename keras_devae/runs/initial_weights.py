"""Begins a run with the weights of another one, as far as they fit."""

from __future__ import annotations

import logging
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_devae.errors import FailureError, UsageError
from keras_devae.files import file_hash
from keras_devae.presets.finding import find_preset, in_place_of_run, is_address, is_builtin
from keras_devae.presets.folder import WEIGHTS, PresetFolder
from keras_devae.runs.tracking import check_live_curves

if TYPE_CHECKING:
    from keras_devae.models import VAE
    from keras_devae.runs.config.run_config import RunConfig
    from keras_devae.runs.folder import RunDirectory

logger = logging.getLogger("keras_devae")
#: Beginnings of the names of layers in encoder and decoder.
_NETWORKS = ("encoder/", "decoder/")
#: What batch normalisation has learned without a gradient.
_STATISTICS = ("moving_mean", "moving_variance")


def check_surroundings(config: RunConfig) -> None:
    """Checks what a new run needs besides its images: packages, and the weights to begin with.

    Raises:
        UsageError: If a package is not installed, or there are no such weights.
    """
    check_live_curves(config)
    if config.training.init_from is not None:
        file_of(config.training.init_from)


def file_of(source: str) -> Path:
    """Returns the file that `init_from` names: the file itself, or a run's or a preset's.

    Raises:
        UsageError: If there is none.
    """
    from keras_devae.runs.folder import RunDirectory

    found = in_place_of_run(source)
    if is_address(found) or is_builtin(found):
        return find_preset(found).path / WEIGHTS
    path = Path(found).expanduser()
    if PresetFolder.is_at(path):
        return find_preset(path).path / WEIGHTS
    if path.is_dir():
        return RunDirectory.open(path).trained_model_file()
    if path.suffix != ".keras" or not path.is_file():
        raise UsageError(
            "`init_from` takes the folder of a run, a .keras file that exists, or a preset. "
            f"Received: {path}."
        )
    return path


def record_of(config: RunConfig) -> dict[str, Any] | None:
    """Returns what `config.json` notes about the weights that a run begins with, or `None`."""
    if config.training.init_from is None:
        return None
    file = file_of(config.training.init_from).resolve()
    return {"file": str(file), "sha256": file_hash(file)}


def check_unchanged(config: RunConfig, run: RunDirectory) -> None:
    """Checks that a run killed before its first checkpoint can begin again with the same weights.

    Raises:
        FailureError: If the file has changed or is gone.
    """
    recorded = run.read_record().get("init_from")
    try:
        found = record_of(config)
    except (UsageError, FailureError, OSError):
        found = {}
    if recorded is not None and found != recorded:
        raise FailureError(
            f"{run.path} has no checkpoint yet, and the weights that it began with, those in "
            f"{recorded['file']}, have changed or are gone. Begin a new run instead."
        )


def take_weights(model: VAE, source: str) -> None:
    """Assigns the weights of another model, layer by layer where all of a layer fit, and logs it.

    The weights of encoder and decoder are taken, and of the model's own layers the trained ones and
    the statistics of batch normalisation; optimizer, schedules and random state begin anew.

    Raises:
        UsageError: If no layer of encoder and decoder fits.
        FailureError: If the file cannot be loaded.
    """
    from keras_devae.models.averaged_weights import take_averages
    from keras_devae.models.saving import load_saved

    file = file_of(source)
    other = load_saved(file)
    if getattr(other, "optimizer", None) is not None:
        take_averages(other)
    offered, wanted = _by_layer(other), _by_layer(model)
    taken = [layer for layer in wanted if _shapes(wanted[layer]) == _shapes(offered.get(layer, {}))]
    if not any(layer.startswith(_NETWORKS) for layer in taken):
        raise UsageError(
            "`init_from` needs layers that fit the new model by name and shape: no layer of the "
            f"encoder or the decoder in {file} does. Choose the network, image size and latent_dim "
            "of that model."
        )
    for layer in taken:
        for variable, weight in wanted[layer].items():
            weight.assign(offered[layer][variable])
    model.note_initial_weights()
    _report(file, taken, wanted, offered)


def _report(file, taken, wanted, offered):
    """Logs which layers were taken and which were not."""
    begun = [layer for layer in wanted if layer not in taken]
    unused = [layer for layer in offered if layer not in taken]
    if not begun and not unused:
        logger.info("The weights of all layers come from %s.", file)
        return
    parts = [f"the weights of {', '.join(taken)}"]
    parts += [f"beginning anew: {', '.join(begun)}"] if begun else []
    parts += [f"not used from the file: {', '.join(unused)}"] if unused else []
    logger.warning("Taken from %s: %s.", file, "; ".join(parts))


def _shapes(weights):
    return {variable: tuple(weight.shape) for variable, weight in weights.items()}


def _by_layer(model):
    """Returns the weights of each layer, by names that do not depend on earlier models.

    Keras appends numbers to the names of layers; here they count within encoder and decoder.
    """
    parts = dict(zip(_NETWORKS, model.networks, strict=False))
    listed = [(prefix, weight) for prefix, part in parts.items() for weight in part.weights]
    seen = {id(weight) for _, weight in listed}
    own = [w for w in model.weights if w.trainable or w.name in _STATISTICS]
    listed += [("", weight) for weight in own if id(weight) not in seen]
    found, counts = {}, Counter()
    for prefix, weight in listed:
        *layers, variable = weight.path.split("/")
        layer = prefix + "/".join(re.sub(r"_\d+$", "", name) for name in layers)
        number = counts[layer, variable]
        counts[layer, variable] += 1
        found.setdefault(f"{layer}_{number}" if number else layer, {})[variable] = weight
    return found
