"""Pages that show the notebooks with the outputs that are stored in them."""

import json
import re

from repository import EXAMPLES, REPOSITORY

_FOLDER = EXAMPLES / "notebooks"
#: Colours and movements of the cursor in the output of a terminal.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def notebooks():
    """Returns the paths of the notebooks."""
    return sorted(_FOLDER.glob("*.ipynb"))


def place_of(notebook):
    """Returns the place of the page of a notebook in the site."""
    return notebook.relative_to(REPOSITORY).as_posix() + ".md"


def navigation():
    """Returns the pages; the shortest way in comes first."""
    ordered = sorted(notebooks(), key=lambda path: (path.stem != "quickstart", path.stem))
    return [place_of(path) for path in ordered]


def pages():
    """Returns the text of each page by its place in the site."""
    return {place_of(path): _page(path) for path in notebooks()}


def _page(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    title, *parts = [part for cell in cells for part in _parts(cell)]
    download = f'<a href="{path.name}" download>Download {path.name}</a>'
    return "\n\n".join([title, download, *parts]) + "\n"


def _parts(cell):
    text = "".join(cell["source"]).strip()
    if cell["cell_type"] == "markdown":
        yield text
        return
    if text:
        yield f"````python\n{text}\n````"
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        shown = "".join(output.get("text", "") or data.get("text/plain", ""))
        if "image/png" in data:
            pixels = "".join(data["image/png"]).replace("\n", "")
            yield f"![Output of the cell above](data:image/png;base64,{pixels})"
        elif shown := _CONTROL.sub("", shown).strip("\n"):
            yield f"````text\n{shown}\n````"
