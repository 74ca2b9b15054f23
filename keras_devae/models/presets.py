"""The part of every model that is made from presets, and makes them."""

import contextlib
import functools
import importlib
import os
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from keras_devae.backend import reserve_accelerators
from keras_devae.checks import flag, one_of
from keras_devae.errors import UsageError
from keras_devae.files import check_new, replacing
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.saving import load_folder, uncompiled_copy
from keras_devae.presets.builtin import builtin_presets
from keras_devae.presets.finding import find_preset
from keras_devae.presets.folder import WEIGHTS, PresetFolder, write_metadata

#: Types of the numbers in a preset's file of weights.
WEIGHT_DTYPES = ("float32", "float16")
#: Entries from which on compression saves more space than it takes.
_LARGE = 1024


class _PresetsOfClass:
    """The attribute `presets` of a class."""

    def __get__(self, instance: Any, owner: type) -> dict[str, str]:
        return {
            name: preset.metadata["description"]
            for name, preset in builtin_presets().items()
            if issubclass(_class_of(preset), owner)
        }


def _class_of(preset: PresetFolder) -> type:
    """Returns the class of this package whose model a preset holds, `object` for another one."""
    name = preset.metadata.get("class_name")
    modules = {entry.class_name: module for module, entry in MODEL_CATALOGUE.items()}
    if name not in modules:
        return object
    return getattr(importlib.import_module(f"keras_devae.models.{modules[name]}"), name)


class Presets:
    """The part of every model that starts from trained weights, and writes them for others."""

    #: Name -> description of the presets that come with the package and hold a model of this class
    #: or a subclass.
    presets = _PresetsOfClass()

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str], load_weights: bool = True) -> Self:
        """Makes a trained model from a preset, not compiled.

        Called on a base class, such as `VAE`, it returns a model of the class that the preset
        holds.

        Args:
            preset: The name of a preset that comes with the package, a key of `presets`; the folder
                of one, from `save_to_preset` or `keras-devae presets create`; or
                `"hf://owner/name"`, a repository of the Hugging Face Hub with such files. A folder
                that exists wins over a name.
            load_weights: Whether to load the weights (default); otherwise they are new.

        Raises:
            UsageError: If there is no such preset, it holds a model of another class, or
                `huggingface_hub` is missing.
            FailureError: If it is damaged, or cannot be fetched.
        """
        flag("load_weights", load_weights)
        model = load_folder(find_preset(preset).path, load_weights)
        if not isinstance(model, cls):
            found = type(model).__name__
            raise UsageError(
                f"The preset {os.fspath(preset)} holds a {found}, and {cls.__name__} is no base "
                f"class of it. Load it with `{found}.from_preset`."
            )
        return model

    def save_to_preset(
        self, preset_dir: str | os.PathLike[str], weights_dtype: str = "float32"
    ) -> None:
        """Writes the model into a new folder, for `from_preset` and `keras.saving.load_model`.

        It holds the model's configuration and weights in float32, without optimizer: another
        precision does not travel with it. `hf upload owner/name FOLDER` publishes it.

        Args:
            preset_dir: The folder, which must not exist.
            weights_dtype: Type of the numbers in the file, `"float32"` (default) or `"float16"`,
                which takes half the space and keeps three digits. What is too large for float16
                stays in float32. Loaded weights are float32 in any case.

        Raises:
            UsageError: If the folder exists or cannot be written.
        """
        one_of("weights_dtype", weights_dtype, WEIGHT_DTYPES)
        check_new(preset_dir)
        with replacing(preset_dir) as folder:
            facts = write_model(self, folder, weights_dtype)
            write_metadata(folder, **facts)


def write_model(model: Any, folder: Path, weights_dtype: str) -> dict[str, Any]:
    """Writes a model into a new folder as Keras does; returns facts about it for the metadata."""
    reserve_accelerators()
    copy = uncompiled_copy(model)
    keras.saving.save_model(copy, str(folder), zipped=False)
    with contextlib.suppress(OSError):  # Keras's folder for what these models have none of.
        (folder / "assets").rmdir()
    if weights_dtype == "float16":
        _halve(folder / WEIGHTS)
    return {
        "class_name": type(model).__name__,
        "image_shape": list(model.image_shape),
        "latent_dim": model.latent_dim,
        "parameter_count": copy.count_params(),
        "weights_dtype": weights_dtype,
    }


def _halve(file: Path) -> None:
    """Writes the arrays in a file of weights anew, in float16 and compressed."""
    import h5py

    with replacing(file) as smaller, h5py.File(file) as source, h5py.File(smaller, "w") as target:
        target.attrs.update(source.attrs)
        source.visititems(functools.partial(_copy_halved, target))


def _copy_halved(target, name, part):
    """Copies a group without its content, or an array, from an HDF5 file to another one."""
    if not hasattr(part, "shape"):
        copied = target.require_group(name)
    else:
        values = part[()]
        packing = {"compression": "gzip", "shuffle": True} if np.size(values) >= _LARGE else {}
        copied = target.create_dataset(name, data=_halved(values), **packing)
    copied.attrs.update(part.attrs)


def _halved(values):
    """Returns an array in float16, or as it is where that cannot hold it."""
    if np.ndim(values) == 0 or values.dtype != np.float32:
        return values
    with np.errstate(over="ignore"):
        halved = values.astype(np.float16)
    return halved if np.isfinite(halved).all() else values
