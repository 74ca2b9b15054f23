"""Which files in the folder of a run are the run's: all that it writes, and nothing else."""

import os
import re
from pathlib import Path

from keras_devae.runs.run_lock import LOCK_NAME
from keras_devae.runs.tracking import TRACKED

#: The folders that a run makes, each after the one that it is in.
FOLDERS = (
    *("checkpoints", "codes", "figures", "reproduction", "tracking", "tracking/tensorboard"),
)
#: The figures in `figures/`: those of a report, and those that `plot` draws.
FIGURES = (
    *("traversal", "information-map", "information-over-layers", "factor-scatter", "samples"),
    *("reconstructions", "kl", "learning-curves", "information-diffusion", "kl-diffusion"),
    *("mig-reconstruction", "freezing"),
)
#: What `plot` puts behind the name of a figure that was drawn with options.
_OPTIONS = r"(-(layer|seed|steps|index)--?\d+|-span-(range|quantiles)|-active-only-True)*"
#: The files, by the folder that they are in.
_FILES = {
    ".": r"(config|metrics|freezing)\.json|(history|freezing)\.csv|model\.keras|report\.html",
    "checkpoints": r"step-\d{8,}\.(keras|json)",
    "codes": r"codes-[0-9a-f]{12}-[0-9a-f]{16}\.npz",
    "figures": rf"({'|'.join(FIGURES)}){_OPTIONS}\.png",
    "reproduction": r"(layers|top_k)\.json",
    "tracking": rf"({'|'.join(TRACKED)}|metrics)\.(csv|png|npz)|traversal-step-\d{{8,}}\.png",
    "tracking/tensorboard": r"events\.out\.tfevents\..+",
}
#: What `doctor --repair` puts behind the name of a file.
_DAMAGED = r"(\.damaged(-\d+)?)?"


def files_of_a_run(path):
    """Lists the files in a folder that a run writes, a list of paths; those of no other kind.

    Args:
        path: The run's folder.
    """
    return [entry for entry in _named(path) if _is_file(entry)]


def irreplaceable(path):
    """Lists what has the name of something that a run writes, and is something else.

    Such are a link in place of a folder, whose files would be another folder's, and a folder in
    place of a file.

    Args:
        path: The run's folder.

    Returns:
        List of paths, relative to the folder.
    """
    path = Path(path)
    places = [path / folder for folder in FOLDERS if os.path.lexists(path / folder)]
    wrong = [place for place in places if place.is_symlink() or not place.is_dir()]
    wrong += [entry for entry in _named(path) if not _is_file(entry)]
    return [entry.relative_to(path) for entry in wrong]


def strangers(path):
    """Lists what is in a run's folder, or in one of those that a run makes, and no run writes.

    Args:
        path: The run's folder.

    Returns:
        List of paths, relative to the folder.
    """
    path = Path(path)
    own = {path / LOCK_NAME, *(path / folder for folder in FOLDERS), *_named(path)}
    found = [entry for folder in _folders(path) for entry in sorted(folder.iterdir())]
    return [entry.relative_to(path) for entry in found if entry not in own]


def _named(path):
    """Lists what has the name of a file that a run writes."""
    path = Path(path)
    return [
        entry
        for folder in _folders(path)
        for entry in sorted(folder.iterdir())
        if re.fullmatch(f"({_FILES[folder.relative_to(path).as_posix()]}){_DAMAGED}", entry.name)
    ]


def _folders(path):
    """Lists the folders of a run that are there; a link is none."""
    below = (path / folder for folder in FOLDERS)
    # A link would lead to files that are not in the run's folder.
    return [path, *(folder for folder in below if folder.is_dir() and not _is_linked(folder, path))]


def _is_linked(folder, path):
    return any((path / part).is_symlink() for part in _ways(folder.relative_to(path)))


def _ways(relative):
    return [relative, *(parent for parent in relative.parents if parent != Path("."))]


def _is_file(entry):
    # A link to a file goes like a file, and what it leads to stays.
    return entry.is_symlink() or entry.is_file()
