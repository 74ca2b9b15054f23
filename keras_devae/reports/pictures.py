"""The pictures of a page, as data URLs with their sizes."""

from __future__ import annotations

import base64
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from keras_devae.figures.saving import read_panels, read_rows
from keras_devae.files import is_there

if TYPE_CHECKING:
    from keras_devae.reports.run_figures import ReportFigure

#: CSS pixels for a pixel of a chart: its smallest letters are then 10 CSS pixels high.
_SCALE = 0.8
#: Figures whose panels stand side by side or below each other, as the page is wide.
_IN_PANELS = ("factor-scatter", "information", "learning-curves", "tracked-scores")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG file as a data URL, and its width and height in CSS pixels."""

    source: str
    width: int
    height: int


def picture(content: bytes | Path) -> Picture:
    """Returns the content of a PNG file, or a file, whole."""
    content = content.read_bytes() if isinstance(content, Path) else content
    with Image.open(io.BytesIO(content)) as image:
        width, height = (round(_SCALE * size) for size in image.size)
    encoded = base64.b64encode(content).decode("ascii")
    return Picture(f"data:image/png;base64,{encoded}", width, height)


def rows_in(file: Path) -> list[tuple[str, str, Picture]]:
    """Returns name, remark and picture of each row of images in a file; none without it."""
    if not is_there(file):
        return []
    return [(name, remark, _encoded(row)) for name, remark, row in read_rows(file)]


def panels_of(figure: ReportFigure) -> list[Picture]:
    """Returns the panels of a figure, each a picture of its own; none if it is shown whole."""
    if figure.name not in _IN_PANELS:
        return []
    return [_encoded(panel) for panel in read_panels(figure.file)]


def _encoded(image: Image.Image) -> Picture:
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return picture(stream.getvalue())
