"""The files of the repository that the site shows as they are."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
#: Pages and files at the top of the repository.
_TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE")


def published_files():
    """Returns the paths of pages, and of everything that they may show or offer."""
    found = [
        path
        for path in sorted(EXAMPLES.rglob("*"))
        if path.is_file()
        and path.suffix not in (".py", ".toml", ".pyc")
        and EXAMPLES / "site" not in path.parents
    ]
    return [REPOSITORY / name for name in _TOP] + found


def guides():
    """Returns the file names of the guides, in the order in which the README links them."""
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"examples/guides/(\w+\.md)", readme)
    present = sorted(path.name for path in (EXAMPLES / "guides").glob("*.md"))
    # Its list of guides is at the end.
    order = {name: place for place, name in enumerate(linked)}
    return sorted(present, key=lambda name: (order.get(name, len(linked)), name))
