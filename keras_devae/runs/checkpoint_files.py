"""The names of checkpoints in the folder of a run."""

import re

#: What follows the name of a file that was found damaged and renamed.
SET_ASIDE = ".damaged"


def path_of(folder, step):
    """Returns the path of the checkpoint of a step."""
    return folder / f"step-{step:08d}.keras"


def steps_in(folder):
    """Returns the steps of the checkpoints in a folder, newest first; none if it is missing."""
    return sorted((step for _, step in _named(folder) if step is not None), reverse=True)


def strange_in(folder):
    """Returns what is named almost as a checkpoint is, or stands in a checkpoint's place.

    Programs that synchronise folders write `step-00000060 (1).keras` beside
    `step-00000060.keras`. Nothing here reads, renames or removes these.

    Returns:
        Sorted paths.
    """
    return sorted(file for file, step in _named(folder) if step is None)


def _named(folder):
    """Yields paths that begin as the names of checkpoints do, and their steps or `None`."""
    for file in folder.glob("step-*"):
        match = re.fullmatch(r"step-([0-9]{8,19})\.keras", file.name)
        step = None if match is None else int(match[1])
        if step is not None and file == path_of(folder, step) and file.is_file():
            yield file, step
        elif SET_ASIDE not in file.name:
            yield file, None
