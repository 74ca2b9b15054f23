"""What lies in a data folder."""


def visible(folder):
    """The names that a user sees in a folder; locks and unfinished work are hidden."""
    return sorted(item.name for item in folder.iterdir() if not item.name.startswith("."))


def unfinished(folder):
    return sorted(item.name for item in folder.glob(".*.keras-devae-part*"))
