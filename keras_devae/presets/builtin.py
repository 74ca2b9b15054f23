"""The presets that come with the package."""

from pathlib import Path

from keras_devae.presets.folder import METADATA, PresetFolder

#: The folder of the presets; the name of each of its folders is the name of a preset.
FILES = Path(__file__).with_name("files")


def builtin_presets() -> dict[str, PresetFolder]:
    """Returns the presets that come with the package, by their names, in alphabetical order.

    Example:
        >>> {name: preset.metadata["description"] for name, preset in builtin_presets().items()}
        {...}
    """
    folders = sorted(file.parent for file in FILES.glob(f"*/{METADATA}"))
    return {folder.name: PresetFolder(folder) for folder in folders}
