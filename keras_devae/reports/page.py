"""Self-contained HTML pages."""

import base64
from pathlib import Path
from typing import Any

import jinja2

from keras_devae.reports.formatting import format_number, format_setting
from keras_devae.version import __version__


def render_page(template: str, **values: Any) -> str:
    """Fills a template of `keras_devae/reports/templates`; all texts are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_devae.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        number=format_number, setting=format_setting, image_data=image_file_data
    )
    return environment.get_template(template).render(version=__version__, **values)


def image_file_data(file: Path) -> str:
    """Returns a PNG file as a data URL."""
    return image_data(file.read_bytes())


def image_data(content: bytes) -> str:
    """Returns the content of a PNG file as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
