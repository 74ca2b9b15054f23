"""What a title calls a data set."""

from pathlib import PurePath


def title_of(name: str) -> str:
    """Returns a data set's name for a title, without the path of your own images.

    Args:
        name: The name of a data set, such as `"dsprites"` or `"folder:/data/clocks"`.

    Returns:
        E.g. `"dsprites"`, `"clocks"`.
    """
    _, _, path = name.partition(":")
    return PurePath(path).name or name
